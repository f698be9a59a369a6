"""One server, one request at a time: what is sent, what is read, and what every refusal means."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from run_kit import Heard, completion, error, http, make_request, scripted

from judge.backend import Reply
from judge.backends.http_status import _retry_after_s
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import Server, find_server
from judge.backends.session import open_session
from judge.errors import ConfigError, FatalError, RejectedError, TransientError
from judge.prompt import Request
from judge.testing import Server as Loopback

SECRET = "sk-canary-4711"


async def ask(
    base: str, *requests: Request, key: str | None = None, vllm: bool = False
) -> tuple[list[Reply | BaseException], list[str]]:
    """All at once through one backend: the replies or errors, and its notes."""
    server = Server(model="m", api_base=base, api_key=key, vllm=vllm)
    async with open_session(server) as session:
        backend = OpenAICompatible(server, session)
        calls = [backend.complete(request) for request in requests or (make_request(),)]
        return await asyncio.gather(*calls, return_exceptions=True), backend.notes


def test_a_plain_request_is_the_same_without_the_schema() -> None:
    async def main() -> list[Any]:
        async with scripted(lambda *_: http(200, completion())) as (base, heard):
            await ask(base, make_request(), replace(make_request(), plain=True))
            return [one.body for one in heard]

    held, plain = asyncio.run(main())
    assert held.pop("response_format") and held == plain


def ask_script(*answers: bytes, key: str | None = None, **params: Any) -> tuple[Any, list[Heard], list[str]]:
    """One request to a server that gives these answers in turn: its outcome, what was heard, the notes."""

    async def main() -> tuple[Any, list[Heard], list[str]]:
        async with scripted(lambda n, _: answers[n - 1]) as (base, heard):
            outcomes, notes = await ask(base, make_request(params={"temperature": 0, **params}), key=key)
            return outcomes[0], heard, notes

    return asyncio.run(main())


def test_what_is_sent_and_what_is_read() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    reply, heard, _ = ask_script(
        http(200, completion("hello", model="served", usage=usage)), key=SECRET, max_tokens=50, top_k=3
    )
    request, sent = make_request(), heard[0].body
    assert sent == {
        "model": "m",
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
        "temperature": 0,
        "max_tokens": 50,
        "top_k": 3,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdicts", "schema": orjson.loads(request.schema), "strict": True},
        },
    }
    assert heard[0].head.startswith("POST /v1/chat/completions HTTP/1.1")
    assert f"Authorization: Bearer {SECRET}" in heard[0].head
    assert reply == Reply(
        text="hello", model="served", finish_reason="stop", prompt_tokens=7, completion_tokens=3, cached_tokens=4
    )


def test_a_reply_without_usage_has_unknown_tokens_and_no_zero() -> None:
    reply, *_ = ask_script(http(200, completion("x", usage=None)))
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (None, None, None)


def test_a_refusal_is_a_finish_reason_and_not_a_text() -> None:
    body = {"choices": [{"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}]}
    reply, *_ = ask_script(http(200, body))
    assert (reply.text, reply.finish_reason) == ("", "refusal")


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, error("bad temperature"), RejectedError, "http_400"),
        (401, b'{"error":"Unauthorized"}', FatalError, "auth"),
        (402, error("Insufficient credits"), FatalError, "quota"),
        (403, error("forbidden"), FatalError, "auth"),
        (404, error("The model `m` does not exist."), FatalError, "model_not_found"),
        (413, error("too large"), RejectedError, "http_413"),
        (422, b"not json", RejectedError, "http_422"),
        (429, error("slow down"), TransientError, "rate_limit"),
        (429, error("You exceeded your quota", code="insufficient_quota"), FatalError, "quota"),
        (408, b"", TransientError, "http_408"),
        (409, b"", TransientError, "http_409"),
        (500, b"[]", TransientError, "http_500"),
        (503, b'{"error": {"code": 5}}', TransientError, "http_503"),
        (529, b"\xff\xfe", TransientError, "http_529"),
    ],
)
def test_a_status_is_one_request_and_one_error(status: int, body: Any, kind: type, code: str) -> None:
    outcome, heard, _ = ask_script(http(status, body))
    assert type(outcome) is kind
    assert outcome.code == code
    assert outcome.retryable == (kind is TransientError)
    assert str(status) in str(outcome)
    assert len(heard) == 1


@pytest.mark.parametrize(
    "said",
    [
        # vLLM, vLLM with a token limit (it names both parameters), OpenAI, llama.cpp, SGLang, Anthropic
        "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input tokens.",
        "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 2048.",
        "This model's maximum context length is 128000 tokens.",
        "the request exceeds the available context size, try increasing it",
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_a_prompt_that_does_not_fit_is_one_request(said: str) -> None:
    outcome, heard, notes = ask_script(http(400, error(said, code="context_length_exceeded")), max_tokens=4096)
    assert type(outcome) is RejectedError
    assert outcome.code == "context_limit"
    assert (len(heard), notes) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"<!DOCTYPE html><h1>Bad Gateway</h1>", Content_Type="text/html"),
        http(200, b'{"choices":[{"message":{"content":'),
        http(200, {"choices": []}),
        http(200, error("The engine is not ready.")),
        http(200, b""),
        http(200, completion())[:-5],
        http(200, b"\x1f\x8b rubbish", Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnot a chunk\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"",
    ],
    ids=["html", "garbage", "no_choices", "error_object", "empty", "truncated", "gzip", "chunks", "no_http", "reset"],
)
def test_what_is_not_a_completion_is_worth_another_try(answer: bytes) -> None:
    outcome, heard, _ = ask_script(answer)
    assert type(outcome) is TransientError
    assert outcome.code in ("bad_response", "connection")
    assert len(heard) == 1


def test_a_reply_is_read_to_16_mib_and_no_further() -> None:
    outcome, *_ = ask_script(http(200, b" " * (17 * 2**20)))
    assert type(outcome) is TransientError
    assert "more than 16 MiB" in str(outcome)


@pytest.mark.parametrize(
    ("status", "body", "vllm", "serves"),
    [
        (200, {"data": [{"id": "other"}, {"id": "m", "object": "model"}]}, True, True),
        (200, {"data": [{"id": "m"}]}, False, False),  # a provider lists its models to one whose money has run out too
        (200, {"data": [{"id": "other"}]}, True, False),
        (401, {"data": [{"id": "m"}]}, True, False),
        (404, {"detail": "Not Found"}, True, False),
        (200, completion(), True, False),
        (200, "no list", True, False),
    ],
)
def test_whether_a_server_of_ones_own_says_that_it_serves_the_model(
    status: int, body: Any, vllm: bool, serves: bool
) -> None:
    async def main() -> tuple[bool, int]:
        async with scripted(lambda *_: http(status, body), lists=True) as (base, heard):
            server = Server(model="m", api_base=base, vllm=vllm)
            async with open_session(server) as session:
                return await OpenAICompatible(server, session).serves(), len(heard)

    assert asyncio.run(main()) == (serves, int(vllm))


def test_a_server_that_is_not_there_serves_nothing() -> None:
    async def main() -> bool:
        server = Server(model="m", api_base="http://127.0.0.1:9/v1", vllm=True)
        async with open_session(server) as session:
            return await OpenAICompatible(server, session).serves()

    assert asyncio.run(main()) is False


def test_nobody_at_home_says_so_in_one_line() -> None:
    outcome = asyncio.run(ask("http://127.0.0.1:9/v1"))[0][0]
    assert isinstance(outcome, TransientError)
    assert outcome.code == "unreachable"
    assert "cannot reach http://127.0.0.1:9/v1" in str(outcome)
    assert "Is the server running?" in str(outcome)
    assert "\n" not in str(outcome)


def test_a_server_without_schemas_is_asked_in_text_from_then_on() -> None:
    with Loopback(reject_response_format=True) as server:
        requests = [make_request(number) for number in range(8)]
        outcomes, notes = asyncio.run(ask(server.api_base, *requests))  # all eight meet the refusal at once
        assert all(isinstance(outcome, Reply) for outcome in outcomes)
        assert len(notes) == 1
        assert "asked for JSON in the text instead" in notes[0]
        assert server.ledger.requests == 16
        assert {outcome.attempts for outcome in outcomes if isinstance(outcome, Reply)} == {2}


AGAIN = replace(make_request(), ask=1)  # as after a reply that was cut at the token limit


def sent_schemas(heard: list[Heard]) -> list[str]:
    """`bounded`, `plain` or `none` for each request."""

    def kind(form: dict[str, Any] | None) -> str:
        if form is None:
            return "none"
        return "plain" if form["json_schema"]["schema"] == orjson.loads(AGAIN.schema) else "bounded"

    return [kind(one.body.get("response_format")) for one in heard]


async def ask_in_turn(
    *requests: Request, vllm: bool = True, refuse: str = ""
) -> tuple[list[Reply], list[Heard], list[str]]:
    """One after the other of a server that refuses a body with this in it, in words that name no more than that."""

    def answer(_: int, heard: Heard) -> bytes:
        found = bool(refuse) and refuse in orjson.dumps(heard.body.get("response_format")).decode()
        return http(400, error(f"Unsupported: {refuse}")) if found else http(200, completion("ok"))

    async with scripted(answer) as (base, heard):
        server = Server(model="m", api_base=base, vllm=vllm)
        async with open_session(server) as session:
            backend = OpenAICompatible(server, session)
            return [await backend.complete(request) for request in requests], heard, backend.notes


def test_strings_are_bounded_where_a_cut_reply_is_asked_for_again() -> None:
    complained = replace(AGAIN, complaint="Give all units.")
    _, heard, notes = asyncio.run(ask_in_turn(make_request(), AGAIN, complained, replace(AGAIN, plain=True)))
    assert sent_schemas(heard) == ["plain", "bounded", "plain", "none"]
    unit = heard[1].body["response_format"]["json_schema"]["schema"]["properties"]["u1"]["properties"]
    assert unit["reason"] == {"type": "string", "maxLength": 400}
    assert unit["evidence"] == {"anyOf": [{"type": "string", "maxLength": 400}, {"type": "null"}]}
    assert notes == []


def test_openai_is_never_sent_a_bound() -> None:
    _, heard, _ = asyncio.run(ask_in_turn(make_request(), AGAIN, vllm=False))
    assert heard[0].body == heard[1].body  # to the key: the schema is the same


@pytest.mark.parametrize(
    ("refuse", "asked", "says"),
    [
        # The third is a first ask again: the plain schema was not given up.
        (
            "maxLength",
            ["bounded", "plain", "plain", "plain"],
            ["refused bounds on strings"],
        ),
        ("json_schema", ["bounded", "plain", "none", "none", "none"], ["refused bounds", "asked for JSON in the text"]),
    ],
)
def test_a_server_may_refuse_bounds_and_then_schemas(refuse: str, asked: list[str], says: list[str]) -> None:
    replies, heard, notes = asyncio.run(ask_in_turn(AGAIN, AGAIN, make_request(), refuse=refuse))
    assert sent_schemas(heard) == asked
    assert [reply.attempts for reply in replies] == [len(asked) - 2, 1, 1]
    assert len(notes) == len(says) and all(said in note for said, note in zip(says, notes, strict=True))


def test_many_calls_that_meet_the_refusal_of_a_bound_keep_the_schema() -> None:
    async def main() -> tuple[list[Heard], list[str]]:
        def answer(_: int, heard: Heard) -> bytes:
            bounded = "maxLength" in str(heard.body)
            return http(400, error("schema: unknown grammar keyword")) if bounded else http(200, completion("ok"))

        async with scripted(answer) as (base, heard):
            return heard, (await ask(base, *[AGAIN] * 8, vllm=True))[1]

    heard, notes = asyncio.run(main())
    assert sorted(sent_schemas(heard)) == ["bounded"] * 8 + ["plain"] * 8
    assert len(notes) == 1


def test_the_newer_name_of_the_token_limit_is_found() -> None:
    said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    reply, heard, notes = ask_script(http(400, error(said)), http(200, completion("ok")), max_tokens=9)
    assert reply.text == "ok"
    assert [("max_tokens" in h.body, h.body.get("max_completion_tokens")) for h in heard] == [(True, None), (False, 9)]
    assert notes == []


def test_a_server_may_refuse_both_one_after_the_other() -> None:
    refusals = [http(400, error("use max_completion_tokens")), http(400, error("response_format is unknown"))]
    reply, heard, _ = ask_script(*refusals, http(200, completion("ok")), max_tokens=9)
    assert (reply.text, reply.attempts) == ("ok", 3)
    assert "response_format" not in heard[-1].body


def test_a_refused_form_is_not_tried_for_ever() -> None:
    outcome, heard, _ = ask_script(*[http(400, error("response_format and max_completion_tokens"))] * 5, max_tokens=9)
    assert type(outcome) is RejectedError
    assert len(heard) == 3


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "2"}, 2, 2),
        ({"retry-after": "0.5"}, 0.5, 0.5),
        ({"retry-after": "0"}, 0, 0),
        ({"retry-after": "1e9"}, 1e9, 1e9),
        ({"retry-after": "1000000000"}, 1e9, 1e9),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9, 9),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], low: float, high: float) -> None:
    wait_s = _retry_after_s(headers)
    assert wait_s is not None
    assert low <= wait_s <= high


@pytest.mark.parametrize(("hours", "wait_s"), [(1, 3600), (-48, 0)])
@pytest.mark.parametrize("zone", [" GMT", ""])  # without a zone it is UTC
def test_retry_after_may_be_a_date(hours: int, wait_s: float, zone: str) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True).replace(" GMT", zone)
    found = _retry_after_s({"retry-after": at})
    assert found is not None
    assert wait_s - 60 <= found <= wait_s


@pytest.mark.parametrize("value", ["", "-5", "soon", "nan", "inf", "1e999", "1 Jan 99999999999999999999 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_none(value: str) -> None:
    assert _retry_after_s({"retry-after": value}) is None


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,20} \d+:\d+:\d+ \S*")))
def test_no_retry_after_breaks_us(value: str) -> None:
    wait_s = _retry_after_s({"retry-after": value})
    assert wait_s is None or wait_s >= 0


def test_the_key_is_never_shown() -> None:
    told = f"Incorrect API key provided: {SECRET}. " * 20
    for status in (401, 400, 500):
        outcome, heard, _ = ask_script(http(status, error(told)), key=SECRET)
        assert SECRET in heard[0].head
        assert SECRET not in f"{outcome} {outcome!r} {vars(outcome)}"
        assert "***" in str(outcome)
    outcome, *_ = ask_script(http(200, f"<html>{SECRET}".encode()), key=SECRET)
    assert SECRET not in str(outcome)
    assert SECRET not in repr(Server(model="m", api_base="http://x/v1", api_key=SECRET))


def test_a_server_cannot_write_to_the_terminal() -> None:
    outcome, *_ = ask_script(http(500, error("one\ntwo \x1b[2Jthree \u202efour")))
    assert "one two  [2Jthree  four" in str(outcome)


OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("name", "base", "environment", "says"),
    [
        ("hosted_vllm/m", None, {}, "needs the address of its server"),
        ("hosted_vllm/m", "127.0.0.1:8000/v1", {}, "is not an address like"),
        ("hosted_vllm/m", "ftp://127.0.0.1/v1", {}, "is not an address like"),
        ("hosted_vllm/m", "http://127.0.0.1:99999/v1", {}, "is not an address like"),
        ("hosted_vllm/m", "http://[::1/v1", {}, "is not an address like"),
        ("hosted_vllm/m", "http:///v1", {}, "is not an address like"),
        ("hosted_vllm/m", f"http://me:{SECRET}@127.0.0.1/v1", {}, "holds a name or password"),
        ("openai/m", OPENAI, {}, "needs a key"),
        ("openai/m", OPENAI, {"OPENAI_API_KEY": f"{SECRET}\nx"}, "no HTTP header can carry"),
    ],
)
def test_what_cannot_be_asked_is_found_before(
    name: str, base: str | None, environment: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_API_BASE", "HOSTED_VLLM_API_BASE", "HOSTED_VLLM_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=says) as caught:
        find_server(name, base)
    assert SECRET not in str(caught.value)


def test_a_key_with_a_line_break_at_its_end_is_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", f"{SECRET}\n")
    assert find_server("hosted_vllm/org/m", "http://127.0.0.1/v1/") == Server(
        model="org/m", api_base="http://127.0.0.1/v1", api_key=SECRET, vllm=True
    )


def test_a_proxy_is_not_for_servers_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> tuple[list[Heard], list[Heard], list[str]]:
        answer = http(200, completion("direct"))
        async with scripted(lambda *_: answer) as (base, heard), scripted(lambda *_: answer) as (proxy, trapped):
            for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(variable, proxy)
            for variable in ("no_proxy", "NO_PROXY"):
                monkeypatch.delenv(variable, raising=False)
            await ask(base)
            await ask(base.replace("127.0.0.1", "localhost"))
            before = list(trapped)
            await ask("http://judge.invalid/v1")  # the trap works: any other server is asked through the proxy
            return heard, before, [h.head.splitlines()[0] for h in trapped]

    heard, before, through_proxy = asyncio.run(main())
    assert len(heard) == 2
    assert before == []
    assert through_proxy == ["POST http://judge.invalid/v1/chat/completions HTTP/1.1"]


def test_a_redirect_is_not_followed() -> None:
    """It would take the prompt, and headers with secrets, to an origin that the user did not name."""
    outcome, heard, _ = ask_script(http(307, b"", Location="http://127.0.0.1:9/elsewhere"))
    assert type(outcome) is FatalError
    assert (outcome.code, len(heard)) == ("redirect", 1)
    assert "redirects are not followed" in str(outcome)


@pytest.mark.parametrize("count", [-5, 10**30, 2.5, True, "7", None])
def test_what_can_be_no_count_of_tokens_is_none(count: object) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": count}}
    outcome, _, _ = ask_script(http(200, completion(usage=usage)))
    assert isinstance(outcome, Reply)
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.cached_tokens) == (None, 3, None)
