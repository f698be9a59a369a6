"""Units of one record: said once, numbered, warned of."""

from __future__ import annotations

from typing import Any

import pytest
from draft_kit import AXES, DARK, PRESSURE, REASONING, RECORD, RETURN, TRACHEA

from judge.drafts.draft import Draft, build_draft, unit_prefixes
from judge.drafts.merging import merge
from judge.drafts.reply import DraftUnit
from judge.record import build_record


def unit(axis: str, quote: str, claim: str = "", **changes: Any) -> DraftUnit:
    start = REASONING.find(quote)
    fields: dict[str, Any] = {
        "axis": axis,
        "claim": claim or f"{quote}.",
        "topic": "chest",
        "source_quote": quote,
        "start": max(start, 0),
        "end": start + len(quote) if start >= 0 else 0,
        "importance": "core",
        "presence_question": "Is it raised?",
        "correctness_question": "Is it right?",
        **changes,
    }
    return DraftUnit(**fields)


def drafted(*units: DraftUnit) -> Draft:
    return build_draft(build_record({**RECORD, "trace": ""}), AXES, units)


def test_ids_go_by_the_axis() -> None:
    draft = drafted(
        unit("perception", DARK), unit("perception", TRACHEA), unit("knowledge", PRESSURE), unit("rationale", RETURN)
    )
    assert list(draft.units) == ["P1", "P2", "K1", "R1"]
    assert (draft.merged, draft.dropped, draft.warnings) == ((), (), ())


def test_the_first_axis_keeps_what_is_said_twice() -> None:
    first, again = unit("perception", DARK), unit("rationale", DARK, "Left lung wholly dark")
    draft = drafted(first, unit("perception", TRACHEA), again)
    assert list(draft.units) == ["P1", "P2"]
    assert [(each.unit, draft.id_of(each.into)) for each in draft.merged] == [(again, "P1")]


def test_merging_keeps_the_order_and_loses_nothing() -> None:
    units = [unit("perception", DARK), unit("perception", TRACHEA), unit("knowledge", DARK), unit("rationale", DARK)]
    kept, merged = merge(units)
    assert kept == units[:2]
    assert [each.unit for each in merged] == units[2:]
    assert all(each.into is units[0] for each in merged)


def test_a_unit_without_a_passage_is_dropped_and_numbers_nothing() -> None:
    invented = unit("perception", "The heart stopped")
    draft = drafted(invented, unit("perception", DARK))
    assert draft.dropped == (invented,)
    assert list(draft.units) == ["P1"] and draft.units["P1"].claim == f"{DARK}."


def test_a_dropped_unit_takes_no_other_with_it() -> None:
    """The same claim with a passage is kept, and not merged into the one that is dropped."""
    draft = drafted(unit("perception", "The heart stopped", "Dark."), unit("knowledge", DARK, "Dark."))
    assert list(draft.units) == ["K1"] and draft.merged == ()


def test_coverage_counts_merged_units_and_no_dropped_ones() -> None:
    """The 3, left 4, lung 4, is 2, wholly 6, dark 4: 23 letters; the other sentences in the same way."""
    letters = [sum(map(str.isalpha, sentence)) for sentence in (DARK, TRACHEA, PRESSURE, f"So {RETURN}")]
    assert letters == [23, 25, 24, 29]
    draft = drafted(
        unit("perception", DARK),
        unit("rationale", DARK, f"{DARK}."),
        unit("rationale", RETURN),
        unit("rationale", "No"),
    )
    found = draft.coverage
    assert (found.sentences, found.covered) == (4, 2)
    assert (found.characters, found.quoted) == (101, 23 + 27)  # all but the "So"
    assert found.uncovered == (f"{TRACHEA}.", f"{PRESSURE}.")


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"claim": "The lung is dark and causes pain."}, "compound", "seems to join two"),
        ({"claim": "So the answer is C."}, "names_answer", "claim names the letter of the right option."),
        ({"presence_question": "Option C?"}, "names_answer", "presence_question names the letter of the right option."),
    ],
)
def test_warnings_of_a_unit(changes: dict[str, str], code: str, message: str) -> None:
    (warned,) = drafted(unit("perception", DARK, **changes)).warnings
    assert (warned.unit_id, warned.code) == ("P1", code)
    assert message in warned.message


def test_claims_that_are_alike_both_stay_and_are_told_of() -> None:
    one, other = (f"The {side} lung is wholly dark on this film." for side in ("left", "right"))
    draft = drafted(unit("perception", DARK, one), unit("knowledge", DARK, other))
    assert list(draft.units) == ["P1", "K1"]
    assert [(each.unit_id, each.code, each.message) for each in draft.warnings] == [
        ("K1", "similar", "the claim has nearly the words of P1.")
    ]


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (["perception", "prognosis", "plan", "p"], ["P", "PR", "PL", "P_"]),
        (["p1", "p"], ["P", "P_"]),
        (["_1", "_2"], ["U", "U_"]),
        (["a", "a_b", "a_", "a1"], ["A", "AB", "A_", "A__"]),
    ],
)
def test_every_axis_has_a_prefix_of_its_own(axes: list[str], expected: list[str]) -> None:
    assert list(unit_prefixes(axes).values()) == expected
