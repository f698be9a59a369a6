"""Marks for a provider's prompt cache: what is on the wire, what a kept prompt costs, and who goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from run_kit import RUBRIC, Heard, error, http, make_record, scripted, settings_for

from judge.asking import Asker
from judge.backend import Reply
from judge.backends.cache_marks import with_marks
from judge.backends.litellm import LiteLLM
from judge.backends.messages import chat_messages
from judge.connect import connect
from judge.errors import FatalError, RejectedError
from judge.price import Price, build_price
from judge.probe import build_probes
from judge.prompt import JudgeModel, Prompt, Request
from judge.record import build_record

needs_litellm = pytest.mark.skipif(
    find_spec("litellm") is None or find_spec("instructor") is None,
    reason="litellm and instructor are not installed: pip install 'rationale-judge[remote]'",
)
CLAUDE = "anthropic/claude-sonnet-4-5"
MARK = {"type": "ephemeral"}
SAID = {"u1": {"evidence": None, "reason": "No.", "presence": 0, "correctness": None}}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ANTHROPIC_API_KEY", "HOSTED_VLLM_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "canary-4711")


def make_request(*, reused: bool = True, name: str = CLAUDE) -> Request:
    record = build_record(make_record(1), number=1)
    judge = JudgeModel(name=name, params={"temperature": 0, "max_tokens": 64})
    (request,) = Prompt(RUBRIC).build_requests(build_probes(record, RUBRIC, "unit"), judge)
    return replace(request, reused=reused)


def message(*, stored: int = 0, cached: int = 0) -> dict[str, Any]:
    """As Anthropic's `/v1/messages` answers: 10 tokens that are neither stored nor cached, 5 written."""
    usage = {"cache_creation_input_tokens": stored, "cache_read_input_tokens": cached}
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": orjson.dumps(SAID).decode()}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 5, **usage},
    }


Answer = Callable[[int, Heard], bytes]


def ask(
    request: Request, answer: Answer, *, name: str = CLAUDE, price: Price | None = None
) -> tuple[Reply | Exception, list[Heard], list[str]]:
    async def main() -> tuple[Reply | Exception, list[Heard], list[str]]:
        async with scripted(answer) as (base, heard):
            theirs = base.removesuffix("/v1") if name.startswith("anthropic/") else base
            backend = LiteLLM(name, api_base=theirs, price=price)
            try:
                return await backend.complete(request), heard, backend.notes
            except RejectedError as exc:
                return exc, heard, backend.notes
            finally:
                await backend.aclose()

    return asyncio.run(main())


def joined(parts: Sequence[dict[str, Any]]) -> str:
    return "".join(part["text"] for part in parts)


def marks(parts: Sequence[dict[str, Any]]) -> list[bool]:
    assert all(part.get("cache_control", MARK) == MARK for part in parts)
    return ["cache_control" in part for part in parts]


# On the wire


@needs_litellm
def test_marks_end_what_is_shared_and_the_text_is_the_same() -> None:
    request = make_request()
    _, heard, notes = ask(request, lambda *_: http(200, message()))
    (user,) = heard[0].body["messages"]
    assert heard[0].head.startswith("POST /v1/messages HTTP/1.1")
    assert (joined(heard[0].body["system"]), marks(heard[0].body["system"])) == (request.system, [True])
    assert (joined(user["content"]), marks(user["content"])) == (request.user, [True, False])
    assert user["content"][0]["text"] == request.shared
    assert notes == []


@needs_litellm
def test_what_no_other_call_shares_is_not_kept() -> None:
    request = make_request(reused=False)
    _, heard, _ = ask(request, lambda *_: http(200, message()))
    (user,) = heard[0].body["messages"]
    assert (joined(user["content"]), marks(user["content"])) == (request.user, [False])
    assert marks(heard[0].body["system"]) == [True]  # other records have it too


@needs_litellm
def test_what_instructor_writes_into_messages_is_outside_of_the_kept_trace() -> None:
    request = replace(make_request(), plain=True)
    _, heard, _ = ask(request, lambda *_: http(200, message()))
    (user,) = heard[0].body["messages"]
    assert "additionalProperties" in joined(heard[0].body["system"])  # the schema, in words
    assert user["content"][0] == {"type": "text", "text": request.shared, "cache_control": MARK}
    assert joined(user["content"]).startswith(request.user)


@needs_litellm
def test_a_reask_has_the_mark_at_the_same_place() -> None:
    request = replace(make_request(), ask=1, complaint="\nGive all units.")
    _, heard, _ = ask(request, lambda *_: http(200, message()))
    (user,) = heard[0].body["messages"]
    assert [part["text"] for part in user["content"]] == [request.shared, request.asked + request.complaint]


@needs_litellm
@pytest.mark.parametrize("name", ["hosted_vllm/claude-sonnet-4-5", "openai/claude-sonnet-4-5", "openai/gpt-4o-mini"])
def test_who_keeps_prompts_unasked_gets_no_mark(name: str) -> None:
    request = make_request(name=name)
    body = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{}"}}]}
    _, heard, _ = ask(request, lambda *_: http(200, {"id": "c", "object": "chat.completion", **body}), name=name)
    assert heard[0].body["messages"] == chat_messages(request)
    assert "cache_control" not in str(heard[0].body)


@needs_litellm
def test_who_refuses_marks_is_asked_without_from_then_on() -> None:
    def answer(_: int, heard: Heard) -> bytes:
        if "cache_control" in str(heard.body):
            return http(400, error("messages.0.content.0.cache_control: Extra inputs are not permitted"))
        return http(200, message())

    reply, heard, notes = ask(make_request(), answer)
    assert isinstance(reply, Reply)
    assert (reply.attempts, len(heard)) == (2, 2)
    assert notes == [f"{CLAUDE} refused marks for its cache; asked without them."]


@needs_litellm
@pytest.mark.parametrize(
    "name",
    [
        CLAUDE,
        "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
        "vertex_ai/claude-sonnet-4-5",
        "azure_ai/claude-haiku-4-5",
    ],
)
def test_litellm_writes_the_marks_for_every_such_provider(name: str) -> None:
    """Its own writers, unsent: nobody here has an account at all of them."""
    import litellm
    from litellm.types.utils import LlmProviders
    from litellm.utils import ProviderConfigManager

    from judge.price import has_cache_marks

    request = make_request(name=name)
    model, provider, *_ = litellm.get_llm_provider(name)
    writer: Any = ProviderConfigManager.get_provider_chat_config(model=model, provider=LlmProviders(provider))
    written = writer.transform_request(
        model=model,
        messages=with_marks(chat_messages(request), request),
        optional_params={"max_tokens": 9},
        litellm_params={},
        headers={},
    )
    assert has_cache_marks(name)
    blocks = [*written["system"], *written["messages"][0]["content"]]
    assert "".join(block.get("text", "") for block in blocks) == request.system + request.user
    assert str(blocks).count("cache_control") + str(blocks).count("cachePoint") == 2


@given(st.text(min_size=1), st.text(), st.text())
def test_parts_joined_are_the_message(shared: str, asked: str, system: str) -> None:
    request = replace(make_request(), system=system, shared=shared, asked=asked)
    plain, marked = chat_messages(request), with_marks(chat_messages(request), request)
    for before, after in zip(plain, marked, strict=True):
        assert joined(after["content"]) == before["content"]
    assert len(marked[1]["content"]) == (2 if asked else 1)


def test_images_stay_before_the_text() -> None:
    request = make_request()
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    content = [image, {"type": "text", "text": request.user}]
    (marked,) = with_marks([{"role": "user", "content": content}], request)
    assert marked["content"][0] == image
    assert joined(marked["content"][1:]) == request.user
    assert marks(marked["content"]) == [False, True, False]


# Money


@needs_litellm
@pytest.mark.parametrize("price", [None, build_price([3, 15, 0.3])])
def test_a_kept_prompt_costs_a_quarter_more_and_a_found_one_a_tenth(price: Price | None) -> None:
    """By litellm's map and by the user's price, which are the same: $3, $15 and $0.30 a million."""
    # 10 fresh at 3, 2,000 kept at 3.75, 5 written at 15; then 2,000 found at 0.30.
    for usage, usd in (({"stored": 2000}, 30 + 7500 + 75), ({"cached": 2000}, 30 + 600 + 75)):
        reply, *_ = ask(make_request(), lambda *_, usage=usage: http(200, message(**usage)), price=price)  # type: ignore[misc]
        assert isinstance(reply, Reply)
        assert (reply.prompt_tokens, reply.completion_tokens) == (2010, 5)
        assert reply.cached_tokens == usage.get("cached", 0)
        assert reply.cost_usd == pytest.approx(usd * 1e-6)


# Who goes first


def record_of(*counts: int) -> dict[str, Any]:
    """A record with so many units in each axis."""
    axes = zip(("perception", "knowledge", "rationale"), counts, strict=True)
    units = {axis: [{"unit_id": f"{axis}{n}", "claim": f"Claim {n}."} for n in range(many)] for axis, many in axes}
    return {**make_record(1), "units": units}


class Noting:
    """Raises nothing, and notes of each call: its units, whether others share it, how many had been answered."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bool, int]] = []
        self._answered = 0

    async def complete(self, request: Request) -> Reply:
        units = len(request.probes.asked)
        self.calls.append((units, request.reused, self._answered))
        await asyncio.sleep(0.01)  # all that begin together have begun
        self._answered += 1
        said = {f"u{n}": SAID["u1"] for n in range(1, units + 1)}
        return Reply(text=orjson.dumps(said).decode())


def judged(name: str, **changes: Any) -> list[tuple[int, bool, int]]:
    backend, settings = Noting(), settings_for("http://127.0.0.1:9", judge=name, **changes)
    record = build_record(record_of(2, 1, 2), number=1)
    outcome = asyncio.run(Asker(settings.way, backend, keep=lambda *_: None).judge(record))
    asked = [verdict.unit_id for verdict in outcome.verdicts if verdict.sample == 0]
    assert asked == ["perception0", "perception1", "knowledge0", "rationale0", "rationale1"]  # whoever went first
    return backend.calls


@needs_litellm
def test_one_call_of_each_schema_goes_before_the_others() -> None:
    # Axes of two units share a schema, and so what is kept; that of one unit has nobody to share with.
    assert judged(CLAUDE) == [(2, True, 0), (1, False, 0), (2, True, 2)]
    assert judged(CLAUDE, granularity="unit") == [(1, True, 0), *[(1, True, 1)] * 4]
    assert judged(CLAUDE, granularity="trace") == [(5, False, 0)]
    assert judged(CLAUDE, granularity="trace", samples=3) == [(5, True, 0), (5, True, 1), (5, True, 1)]


@needs_litellm
@pytest.mark.parametrize("name", ["hosted_vllm/claude-sonnet-4-5", "openai/gpt-4o-mini", "gemini/gemini-2.5-flash"])
def test_where_prompts_are_kept_unasked_all_go_together(name: str) -> None:
    assert judged(name) == [(2, False, 0), (1, False, 0), (2, False, 0)]


@needs_litellm
def test_a_budget_sets_aside_what_a_kept_prompt_costs() -> None:
    async def most_usd(**changes: Any) -> float:
        """Set aside for the first call, in an empty purse: told by who refuses it."""
        settings = settings_for("http://127.0.0.1:9", budget_usd=1e-9, cache=None, **changes)
        async with connect(settings) as connection:
            with pytest.raises(FatalError, match="the next call may cost") as caught:
                await connection.asker.judge(build_record(record_of(1, 1, 1), number=1))
        return float(str(caught.value).partition("may cost $")[2].split(". ")[0].rstrip("."))

    # The user's price is of the prompt alone, so that all of the difference is what keeping costs.
    price = build_price([3, 0])
    kept, read = (asyncio.run(most_usd(judge=name, price=price)) for name in (CLAUDE, "hosted_vllm/m"))
    assert kept / read == pytest.approx(1.25, rel=1e-4)
