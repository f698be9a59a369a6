"""Any provider through litellm and instructor: what is on the wire, what comes back, and what never shows."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from msgspec import structs
from run_kit import NAME, Heard, arguments_for, error, http, make_record, run_judge, scripted, to_lines

from judge.backend import Reply
from judge.backends import litellm_errors, litellm_setup
from judge.backends.litellm import LiteLLM
from judge.backends.litellm_setup import check_model, import_litellm
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import find_server
from judge.backends.session import open_session
from judge.errors import ConfigError, FatalError, RejectedError, ReplyError, TransientError
from judge.evidence import TraceText
from judge.journal.sealed import dump_reply, load_reply
from judge.price import find_price
from judge.probe import build_probes
from judge.prompt import JudgeModel, Prompt, Request, reply_schema
from judge.record import build_record
from judge.rubric import load_rubric
from judge.testing import QUICK, REPLY, Server
from judge.verdict import verify
from judge.words import parse_reply

pytestmark = pytest.mark.skipif(
    find_spec("litellm") is None or find_spec("instructor") is None,
    reason="litellm and instructor are not installed: pip install 'rationale-judge[remote]'",
)

CANARY = "canary-4711-secret"  # in no shape that a pattern would know: only the environment tells that it is a key
RUBRIC = load_rubric("pkr")
PROMPT = Prompt(RUBRIC)
PROVIDERS = ("openai", "hosted_vllm")
THINK = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
MODES = ("JSON_SCHEMA", "TOOLS", "JSON", "MD_JSON")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "HOSTED_VLLM_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", CANARY)


def make_request(number: int = 1, *, units: int = 1, params: dict[str, Any] | None = None) -> Request:
    record = build_record(make_record(number, units=units), number=number)
    model = JudgeModel(name="openai/scripted", params={"temperature": 0} if params is None else params)
    return PROMPT.build_requests(build_probes(record, RUBRIC, granularity="trace"), model)[0]


def completion(text: str | None = "{}", *, finish: str = "stop", usage: bool = True, **message: Any) -> dict[str, Any]:
    """As a real server says it; litellm takes a reply without a role for none."""
    counted = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    counted["prompt_tokens_details"] = {"cached_tokens": 4}  # type: ignore[assignment]
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
        **({"usage": counted} if usage else {}),
    }


async def ask(base: str, provider: str, *requests: Request, model: str = "m") -> tuple[list[Any], list[str]]:
    asked = LiteLLM(f"{provider}/{model}", api_base=base)
    try:
        outcomes = await asyncio.gather(*map(asked.complete, requests or (make_request(),)), return_exceptions=True)
        return outcomes, asked.notes
    finally:
        await asked.aclose()


def ask_script(
    provider: str, *answers: bytes, request: Request | None = None, model: str = "m"
) -> tuple[Any, list[Heard], list[str]]:
    """One request to a server that gives these answers in turn, the last one for ever."""

    async def main() -> tuple[Any, list[Heard], list[str]]:
        async with scripted(lambda n, _: answers[min(n, len(answers)) - 1]) as (base, heard):
            outcomes, notes = await ask(base, provider, request or make_request(), model=model)
            return outcomes[0], heard, notes

    return asyncio.run(main())


def in_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


# What is sent


def test_a_plain_request_is_held_to_no_schema() -> None:
    plain = structs.replace(make_request(), plain=True)
    _, (heard,), notes = ask_script("openai", http(200, completion()), request=plain)
    assert "response_format" not in heard.body and "tools" not in heard.body
    assert notes == []  # of this request only


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_request_is_that_of_the_openai_compatible_backend(provider: str) -> None:
    request = make_request(params={"temperature": 0, "max_tokens": 50, "seed": 3, "top_k": 5})

    async def main() -> list[Heard]:
        async with scripted(lambda *_: http(200, completion())) as (base, heard):
            await ask(base, provider, request)
            server = find_server(f"{provider}/m", base)
            async with open_session(server) as session:
                await OpenAICompatible(server, session).complete(request)
            return heard

    ours, theirs = in_loop(main)
    assert ours.body == theirs.body
    assert f"authorization: bearer {CANARY}" in ours.head.lower()
    assert ours.head.splitlines()[0] == theirs.head.splitlines()[0]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("units", [1, 12])  # u10 sorts before u2: instructor sorts what is required
def test_the_schema_on_the_wire_is_ours_to_the_byte(provider: str, units: int) -> None:
    request = structs.replace(make_request(), schema=reply_schema(units, evidence=True))
    refusal = http(400, error("response_format is unknown"))
    reply, heard, _ = ask_script(provider, refusal, http(200, completion()), request=request)
    assert orjson.dumps(heard[0].body["response_format"]["json_schema"]["schema"]).decode() == request.schema
    tool = heard[1].body["tools"][0]["function"]["parameters"]
    expected = orjson.loads(request.schema)
    assert tool == (without_closing(expected) if provider == "hosted_vllm" else expected)
    assert heard[0].body["response_format"]["json_schema"]["strict"] is True
    assert reply.attempts == 2


def without_closing(value: Any) -> Any:
    """From the tools of hosted_vllm, litellm takes every additionalProperties away."""
    if not isinstance(value, dict):
        return value
    return {key: without_closing(inner) for key, inner in value.items() if key != "additionalProperties"}


@pytest.mark.parametrize("name", ["api_key", "extra_headers", "num_retries", "mock_response"])
def test_what_is_not_a_parameter_of_a_request_is_refused_unsent(name: str) -> None:
    outcome, heard, _ = ask_script("openai", http(200, completion()), request=make_request(params={name: CANARY}))
    assert isinstance(outcome, ConfigError)
    assert f"the parameter {name!r}" in str(outcome)
    assert heard == []
    assert CANARY not in shown(outcome)


# What comes back


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_read_of_a_reply(provider: str) -> None:
    reply, *_ = ask_script(provider, http(200, completion("hello")))
    assert reply == Reply(
        text="hello", model="served", finish_reason="stop", prompt_tokens=7, completion_tokens=3, cached_tokens=4
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_reply_without_usage_has_unknown_tokens_and_an_unknown_price(provider: str) -> None:
    reply, *_ = ask_script(provider, http(200, completion(usage=False)), model="gpt-4o-mini")
    counts = (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, reply.cost_usd)
    assert counts == (None, None, None, None)


def test_a_known_price_is_litellms() -> None:
    reply, *_ = ask_script("openai", http(200, {**completion(), "model": "gpt-4o-mini"}), model="gpt-4o-mini")
    # 3 fresh and 4 cached prompt tokens, 3 completion tokens, at 0.15, 0.075 and 0.60 dollars a million
    assert reply.cost_usd == pytest.approx((3 * 0.15 + 4 * 0.075 + 3 * 0.60) * 1e-6)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        (completion("half", finish="length"), "half", "length"),
        (completion("", finish="content_filter"), "", "content_filter"),
        (completion(None, refusal="I cannot."), "", "refusal"),
        (completion("no JSON at all"), "no JSON at all", "stop"),
        (completion("[1, 2]"), "[1, 2]", "stop"),
        (completion(None), "", "stop"),
        (completion('```json\n{"u1": 1}\n```'), '```json\n{"u1": 1}\n```', "stop"),
    ],
)
def test_a_paid_reply_is_never_lost_nor_asked_for_again(provider: str, body: Any, text: str, finish: str) -> None:
    reply, heard, notes = ask_script(provider, http(200, body))
    assert (reply.text, reply.finish_reason, reply.prompt_tokens, reply.attempts) == (text, finish, 7, 1)
    assert len(heard) == 1
    assert notes == []


def usage(prompt: object, written: object, cached: object = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"usage": usage(-5, 3)}, {"prompt_tokens": None, "completion_tokens": 3, "cost_usd": None}),
        ({"usage": usage(10**30, 2**63)}, {"prompt_tokens": None, "completion_tokens": None, "cost_usd": None}),
        ({"usage": usage(2**40, 3)}, {"prompt_tokens": None, "completion_tokens": 3, "cost_usd": None}),
        # 2**40 - 1 prompt tokens at 0.15 and 3 at 0.60 dollars a million.
        ({"usage": usage(2**40 - 1, 3)}, {"prompt_tokens": 2**40 - 1, "cost_usd": pytest.approx(164926.7, abs=0.1)}),
        ({"usage": usage(0, 3)}, {"prompt_tokens": 0, "completion_tokens": 3, "cost_usd": pytest.approx(1.8e-6)}),
        # As if none were cached: 5 at 0.15 and 3 at 0.60.
        ({"usage": usage(5, 3, -(10**25))}, {"cached_tokens": None, "cost_usd": pytest.approx(2.55e-6)}),
        ({"model": "m\udfff"}, {"model": "m\ufffd"}),
        ({"model": 5}, {"model": None}),
        (completion("half \ud83d and \ude00"), {"text": "half \ufffd and \ufffd"}),
        (completion("whole \U0001f600, \\ud83d"), {"text": "whole \U0001f600, \\ud83d"}),
    ],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # litellm's, of what it did not expect
def test_what_can_be_no_count_and_no_text_is_not_kept(change: dict[str, Any], kept: dict[str, Any]) -> None:
    """Else a sum, a table or the journal ends the run; the same whoever asks."""
    answer = http(200, {**completion(), **change})
    reply, *_ = ask_script("openai", answer, model="gpt-4o-mini")
    direct = in_loop(lambda: ask_directly("openai/gpt-4o-mini", answer))
    for said in (reply, direct):
        assert {name: getattr(said, name) for name in kept} == kept
        assert load_reply("a", dump_reply("a", said)) == said
    # litellm writes 0 for none.
    assert structs.replace(reply, cached_tokens=None) == structs.replace(direct, cached_tokens=None)


async def ask_directly(name: str, answer: bytes) -> Reply:
    async with scripted(lambda *_: answer) as (base, _):
        server = find_server(name, base)
        async with open_session(server) as session:
            return await OpenAICompatible(server, session, price=find_price(name)).complete(make_request())


@pytest.mark.parametrize("name", ["hosted_vllm/m", "litellm/openai/m", "deepseek/m"])
def test_a_run_keeps_what_a_server_says_badly(name: str, tmp_path: Path) -> None:
    """Through the real command: tables, journal and a resume."""
    said = {"u1": {"evidence": None, "reason": "Half \ud83d.", "presence": 0, "correctness": None}}
    text = orjson.dumps({"u1": {**said["u1"], "reason": "Half HERE."}}).decode().replace("HERE", "\ud83d")
    body = {**completion(text), "model": "m\udfff", "usage": usage(-(10**30), 2**63, 10**20)}
    (tmp_path / "t.jsonl").write_bytes(to_lines(make_record(number) for number in range(3)))

    async def main() -> list[tuple[int, str]]:
        async with scripted(lambda *_: http(200, body)) as (base, heard):
            arguments = arguments_for(tmp_path / "t.jsonl", tmp_path / "out", base, "--json")
            arguments[arguments.index(NAME)] = name
            runs = [await asyncio.to_thread(run_judge, *arguments, env={"DEEPSEEK_API_KEY": CANARY}) for _ in range(2)]
            assert len(heard) == 3
            return runs

    for code, printed in in_loop(main):
        assert code == 0, printed
        assert "Traceback" not in printed
    verdicts = pl.read_parquet(tmp_path / "out" / "verdicts.parquet")
    assert verdicts["reason"].to_list() == ["Half \ufffd."] * 3
    calls = pl.read_parquet(tmp_path / "out" / "calls.parquet")
    assert calls.select("prompt_tokens", "completion_tokens", "cached_tokens").null_count().row(0) == (3, 3, 3)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_prompt_that_the_filter_refuses_is_a_reply(provider: str) -> None:
    body = error("Your request was rejected", type="invalid_request_error", code="content_policy_violation")
    reply, heard, _ = ask_script(provider, http(400, body))
    assert reply == Reply(text="", finish_reason="content_filter")
    assert len(heard) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_verdicts_and_cost_are_those_of_the_openai_compatible_backend(provider: str) -> None:
    requests = [make_request(number, units=1 + number % 3) for number in range(12)]
    name = f"{provider}/scripted"

    async def ours(base: str) -> list[Reply]:
        asked = LiteLLM(name, api_base=base)
        replies = [await asked.complete(request) for request in requests]
        await asked.aclose()
        return replies

    async def theirs(base: str) -> list[Reply]:
        server = find_server(name, base)
        async with open_session(server) as session:
            return [await OpenAICompatible(server, session).complete(request) for request in requests]

    answers = []
    for work in (ours, theirs):
        with Server(script="sloppy", seed=3) as server:  # one each: it gives the same reply once a request
            answers.append(asyncio.run(work(server.api_base)))
            assert server.ledger.requests == len(requests)
    # litellm cuts it off itself.
    answers[1] = [structs.replace(reply, text=THINK.sub("", reply.text)) for reply in answers[1]]
    assert answers[0] == answers[1]  # text, model, finish reason, tokens, cost, attempts
    judged = [list(map(verdicts, requests, replies)) for replies in answers]
    assert judged[0] == judged[1]
    assert sum(isinstance(said, list) for said in judged[0]) > len(requests) / 2


def verdicts(request: Request, reply: Reply) -> Any:
    """As judged, or what is wrong with the reply."""
    trace, asked = TraceText(request.probes.record.trace), request.probes.asked
    try:
        said = parse_reply(reply, len(asked), evidence=True)
    except ReplyError as exc:
        return str(exc)
    return [verify(*pair, trace, "required") for pair in zip(said, asked, strict=True)]


# One request a call


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "kind",
    [*QUICK, *REPLY, "502", "400", "401", "insufficient_quota"],
)
def test_one_call_is_one_request_whatever_happens(provider: str, kind: str) -> None:
    with Server(always=kind, retry_after_s=0.01) as server:
        (outcome,), notes = in_loop(lambda: ask(server.api_base, provider))
        assert server.ledger.requests == 1
    assert notes == []
    replied = ("wrong_ids", "length", "empty", "refusal")
    fatal, rejected = ("401", "insufficient_quota"), ("400",)
    expected = Reply if kind in replied else FatalError if kind in fatal else TransientError
    assert type(outcome) is (RejectedError if kind in rejected else expected)
    if isinstance(outcome, TransientError):
        assert outcome.throttled == kind.startswith("429")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nobody_at_home_says_so_in_one_line(provider: str) -> None:
    outcome = in_loop(lambda: ask("http://127.0.0.1:9/v1", provider))[0][0]
    assert type(outcome) is TransientError
    assert outcome.code == "unreachable"
    assert "cannot reach http://127.0.0.1:9/v1" in str(outcome)
    assert "\n" not in str(outcome)


# Modes


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_without_schemas_is_asked_otherwise_from_then_on(provider: str) -> None:
    refusals = {
        "json_schema": "response_format json_schema is not supported",
        "tools": "tool_choice is not supported",
        "json_object": "response_format must be text",
    }

    def answer(_: int, heard: Heard) -> bytes:
        form = "tools" if "tools" in heard.body else heard.body.get("response_format", {}).get("type", "text")
        return http(400, error(refusals[form])) if form in refusals else http(200, completion("```json\n{}\n```"))

    async def main() -> None:
        async with scripted(answer) as (base, heard):
            asked = LiteLLM(f"{provider}/m", api_base=base)
            first = await asyncio.gather(*[asked.complete(make_request(number)) for number in range(4)])
            assert {reply.attempts for reply in first} == {4}
            before = len(heard)
            second = await asked.complete(make_request(9))
            assert (second.text, second.attempts, len(heard) - before) == ("```json\n{}\n```", 1, 1)
            assert [note.split("; ")[1] for note in asked.notes] == [
                f"asked with {mode} instead." for mode in MODES[1:]
            ]
            assert "additionalProperties" in str(heard[-1].body["messages"][0])  # there the schema is in the words
            await asked.aclose()

    in_loop(main)


def test_a_tools_reply_is_its_arguments_and_the_parser_takes_them() -> None:
    said = {"u1": {"evidence": None, "reason": "No.", "presence": 0, "correctness": None}}
    call = {"id": "a", "type": "function", "function": {"name": "verdicts", "arguments": orjson.dumps(said).decode()}}
    for provider in PROVIDERS:
        answer = http(200, completion(None, finish="tool_calls", tool_calls=[call]))
        reply, heard, notes = ask_script(provider, http(400, error("unknown field response_format")), answer)
        assert orjson.loads(reply.text) == said
        assert parse_reply(reply, 1, evidence=True)[0].presence == 0
        assert heard[1].body["tool_choice"]["function"]["name"] == heard[1].body["tools"][0]["function"]["name"]
        assert notes == [f"{provider}/m refused JSON_SCHEMA; asked with TOOLS instead."]


def test_a_refusal_of_every_mode_is_a_refusal() -> None:
    said = "response_format, tools and tool_choice are not for you"
    outcome, heard, notes = ask_script("openai", http(400, error(said)))
    assert type(outcome) is RejectedError
    assert outcome.code == "http_400"
    assert (len(heard), len(notes)) == (4, 3)


def test_a_parameter_that_a_model_does_not_take_is_left_out_and_said() -> None:
    request = make_request(params={"temperature": 0, "top_p": 0.5})
    reply, heard, notes = ask_script("openai", http(200, completion("ok")), request=request, model="o1")
    assert (reply.text, reply.attempts, len(heard)) == ("ok", 1, 1)  # litellm refused it by itself: nothing was sent
    assert "temperature" not in heard[0].body
    assert "openai/o1 takes no temperature; left out." in notes


# Errors


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, error("bad temperature"), RejectedError, "http_400"),
        (400, error("the trace says: rate limit, status 429"), RejectedError, "http_400"),
        (400, error("Conversation roles must alternate user/assistant"), RejectedError, "http_400"),
        (401, b'{"error":"Unauthorized"}', FatalError, "auth"),
        (403, error("forbidden"), FatalError, "auth"),
        (402, error("Insufficient credits"), FatalError, "quota"),
        (404, error("The model `m` does not exist."), FatalError, "model_not_found"),
        (413, error("too large"), RejectedError, "http_413"),
        (422, b"not json", RejectedError, "http_422"),
        (429, error("slow down"), TransientError, "rate_limit"),
        (429, error("You exceeded your quota", code="insufficient_quota"), FatalError, "quota"),
        (408, b"", TransientError, "http_408"),
        (409, b"", TransientError, "http_409"),
        (500, b"[]", TransientError, "http_500"),
        (500, error("rate limit of a database"), TransientError, "http_500"),
        (503, b'{"error": {"code": 5}}', TransientError, "http_503"),
        (529, b"\xff\xfe", TransientError, "http_529"),
        (400, error("This model's maximum context length is 9 tokens. However, …"), RejectedError, "context_limit"),
        (400, error("prompt is too long: 210000 tokens > 200000 maximum"), RejectedError, "context_limit"),
        (400, error("Current length is 9 while limit is 8"), RejectedError, "context_limit"),  # litellm knows more
    ],
)
def test_a_status_is_one_request_and_one_error(provider: str, status: int, body: Any, kind: type, code: str) -> None:
    outcome, heard, notes = ask_script(provider, http(status, body))
    assert type(outcome) is kind
    assert outcome.code == code
    assert outcome.retryable == (kind is TransientError)
    assert len(heard) == 1
    assert notes == []
    if kind is TransientError:
        assert outcome.throttled == (code == "rate_limit")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry_After": "2"}), (503, {"retry_after_ms": "2000"})])
def test_the_time_to_wait_is_read(provider: str, status: int, headers: dict[str, str]) -> None:
    outcome, *_ = ask_script(provider, http(status, error("busy"), **headers))
    assert outcome.retry_after_s == 2


def test_a_key_that_is_missing_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    outcome, heard, _ = ask_script("openai", http(200, completion()))
    assert type(outcome) is FatalError
    assert outcome.code == "auth"
    assert "OPENAI_API_KEY" in str(outcome)
    assert heard == []


def test_a_package_that_a_provider_lacks_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(**_: Any) -> None:
        raise ModuleNotFoundError("No module named 'boto3'")

    monkeypatch.setattr(import_litellm(), "acompletion", fail)
    outcome = in_loop(lambda: ask("http://127.0.0.1:9/v1", "openai"))[0][0]
    assert type(outcome) is FatalError
    assert outcome.code == "dependency"
    assert "boto3" in str(outcome)


@pytest.mark.parametrize(
    ("name", "base", "says"),
    [
        ("nonsense/m", None, "knows no provider for 'nonsense/m'"),
        ("openai/m", "127.0.0.1:8000/v1", "is not an address like"),
        ("openai/m", f"http://me:{CANARY}@127.0.0.1/v1", "holds a name or password"),
    ],
)
def test_what_cannot_be_asked_is_found_before(name: str, base: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        LiteLLM(name, api_base=base)
    assert CANARY not in shown(caught.value)


def test_a_provider_is_named() -> None:
    assert check_model("anthropic/claude-x", api_base=None, params=["temperature"]) == "anthropic"
    with pytest.raises(ConfigError, match="'api_key'"):
        check_model("anthropic/claude-x", api_base=None, params=["api_key"])


# Secrets, silence, manners


def shown(outcome: BaseException) -> str:
    """All that an error can show of itself and of what it came from."""
    told = "".join(traceback.format_exception(outcome))
    return f"{outcome} {outcome!r} {vars(outcome)} {outcome.__cause__!r} {outcome.__context__!r} {told}"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_key_is_never_shown(
    provider: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told = f"Incorrect API key provided: {CANARY}. GET https://x/v1?key={CANARY}&a=1 with Bearer {CANARY}. " * 9
    answers = [http(status, error(told)) for status in (401, 400, 404, 429, 500)]
    answers += [http(200, error(told)), http(200, f"<html>{CANARY}".encode()), http(200, {"choices": [], "x": told})]
    answers += [http(400, error(f"response_format tools {told}"))]
    for answer in answers:
        outcome, heard, notes = ask_script(provider, answer)
        assert CANARY in heard[0].head
        assert isinstance(outcome, Exception)
        assert CANARY not in f"{shown(outcome)} {notes}"
    assert CANARY not in caplog.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "secret",
    ["sk-live-0123456789abcdef", "AIzaSyA0123456789abcdefghijklmnopqrstuv", "?key=AbC123", "&api_key=AbC123",
     "Bearer abc.def", "'x-api-key': 'AbC123'", "https://me:AbC123@host/v1"],
)  # fmt: skip
def test_what_looks_like_a_key_is_not_shown_either(secret: str) -> None:
    told = litellm_errors.clean(f"before {secret} after")
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert "***" in told
    assert not any(part in told for part in ("0123456789", "AbC123", "abc.def"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_files_do_not_pile_up_and_closing_leaves_nothing(provider: str) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def main() -> None:
        with Server(script="obedient") as server:
            asked, other = (LiteLLM(f"{provider}/m", api_base=server.api_base) for _ in range(2))
            before, request = count(), make_request()
            await asked.complete(request)
            opened = count()
            for _ in range(300):
                await asked.complete(request)
            assert count() <= opened
            server.latency_ms = 200
            under_way = asyncio.create_task(other.complete(request))
            await asyncio.sleep(0.1)
            await asked.aclose()  # both are on the same clients
            assert (await under_way).text
            await other.aclose()
            await other.aclose()
            await asyncio.sleep(0.05)  # in this process the server has its end of a connection too
            assert count() <= before
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert (await asked.complete(make_request())).text  # and it may begin anew
            await asked.aclose()

    in_loop(main)
    gc.collect()  # an unclosed client would warn here, and warnings are errors


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_deadline_of_the_caller_ends_a_call_at_once(provider: str) -> None:
    import_litellm()

    async def main() -> None:
        with Server(always="black_hole") as server:
            asked = LiteLLM(f"{provider}/m", api_base=server.api_base)
            for after_s in (0.0, 0.001, 0.002, 0.004, 0.3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(after_s):
                        await asked.complete(make_request())
            task = asyncio.create_task(asked.complete(make_request()))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.always = None
            assert (await asked.complete(make_request())).text
            await asked.aclose()

    in_loop(main)
    gc.collect()


def test_import_connects_to_nobody_and_nothing_of_judge_needs_it() -> None:
    code = """
import os, sys
reached = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        reached.append((event, args[-1] if event != "socket.getaddrinfo" else args[0]))
sys.addaudithook(watch)
import judge, judge.connect, judge.backends.litellm
judge.Judge
assert not {"litellm", "instructor", "openai"} & set(sys.modules), "loaded too early"
from judge.backends.litellm import LiteLLM
from judge.backends.litellm_setup import check_model, import_litellm
import_litellm(); LiteLLM("openai/gpt-4o", api_base=None); check_model("openai/gpt-4o", api_base=None)
assert {"litellm", "instructor"} <= set(sys.modules)
assert not reached, reached
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("found", ["1.82.7", "1.82.8"])
def test_a_trojaned_version_is_never_imported(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: str) -> None:
        raise AssertionError(f"imported {name}")

    monkeypatch.setattr(litellm_setup, "version", lambda _: found)
    monkeypatch.setattr(litellm_setup, "import_module", never)
    with pytest.raises(ConfigError, match=f"litellm {found} .* carried a trojan.*Uninstall it, replace every key"):
        import_litellm()


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("litellm", "instructor"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(ConfigError, match=r"pip install 'rationale-judge\[remote\]'"):
                import_litellm()


# Probes


def probe(**params: Any) -> Request:
    return structs.replace(make_request(params={"temperature": 0, **params}), labels=("0", "1", "2"), schema="")


def with_logprobs(*tokens: tuple[str, float]) -> dict[str, Any]:
    body = completion("2", finish="length")
    top = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in tokens]
    body["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return body


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_probe_is_one_token_and_its_probabilities(provider: str) -> None:
    answer = http(200, with_logprobs(("2", 0.5), (" 2", 0.2), ("1", 0.2)))
    reply, heard, notes = ask_script(provider, answer, request=probe(max_tokens=50, top_k=5))
    sent = heard[0].body
    assert {name: sent.get(name) for name in ("max_tokens", "logprobs", "top_logprobs", "top_k")} == {
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 20,
        "top_k": 5,
    }
    assert not {"response_format", "tools", "structured_outputs"} & set(sent)
    assert reply.probabilities == pytest.approx({"0": 0.0, "1": 0.2, "2": 0.7})
    assert (reply.text, reply.finish_reason, reply.attempts, notes) == ("2", "length", 1, [])


def test_how_many_probabilities_a_provider_gives_is_learnt() -> None:
    refusal = http(400, error("Invalid value for 'top_logprobs': must be between 0 and 5, inclusive."))
    reply, heard, notes = ask_script("openai", refusal, http(200, with_logprobs(("2", 0.9))), request=probe())
    assert [one.body["top_logprobs"] for one in heard] == [20, 5]
    assert (reply.probabilities["2"], reply.attempts) == (pytest.approx(0.9), 2)
    assert "gives the probabilities of 5 tokens at most" in notes[0]


@pytest.mark.parametrize(
    "answer", [http(200, completion("2")), http(400, error("logprobs is not supported with this model"))]
)
def test_a_provider_without_logprobs_ends_the_run(answer: bytes) -> None:
    outcome, heard, _ = ask_script("openai", answer, request=probe())
    assert (type(outcome), outcome.code, len(heard)) == (FatalError, "no_logprobs", 1)
    assert "openai/m gives no logprobs" in str(outcome)


def test_a_parameter_that_litellm_knows_a_provider_lacks_ends_the_run_unsent() -> None:
    outcome, heard, _ = ask_script("anthropic", http(200, completion("2")), request=probe(), model="claude-sonnet-4-5")
    assert (type(outcome), outcome.code, heard) == (FatalError, "no_logprobs", [])
