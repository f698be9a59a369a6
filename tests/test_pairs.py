"""Two traces of one question: how they are paired, what is asked, what is heard."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from msgspec.structs import replace
from pair_kit import AXES, QUESTION, RIGHT, RUBRIC, WEAK, pair_of, pair_settings, with_trace
from test_prompt import ATTACKS

from judge.backend import Reply
from judge.errors import RecordError, ReplyError
from judge.evidence import TraceText
from judge.pairs.asking import decide
from judge.pairs.grouping import group
from judge.pairs.pair import Candidate, Pair, open_question
from judge.pairs.prompt import PairPrompt
from judge.pairs.reading import name_sources
from judge.pairs.said import Said, read_reply
from judge.prompt import Request
from judge.record import build_record
from judge.rubric import Rubric
from judge.settings import Settings

SERVER = "http://127.0.0.1:9/v1"
TRACES = {"A": TraceText(RIGHT), "B": TraceText(WEAK)}


def rubric_of(**axes: Mapping[str, Any]) -> Rubric:
    told = {"name": "r", "version": "1", "description": "d", "axes": {}}
    return Rubric.model_validate(
        {**told, "axes": {name: {"kind": "preference", **axis} for name, axis in axes.items()}}
    )


def requests_of(pair: Pair, settings: Settings, **more: Any) -> list[tuple[str, Request]]:
    way, question = settings.pair_way, asyncio.run(open_question(pair))
    return list(way.first_asks(pair, question, more.get("axes", way.prompt.asked)))


def candidate(name: str, model: str, *, line: int = 1, source: str = "f") -> Candidate:
    record = build_record(with_trace(f"{name} by {model}", id=name), number=line)
    return Candidate(record=record, model=model, source=source)


# --- pairs ---------------------------------------------------------------------------------------------------------


def test_all_that_share_an_id_are_paired_and_a_is_the_model_that_came_first() -> None:
    came = [
        candidate("r1", "m"),
        candidate("r2", "m"),
        candidate("r2", "k"),
        candidate("r1", "n"),
        candidate("r1", "k"),
    ]
    grouped = group(came)
    # k comes after m, and before n; so in r1 too, where n stands first.
    assert grouped.models == ("m", "k", "n")
    pairs = [(pair.record_id, pair.a.model, pair.b.model) for pair in grouped.pairs]
    assert pairs == [("r1", "m", "k"), ("r1", "m", "n"), ("r1", "k", "n"), ("r2", "m", "k")]
    assert (grouped.paired, grouped.failures) == (5, ())


def test_of_a_model_that_has_two_traces_of_a_record_none_counts() -> None:
    came = [candidate("r1", "m", line=1), candidate("r1", "n"), candidate("r1", "k"), candidate("r1", "m", line=7)]
    grouped = group(came)
    assert [(pair.a.model, pair.b.model) for pair in grouped.pairs] == [("n", "k")]
    assert [(one.failure.error, one.failure.line) for one in grouped.failures] == [
        ("repeated_trace", 1),
        ("repeated_trace", 7),
    ]
    said = grouped.failures[0].failure.message
    assert said.startswith(
        "line 1 of f: the record 'r1' has 2 traces of the model 'm', another at line 7 of f. Give each"
    )


def test_a_record_without_a_partner_is_told_of() -> None:
    grouped = group([candidate("r1", "m"), candidate("r2", "m", line=2), candidate("r1", "n")])
    (alone,) = grouped.failures
    assert (alone.failure.error, alone.failure.record_id, alone.model_a) == ("one_trace", "r2", "m")
    assert grouped.paired == 2


def test_a_limit_is_of_record_ids() -> None:
    came = [candidate(f"r{n}", model) for model in "mn" for n in range(5)]
    grouped = group(came, limit=2)
    assert ([pair.record_id for pair in grouped.pairs], grouped.paired) == (["r0", "r1"], 4)


def test_a_file_stands_for_a_model_by_its_name() -> None:
    assert name_sources(["a/qwen-2.5.jsonl.gz", "llama.parquet"]) == ["qwen-2.5", "llama"]
    assert name_sources(["a/t.jsonl", "b/t.jsonl", "c.jsonl"]) == ["a/t", "b/t", "c"]


# --- the question --------------------------------------------------------------------------------------------------


def two(one: Mapping[str, Any], other: Mapping[str, Any]) -> Pair:
    given = [with_trace(RIGHT, **one), with_trace(WEAK, **other)]
    records = [
        build_record({name: value for name, value in record.items() if value is not None}, number=number)
        for number, record in enumerate(given, start=3)
    ]
    return Pair(
        a=Candidate(record=records[0], model="m", source="m.jsonl"),
        b=Candidate(record=records[1], model="n", source="n.jsonl"),
    )


def test_what_one_record_says_holds_for_both() -> None:
    pair = two({"question": None, "reference": None, "context": "Cough."}, {"options": {"A": "x"}})
    question = asyncio.run(open_question(pair))
    assert (question.question, question.reference.answer) == (QUESTION["question"], "A")
    assert (question.context, question.options) == ("Cough.", {"A": "x"})


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("question", {"question": "What is it?"}, {"question": "Where is it?"}),
        ("options", {"options": {"A": "x"}}, {"options": {"A": "y"}}),
        ("context", {"context": "a"}, {"context": "b"}),
        ("reference.answer", {"reference": {"answer": "A"}}, {"reference": {"answer": "B"}}),
        ("reference.reasoning", {"reference": {"reasoning": "a"}}, {"reference": {"reasoning": "b"}}),
    ],
)
def test_traces_of_different_questions_are_not_compared(field: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="which has the same id: the traces answer different questions") as caught:
        asyncio.run(open_question(two(one, other)))
    assert (caught.value.field, caught.value.code, caught.value.line) == (field, "other_question", 3)
    assert str(caught.value).startswith(f"line 3, {field}: is not that of line 4 of n.jsonl")


def test_units_model_and_meta_may_differ() -> None:
    units = {"perception": [{"unit_id": "P1", "claim": "x"}]}
    assert asyncio.run(open_question(two({"units": units, "model": "m"}, {"seen": 3}))).question == QUESTION["question"]


# --- what is asked -------------------------------------------------------------------------------------------------


def test_each_axis_and_the_whole_are_asked_about_in_both_orders() -> None:
    asked = requests_of(pair_of(RIGHT, WEAK), pair_settings(SERVER))
    assert [(order, request.probes.asked[0].axis) for order, request in asked] == [
        (order, axis) for order in ("ab", "ba") for axis in AXES
    ]
    assert len({request.key for _, request in asked}) == 8
    # Within an order all but the last lines are alike, so that a server's prefix cache serves them.
    for order, first, second in (("ab", RIGHT, WEAK), ("ba", WEAK, RIGHT)):
        (shared,) = {request.shared for of, request in asked if of == order}
        assert shared.index(f"# Trace A\n\n<trace-{tag(first)}>\n{first}\n</trace-{tag(first)}>") < shared.index(
            f"# Trace B\n\n<trace-{tag(second)}>\n{second}\n</trace-{tag(second)}>"
        )
    assert len({request.schema for _, request in asked}) == 1


def tag(trace: str) -> str:
    return hashlib.sha256(trace.encode()).hexdigest()[:12]


def test_with_the_granularity_of_a_trace_all_axes_share_a_call() -> None:
    asked = requests_of(pair_of(RIGHT, WEAK), pair_settings(SERVER, granularity="trace"))
    assert [[unit.axis for unit in request.probes.asked] for _, request in asked] == [AXES, AXES]
    assert re.findall(r"^u(\d) \((\w+)\): \S", asked[0][1].asked, re.MULTILINE) == [
        (str(place), axis) for place, axis in enumerate(AXES, start=1)
    ]


def test_axes_with_different_views_see_different_things() -> None:
    axes = {"seen": {"description": "Sees?", "view": ["question", "trace.answer"]}, "known": {"description": "Knows?"}}
    settings = pair_settings(SERVER, rubric_of(**axes), granularity="trace")
    asked = requests_of(pair_of("<think>a b</think>One.", "<think>c d</think>Two."), settings)
    shown = {
        tuple(unit.axis for unit in request.probes.asked): request.shared for order, request in asked if order == "ab"
    }
    assert "# Reference" not in shown[("seen",)] and "a b" not in shown[("seen",)] and "One." in shown[("seen",)]
    assert "# Reference" in shown[("known", "overall")] and "<think>c d</think>Two." in shown[("known", "overall")]


def test_a_rubric_may_say_what_overall_means() -> None:
    told = rubric_of(overall={"description": "Which would a surgeon rather read?"}, seen={"description": "Sees?"})
    prompt = PairPrompt(told)
    assert [(name, one.unit.claim) for name, one in prompt.asked.items()] == [
        ("overall", "Which would a surgeon rather read?"),
        ("seen", "Sees?"),
    ]
    assert [*PairPrompt(rubric_of(seen={"description": "Sees?"})).asked] == ["seen", "overall"]
    with pytest.raises(ValueError, match="the axis name 'overall' is taken"):
        Rubric.model_validate(
            {
                "name": "r",
                "version": "1",
                "description": "d",
                "axes": {"overall": {"kind": "checklist", "description": "d"}},
            }
        )


def test_nobody_is_told_whose_traces_they_are() -> None:
    pair = Pair(
        a=Candidate(record=build_record(with_trace(RIGHT, model="SECRET-ONE")), model="SECRET-ONE", source="SECRET"),
        b=Candidate(record=build_record(with_trace(WEAK, model="SECRET-TWO")), model="SECRET-TWO", source="SECRET"),
    )
    for _, request in requests_of(pair, pair_settings(SERVER)):
        assert "SECRET" not in request.system + request.user + request.schema


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_trace_changes_nothing_around_it(attack: str) -> None:
    (_, plain), *_ = requests_of(pair_of("PLAIN", WEAK), pair_settings(SERVER))
    (_, attacked), *_ = requests_of(pair_of(attack, WEAK), pair_settings(SERVER))
    expected = plain.user.replace("PLAIN", attack).replace(tag("PLAIN"), tag(attack))
    assert attacked.user == expected and attacked.system == plain.system
    assert attack.count(f"</trace-{tag(attack)}>") == 0


def test_what_is_told_makes_the_fingerprint() -> None:
    quoted, plain = PairPrompt(RUBRIC), PairPrompt(RUBRIC, evidence=False)
    assert quoted.fingerprint == PairPrompt(rubric_of(seen={"description": "Sees?"})).fingerprint != plain.fingerprint
    (_, request), *_ = requests_of(pair_of(RIGHT, WEAK), pair_settings(SERVER, evidence="none"))
    assert "evidence" not in request.schema and "vidence" not in request.system


# --- what needs no judge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "outcome", "reason"),
    [
        ("", RIGHT, "B", "no_content"),
        (RIGHT, "Thought process:", "A", "no_content"),
        ("", "...", "tie", "no_content"),
        (RIGHT, RIGHT, "tie", "equal_traces"),
        ("", "", "tie", "no_content"),
    ],
)
def test_what_needs_no_judge(a: str, b: str, outcome: str, reason: str) -> None:
    assert decide(pair_of(a, b), PairPrompt(RUBRIC)) == dict.fromkeys(AXES, (outcome, reason))


def test_traces_that_are_shown_alike_are_a_tie_on_that_axis() -> None:
    prompt = PairPrompt(
        rubric_of(said={"description": "Says?", "view": ["trace.answer"]}, known={"description": "Knows?"})
    )
    assert decide(pair_of("<think>a b</think>One.", "<think>c d</think>One."), prompt) == {
        "said": ("tie", "equal_traces")
    }
    assert decide(pair_of(RIGHT, WEAK), prompt) == {}


# --- what is heard -------------------------------------------------------------------------------------------------


def heard(
    preferred: str, evidence: str | None, order: str, rule: str = "required"
) -> tuple[Said | None, ReplyError | None]:
    settings = pair_settings(SERVER, evidence=rule)
    request = next(request for of, request in requests_of(pair_of(RIGHT, WEAK), settings) if of == order)
    words = {"evidence": evidence, "reason": "So.", "preferred": preferred}
    if rule == "none":
        del words["evidence"]
    reply = Reply(text=orjson.dumps({"u1": words}).decode())
    said, error = read_reply(request, reply, order, TRACES, rule)  # type: ignore[arg-type]
    return (said[0] if said else None), error


@pytest.mark.parametrize(
    ("preferred", "order", "whose", "evidence"),
    [
        ("A", "ab", "A", "fluid has gathered"),
        ("B", "ab", "B", "base is clear"),
        ("A", "ba", "B", "base is clear"),
        ("B", "ba", "A", "fluid has gathered"),
        ("tie", "ba", "tie", None),
    ],
)
def test_a_name_in_the_prompt_is_mapped_back(preferred: str, order: str, whose: str, evidence: str | None) -> None:
    said, error = heard(preferred, evidence, order)
    assert said is not None and error is None
    assert (said.preferred, said.evidence, said.found) == (whose, evidence, "exact" if evidence else None)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_evidence_from_the_other_trace_is_refused(order: str) -> None:
    better, others = ("A", "base is clear") if order == "ab" else ("B", "base is clear")
    said, error = heard(better, others, order)
    assert said is not None and error is not None
    assert (said.preferred, said.failure, said.found) == (None, "evidence_not_found", "no")
    assert error.faults == ("u1.evidence is not a passage of the trace that is called better",)  # type: ignore[attr-defined]
    said, error = heard(better, others, order, "flag")
    assert said is not None and error is None
    assert (said.preferred, said.found, said.failure) == ("A", "no", None)


def test_a_preference_needs_evidence_and_a_tie_has_none() -> None:
    said, error = heard("A", None, "ab")
    assert said is not None and error is not None and said.failure == "evidence_missing"
    said, error = heard("tie", "No such words anywhere.", "ab")
    assert said is not None and error is None and (said.evidence, said.found) == (None, None)
    said, error = heard("A", None, "ab", "none")
    assert said is not None and error is None and (said.preferred, said.found) == ("A", None)


@pytest.mark.parametrize("preferred", ["a", "Tie", "C", "first", "", None, 1, True])
def test_nothing_but_the_three_words_is_a_preference(preferred: Any) -> None:
    said, error = heard(preferred, "fluid has gathered", "ab")
    assert said is None and error is not None
    assert error.faults == ("u1.preferred must be A, B or tie",)  # type: ignore[attr-defined]


def test_a_complaint_quotes_nothing_of_the_reply() -> None:
    settings = pair_settings(SERVER)
    (_, request), *_ = requests_of(pair_of(RIGHT, WEAK), settings)
    again = settings.pair_way.prompt.complain(replace(request, ask=1), ["u1.preferred must be A, B or tie"])
    assert again.user == request.user + (
        "\nYour previous reply could not be used:\n- u1.preferred must be A, B or tie\n"
        "Give the whole JSON object again, with every question.\n"
    )
