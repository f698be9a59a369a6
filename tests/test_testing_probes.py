"""The scripted server answers probes as servers with logprobs do, and misbehaves in their ways."""

from __future__ import annotations

import math
from typing import Any

import pytest
from run_kit import settings_for
from test_testing_server import post

from judge.probe_prompt import LABELS
from judge.record import build_record
from judge.rubric import Rubric
from judge.testing import PROBE, Server, Sloppy
from judge.testing.ask import parse_ask
from judge.testing.probes import MASKED, digits_of

RECORD = build_record(
    {"trace": "The heart is enlarged.", "units": {"knowledge": [{"unit_id": "K", "claim": "The heart is enlarged."}]}}
)
WAY = settings_for("http://127.0.0.1:9/v1", probe_evidence=True).way
PRESENCE = WAY.first_asks(RECORD)[0]
CORRECTNESS, EVIDENCE = WAY.next_asks(PRESENCE)  # type: ignore[union-attr]

SCALE = {
    "kind": "scale",
    "description": "How large is the heart?",
    "levels": [
        {"level": 1, "anchor": "It is small."},
        {"level": 4, "anchor": "The heart is enlarged."},
        {"level": 9, "anchor": "It fills the chest.\n5: Not a level."},
    ],
}
HEART = Rubric.model_validate({"name": "r", "version": "1", "description": "d", "axes": {"size": SCALE}})
LEVEL = settings_for("http://127.0.0.1:9/v1", rubric=HEART, probe=True).way.first_asks(
    build_record({"trace": "The heart is enlarged."})
)[0]


def body(request: Any = PRESENCE, **changes: Any) -> dict[str, Any]:
    """A probe as a client sends it; None takes a field out."""
    messages = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
    fields = {"model": "m", "messages": messages, "max_tokens": 1, "logprobs": True, "top_logprobs": 20, **changes}
    return {name: value for name, value in fields.items() if value is not None}


def likely(server: Server, **changes: Any) -> tuple[str, dict[str, float]]:
    """What is said, and the probabilities of the likeliest tokens."""
    choice = post(server, body(**changes)).choice
    top = choice["logprobs"]["content"][0]["top_logprobs"]
    return choice["message"]["content"], {one["token"]: math.exp(one["logprob"]) for one in top}


CHOICE = {"choice": [*LABELS]}


@pytest.mark.parametrize(
    ("request_", "question"), [(PRESENCE, "presence"), (CORRECTNESS, "correctness"), (EVIDENCE, "evidence")]
)
def test_what_is_asked_is_read_out_of_the_text(request_: Any, question: str) -> None:
    asked = parse_ask(body(request_))
    assert (asked.question, asked.probed) == (question, question != "evidence")
    assert [(unit.name, unit.claim) for unit in asked.units] == [("u1", "The heart is enlarged.")]
    assert asked.complaint == ""
    again = parse_ask(body(WAY.complain(request_, ["x"])))
    assert (again.question, again.key) == (question, asked.key)
    assert again.complaint


def test_a_scale_and_its_levels_are_read_out_of_the_text() -> None:
    asked = parse_ask(body(LEVEL))
    assert (asked.question, asked.probed) == ("level", True)
    assert [(unit.axis, unit.claim) for unit in asked.units] == [("size", "How large is the heart?")]
    anchors = {"1": "It is small.", "4": "The heart is enlarged.", "9": "It fills the chest. 5: Not a level."}
    assert digits_of(asked) == digits_of(parse_ask(body(WAY.complain(LEVEL, ["x"])))) == anchors
    assert [*digits_of(parse_ask(body()))] == [*LABELS]


@pytest.mark.parametrize(("script", "level"), [("obedient", "4"), ("gullible", "9"), ("stubborn", "I'd ")])
def test_a_scale_is_answered_by_its_levels(script: Any, level: str) -> None:
    with Server(script=script) as server:
        said, found = likely(server, request=LEVEL)
    assert said == level
    assert set(found) - {"I'd "} == {"1", "4", "9"}
    assert sum(found.values()) == pytest.approx(1)


def test_a_trace_that_has_no_word_of_a_level_is_on_the_lowest() -> None:
    with Server() as server:
        request = settings_for(server, rubric=HEART, probe=True).way.first_asks(build_record({"trace": "Rain."}))[0]
        assert likely(server, request=request)[0] == "1"


def test_a_trace_cannot_ask() -> None:
    record = build_record({**RECORD.given, "trace": "Question of evidence: which?"})
    assert parse_ask(body(WAY.first_asks(record)[0])).question == "presence"


def test_the_likeliest_is_said_and_all_sums_to_1() -> None:
    with Server() as server:
        said, found = likely(server)
    assert said == "2" == max(found, key=lambda token: found[token])
    assert set(found) == set(LABELS)
    assert sum(found.values()) == pytest.approx(1)


def test_the_choices_are_all_that_a_grammar_leaves() -> None:
    tokens = {"The": 0.5, " 2": 0.1, "2": 0.2, "1": 0.1, "0": 0.1}
    with Server(script=lambda _: tokens) as server:
        said, found = likely(server, structured_outputs=CHOICE)
        assert (said, found["2"], found["1"]) == ("2", pytest.approx(0.6), pytest.approx(0.2))
        choice = post(server, body(structured_outputs=CHOICE)).choice
        by_token = {one["token"]: one["logprob"] for one in choice["logprobs"]["content"][0]["top_logprobs"]}
        assert by_token["The"] == by_token[" 2"] == MASKED
        server.constrains = False
        assert likely(server, structured_outputs=CHOICE) == ("The", pytest.approx(tokens))
    with Server(script=lambda _: tokens) as server:
        assert likely(server)[0] == "The"  # nobody asked for a choice


def test_only_as_many_tokens_are_told_as_are_asked_for() -> None:
    with Server(max_top_logprobs=2) as server:
        assert len(likely(server, top_logprobs=2)[1]) == 2
        refused = post(server, body(top_logprobs=3))
        assert refused.status == 400
        assert "Requested sample logprobs of 3, which is greater than max allowed: 2" in refused.text
        assert post(server, body(logprobs=None, top_logprobs=None)).choice["logprobs"] is None


def test_a_text_is_all_but_certain() -> None:
    with Server(script="stubborn") as server:
        said, found = likely(server)
    assert said == "I'd "
    assert found[said] == pytest.approx(0.999)


def test_the_sloppy_judge_says_a_word_first_and_begins_with_a_space() -> None:
    with Server(script=Sloppy(wrong_share=1.0)) as server:
        said, found = likely(server)
        assert (said, found[said], sum(found.values())) == ("Sure", pytest.approx(0.6), pytest.approx(1))
        again = likely(server, request=WAY.complain(PRESENCE, ["x"]))
        assert (again[0], set(again[1])) == (" 2", {" 0", " 1", " 2"})


def test_the_gullible_judge_believes_all() -> None:
    with Server(script="gullible") as server:
        assert [likely(server, request=one)[0] for one in (PRESENCE, CORRECTNESS)] == ["2", "2"]


@pytest.mark.parametrize("kind", PROBE)
def test_every_kind_is_acted_out(kind: str) -> None:
    with Server(always=kind) as server:
        got = post(server, body())
        assert [row.fault for row in server.ledger.rows()] == [kind]
    content, told = got.choice["message"]["content"], got.choice["logprobs"]
    assert (content == "Sure") == (kind == "off_label")
    assert (told is None) == (kind == "no_logprobs")
    first = (told or {"content": [{"logprob": 0}]})["content"][0]
    assert (first["logprob"] is None) == (kind == "null_logprobs")
    if kind == "elsewhere":
        top = told["content"][0]["top_logprobs"]
        assert sum(math.exp(one["logprob"]) for one in top if one["token"] in LABELS) == pytest.approx(0.4)


def test_usage_may_say_nothing_of_the_cache() -> None:
    with Server(tells_cached=False) as server:
        assert '"prompt_tokens_details": null' in post(server, body()).text


def test_a_quote_is_json() -> None:
    with Server() as server:
        text = post(server, body(EVIDENCE, max_tokens=99, logprobs=None, top_logprobs=None))
        assert text.choice["message"]["content"] == '{"evidence":"The heart is enlarged."}'
        assert text.choice["finish_reason"] == "stop"
