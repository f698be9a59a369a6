"""A probe over the wire: what is sent, how probabilities are read, what a server refuses, and what ends the run."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from msgspec.structs import replace
from run_kit import Heard, error, http, make_request, scripted

from judge.backend import Reply
from judge.backends.logprobs import with_probabilities
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import find_server
from judge.backends.session import open_session
from judge.errors import FatalError, RejectedError, TransientError
from judge.probe_prompt import LABELS
from judge.prompt import Request

SAID = Reply(text="2", finish_reason="length")


def token(text: str, probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(probability) if probability else -9999.0, "bytes": [*text.encode()]}


def logprobs(*tokens: tuple[str, float], drawn: tuple[str, float] | None = None) -> dict[str, Any]:
    top = [token(*one) for one in tokens]
    return {"content": [{**(token(*drawn) if drawn else top[0]), "top_logprobs": top}]}


def completion(text: str = "2", told: Any = None, **message: Any) -> dict[str, Any]:
    choice = {"message": {"content": text, **message}, "finish_reason": "length", "logprobs": told}
    return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}


GOOD = completion("2", logprobs(("2", 0.7), ("1", 0.2), ("0", 0.1)))


def probe(**params: Any) -> Request:
    return replace(make_request(params={"temperature": 0, **params}), labels=LABELS, schema="")


def ask(
    *answers: bytes, provider: str = "hosted_vllm", requests: int = 1, **params: Any
) -> tuple[Any, list[Heard], Any]:
    """The outcome of the last of some requests, one after the other; what was heard; the notes."""

    async def main() -> tuple[Any, list[Heard], Any]:
        async with scripted(lambda n, _: answers[min(n, len(answers)) - 1]) as (base, heard):
            server = find_server(f"{provider}/m", base)
            async with open_session(server) as session:
                backend = OpenAICompatible(server, session)
                for _ in range(requests):
                    (outcome,) = await asyncio.gather(backend.complete(probe(**params)), return_exceptions=True)
                return outcome, heard, backend.notes

    return asyncio.run(main())


# Sent


def test_what_vllm_is_sent() -> None:
    reply, heard, notes = ask(http(200, GOOD), max_tokens=4096, top_k=5)
    request = probe()
    assert heard[0].body == {
        "model": "m",
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
        "temperature": 0,
        "top_k": 5,
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 20,
        "structured_outputs": {"choice": ["0", "1", "2"]},
    }
    assert reply.probabilities == pytest.approx({"0": 0.1, "1": 0.2, "2": 0.7})
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens, notes) == ("2", 9, 1, [])


def test_openai_is_sent_no_constraint() -> None:
    _, heard, _ = ask(http(200, GOOD), provider="openai", max_completion_tokens=99)
    assert not {"structured_outputs", "response_format", "max_completion_tokens"} & set(heard[0].body)
    assert heard[0].body["max_tokens"] == 1


def test_the_newer_name_of_the_token_limit_is_found_for_probes_too() -> None:
    reply, heard, _ = ask(http(400, error("use 'max_completion_tokens' instead of 'max_tokens'")), http(200, GOOD))
    assert (heard[1].body["max_completion_tokens"], "max_tokens" in heard[1].body) == (1, False)
    assert (reply.attempts, reply.text) == (2, "2")


# Refused


@pytest.mark.parametrize(
    ("said", "fewer"),
    [
        ("Requested sample logprobs of 20, which is greater than max allowed: 5", 5),
        ("Invalid value for 'top_logprobs': must be between 0 and 8, inclusive.", 8),
        ("top_logprobs must be less than or equal to 11, got 20", 11),
        ("top_logprobs is too large", 5),
    ],
)
def test_how_many_tokens_a_server_gives_is_learnt_from_its_refusal(said: str, fewer: int) -> None:
    reply, heard, notes = ask(http(400, error(said)), http(200, GOOD), requests=2)
    assert [one.body["top_logprobs"] for one in heard] == [20, fewer, fewer]
    assert reply.probabilities == pytest.approx({"0": 0.1, "1": 0.2, "2": 0.7})
    assert len(notes) == 1
    assert f"gives the probabilities of {fewer} tokens at most" in notes[0]


def test_many_calls_that_meet_the_refusal_at_once_learn_it_once() -> None:
    async def main() -> tuple[list[int], list[str]]:
        # Read twice, the second number would be learnt too.
        refusal = http(400, error("Invalid value for 'top_logprobs': must be between 1 and 5, inclusive."))
        answer = lambda _, heard: refusal if heard.body["top_logprobs"] > 5 else http(200, GOOD)  # noqa: E731
        async with scripted(answer) as (base, heard):
            server = find_server("hosted_vllm/m", base)
            async with open_session(server) as session:
                backend = OpenAICompatible(server, session)
                await asyncio.gather(*[backend.complete(probe()) for _ in range(8)])
                return sorted({one.body["top_logprobs"] for one in heard}), backend.notes

    asked, notes = asyncio.run(main())
    assert asked == [5, 20]
    assert len(notes) == 1


def test_a_server_that_refuses_the_constraint_is_asked_without_it() -> None:
    refusal = http(400, error("Unrecognized request argument supplied: structured_outputs"))
    reply, heard, notes = ask(refusal, http(200, GOOD), requests=2)
    assert ["structured_outputs" in one.body for one in heard] == [True, False, False]
    assert isinstance(reply, Reply)
    assert ["refused structured_outputs" in note for note in notes] == [True]


def test_what_a_probe_teaches_says_nothing_of_schemas() -> None:
    """The words of that refusal name structured outputs, as those of a server without schemas do."""

    async def main() -> list[Heard]:
        answers = [http(400, error("structured_outputs: extra inputs are not permitted")), http(200, GOOD)]
        async with scripted(lambda n, _: answers[min(n, 2) - 1]) as (base, heard):
            server = find_server("hosted_vllm/m", base)
            async with open_session(server) as session:
                backend = OpenAICompatible(server, session)
                await backend.complete(probe())
                await backend.complete(make_request())
            return heard

    assert "response_format" in asyncio.run(main())[-1].body


# Without logprobs


@pytest.mark.parametrize(
    "answer",
    [
        http(200, completion("2", None)),
        http(200, {"choices": [{"message": {"content": "2"}, "finish_reason": "stop"}]}),
        http(200, completion("2", {"tokens": ["2"], "token_logprobs": [-0.1]})),
        http(400, error("logprobs is not supported with this model")),
        http(403, error("You are not allowed to request logprobs from this model.")),
        http(422, error("logprobs: extra fields not permitted")),
    ],
)
def test_a_server_that_gives_no_logprobs_ends_the_run_in_one_line(answer: bytes) -> None:
    outcome, heard, _ = ask(answer)
    assert isinstance(outcome, FatalError)
    assert outcome.code == "no_logprobs"
    assert "(m) gives no logprobs, which a probe needs" in str(outcome)
    assert "Leave --probe out, or name a server and a model that give them." in str(outcome)
    assert "\n" not in str(outcome)
    assert len(heard) == 1


def test_a_refusal_for_another_reason_is_what_it_was() -> None:
    outcome, *_ = ask(http(400, error("bad temperature")))
    assert (type(outcome), outcome.code) == (RejectedError, "http_400")
    outcome, *_ = ask(http(400, error("maximum context length is 2048 tokens; logprobs: 20")))
    assert (type(outcome), outcome.code) == (RejectedError, "context_limit")
    outcome, *_ = ask(http(500, error("logprobs")))
    assert type(outcome) is TransientError


@pytest.mark.parametrize("refused", [{"refusal": "I cannot."}, {}])
def test_a_judge_that_refuses_to_answer_has_no_probabilities(refused: dict[str, str]) -> None:
    body = completion("", None, **refused)
    body["choices"][0]["finish_reason"] = "stop" if refused else "content_filter"
    reply, *_ = ask(http(200, body))
    assert (reply.text, reply.probabilities) == ("", None)


# Read


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # The same digit with and without a space, as tokenizers write it, is one answer.
        (logprobs(("2", 0.4), (" 2", 0.2), ("▁2", 0.1), ("1", 0.2), ("Ġ0", 0.05)), (0.05, 0.2, 0.7)),
        # One text may be two tokens.
        (logprobs(("2", 0.4), ("2", 0.2), ("1", 0.3)), (0, 0.3, 0.6)),
        # What is no label counts for none, whatever it looks like.
        (logprobs(("2", 0.3), ("12", 0.2), ("2.", 0.2), ("²", 0.1), ("two", 0.1)), (0, 0, 0.3)),
        # Masked tokens.
        (logprobs(("1", 1.0), ("0", 0.0), ("2", 0.0)), (0, 1, 0)),
        # The token that was drawn counts although it is not among the likeliest, and once where it is.
        (logprobs(("The", 0.6), ("1", 0.3), drawn=("2", 0.01)), (0, 0.3, 0.01)),
        (logprobs(("2", 0.6), ("1", 0.3), drawn=("2", 0.6)), (0, 0.3, 0.6)),
        # Only the drawn one.
        ({"content": [token("1", 0.9)]}, (0, 0.9, 0)),
        ({"content": [{**token("1", 0.9), "top_logprobs": None}]}, (0, 0.9, 0)),
        # A second token says nothing.
        ({"content": [token("1", 0.9), token("2", 0.9)]}, (0, 0.9, 0)),
        # A little over 0 is rounding.
        ({"content": [{"token": "1", "logprob": 0.00005}]}, (0, 1, 0)),
        ({"content": [{"token": "1", "logprob": 0}]}, (0, 1, 0)),
    ],
)
def test_probabilities_by_hand(told: dict[str, Any], expected: tuple[float, ...]) -> None:
    reply = with_probabilities(SAID, told, LABELS, "who")
    assert reply.probabilities == pytest.approx(dict(zip(LABELS, expected, strict=True)))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 0.01, 3.0, None, "0", "-0.1", True, [], {}])
@pytest.mark.parametrize("text", ["2", "other"])
def test_a_number_that_is_none_makes_the_whole_reply_unusable(wrong: object, text: str) -> None:
    told = {"content": [{**token("1", 0.5), "top_logprobs": [token("1", 0.5), {"token": text, "logprob": wrong}]}]}
    assert with_probabilities(SAID, told, LABELS, "who").probabilities == {}


@pytest.mark.parametrize("content", [None, [], "x", [None], [3]])
def test_logprobs_without_a_token_are_unusable_and_not_missing(content: object) -> None:
    assert with_probabilities(SAID, {"content": content}, LABELS, "who").probabilities == {}


def test_half_a_character_among_the_likely_tokens_costs_no_reply() -> None:
    """Byte-level tokens are parts of characters; some servers write half of a surrogate pair for one."""
    tokens = '{"token":"2","logprob":-0.1},{"token":"\\ud83d","logprob":-3.0}'
    first = f'{{"token":"2","logprob":-0.1,"top_logprobs":[{tokens}]}}'
    body = f'{{"choices":[{{"message":{{"content":"2"}},"logprobs":{{"content":[{first}]}}}}]}}'
    reply, _, _ = ask(http(200, body.encode()))
    assert reply.probabilities == pytest.approx({"0": 0, "1": 0, "2": math.exp(-0.1)})


def test_a_nan_on_the_wire_is_no_json() -> None:
    body = b'{"choices":[{"message":{"content":"2"},"logprobs":{"content":[{"token":"2","logprob":NaN}]}}]}'
    error, heard, _ = ask(http(200, body))
    assert (error.code, len(heard)) == ("bad_response", 1)
