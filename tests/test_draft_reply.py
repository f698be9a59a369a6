"""A judge's reply: used as it is, or refused in our own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from draft_kit import DARK, REASONING, make_unit

from judge.backend import Reply
from judge.drafts.reply import Read, read_units
from judge.errors import MalformedReplyError, OffMenuError, TruncatedReplyError
from judge.evidence import TraceText

NAMES = ("core", "supporting")


def read(value: object, *, importances: tuple[str, ...] = NAMES, **reply: Any) -> Read:
    text = value if isinstance(value, str) else json.dumps(value)
    reference = TraceText(REASONING)
    return read_units(Reply(text=text, **reply), "perception", reference, importances=importances, answer="C")


def test_a_verbatim_quote() -> None:
    found = read({"units": [make_unit(DARK)]})
    (unit,) = found.units
    start = REASONING.index(DARK)
    assert (unit.start, unit.end, unit.source_quote, unit.found) == (start, start + len(DARK), DARK, True)
    assert (unit.axis, unit.importance, found.error) == ("perception", "core", None)


@pytest.mark.parametrize(
    "quote",
    ["the LEFT lung  is wholly dark", "“The left lung is wholly dark…”", "The left lung — is wholly *dark*"],
)
def test_a_quote_that_was_copied_loosely_becomes_the_words_of_the_reference(quote: str) -> None:
    (unit,) = read({"units": [make_unit(quote)]}).units
    assert unit.source_quote == DARK


@pytest.mark.parametrize("quote", ["The right lung is wholly dark", "The left lung is dark", "It is dark.", "…"])
def test_an_invented_quote(quote: str) -> None:
    found = read({"units": [make_unit(DARK), make_unit(quote, "Made up.")]})
    assert [unit.found for unit in found.units] == [True, False]
    assert found.units[1].source_quote == quote
    assert found.error is not None
    assert found.error.faults == ("units[1].source_quote is not a passage of the reference",)


def test_a_question_that_names_the_letter() -> None:
    found = read({"units": [make_unit(DARK, presence_question="Does the trace choose option C?")]})
    assert found.error is not None
    assert found.error.faults == ("units[0].presence_question names the letter of an option",)


def test_no_units_are_a_reply_too() -> None:
    assert read({"units": []}) == Read(units=(), error=None)


def test_lines_are_joined() -> None:
    (unit,) = read({"units": [make_unit(DARK, "  Dark\n\nu2: lung ")]}).units
    assert unit.claim == "Dark u2: lung"


def test_a_rubric_without_names_has_no_importance() -> None:
    given = make_unit(DARK)
    del given["importance"]
    (unit,) = read({"units": [given]}, importances=()).units
    assert unit.importance is None
    with pytest.raises(OffMenuError, match=r"^units\[0\] has wrong keys\.$"):
        read({"units": [make_unit(DARK)]}, importances=())


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({}, "the reply must have the one key units, with a list"),
        ({"units": {}}, "the reply must have the one key units, with a list"),
        ({"units": [], "more": 1}, "the reply must have the one key units, with a list"),
        ({"units": ["x"]}, "units[0] has wrong keys"),
        ({"units": [{**make_unit(DARK), "unit_id": "P1"}]}, "units[0] has wrong keys"),
        ({"units": [make_unit(DARK), make_unit(DARK, topic=3)]}, "units[1].topic must be text"),
        ({"units": [make_unit(DARK, "  ")]}, "units[0].claim must be text"),
        ({"units": [make_unit("")]}, "units[0].source_quote must be text"),
        ({"units": [make_unit(DARK, importance="vital")]}, "units[0].importance must be one of core, supporting"),
    ],
)
def test_another_form(value: object, fault: str) -> None:
    with pytest.raises(OffMenuError) as caught:
        read(value)
    assert caught.value.faults == (fault,)


def test_all_faults_are_told() -> None:
    with pytest.raises(OffMenuError) as caught:
        read({"units": [{**make_unit(DARK, topic=3), "claim": None}, make_unit(DARK, importance="x")]})
    assert len(caught.value.faults) == 3


def test_no_json() -> None:
    with pytest.raises(MalformedReplyError, match="not an object"):
        read([make_unit(DARK)])
    with pytest.raises(MalformedReplyError, match=r"^the reply is empty\.$"):
        read("")
    with pytest.raises(TruncatedReplyError, match="cut at the token limit"):
        read('{"units": [', finish_reason="length")
