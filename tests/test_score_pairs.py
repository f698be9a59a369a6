"""Preferences from scores, by hand: wins, margins, what is missing, and what cannot be held against each other."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.preference import PREFERENCES
from judge.score_pairs import Unshared, find_unshared, prefer_by_score

SCHEMA = {
    **dict.fromkeys(("record_id", "model", "judge", "axis"), pl.String),
    "score": pl.Float64,
    "failure": pl.String,
    "asked": pl.UInt64,
}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    whole = {"judge": "j", "axis": "overall", "failure": None, "asked": 7}
    return pl.DataFrame([{**whole, **row} for row in rows], schema=SCHEMA)


def row(record_id: str, model: str, score: float | None, **more: Any) -> dict[str, Any]:
    return {"record_id": record_id, "model": model, "score": score, **more}


def outcomes(*rows: dict[str, Any], margin: float = 1e-9) -> list[str | None]:
    return prefer_by_score(table(*rows), ["m", "n"], margin=margin)["outcome"].to_list()


@pytest.mark.parametrize(
    ("first", "second", "margin", "outcome"),
    [
        (0.5, 0.4, 1e-9, "A"),
        (0.4, 0.5, 1e-9, "B"),
        (0.5, 0.5, 1e-9, "tie"),
        (0.1 + 0.2, 0.3, 1e-9, "tie"),  # apart by 6e-17
        (0.1 + 0.2, 0.3, 0.0, "A"),
        (0.5, 0.25, 0.25, "tie"),  # no further apart than the margin
        (0.5, 0.2, 0.25, "A"),
        (-0.5, 0.9, 1.3, "B"),  # a record of HealthBench may be below 0
    ],
)
def test_the_higher_score_is_preferred(first: float, second: float, margin: float, outcome: str) -> None:
    assert outcomes(row("r", "m", first), row("r", "n", second), margin=margin) == [outcome]


def test_a_row_says_what_was_compared() -> None:
    found = prefer_by_score(table(row("r", "m", 0.5), row("r", "n", 0.25)), ["m", "n"])
    assert found.schema == pl.Schema(PREFERENCES)
    known = {name: value for name, value in found.row(0, named=True).items() if value is not None}
    assert known == {
        "record_id": "r",
        "model_a": "m",
        "model_b": "n",
        "axis": "overall",
        "judge": "j",
        "outcome": "A",
        "score_a": 0.5,
        "score_b": 0.25,
    }


@pytest.mark.parametrize(
    ("first", "second", "failure", "reason"),
    [
        ((None, "timeout"), (0.5, None), "timeout", "m has no score"),
        ((0.5, None), (None, "no_trace"), "no_trace", "n has no score"),
        ((None, "timeout"), (None, "no_trace"), "timeout", "neither m nor n has a score"),
        ((None, None), (0.0, None), "no_score", "m has no score"),
    ],
)
def test_a_missing_score_is_no_preference(first: Any, second: Any, failure: str, reason: str) -> None:
    pair = [row("r", name, score, failure=why) for name, (score, why) in (("m", first), ("n", second))]
    (found,) = prefer_by_score(table(*pair), ["m", "n"]).iter_rows(named=True)
    assert (found["outcome"], found["failure"], found["reason"]) == (None, failure, reason)


def test_a_failure_elsewhere_does_not_undo_a_score() -> None:
    """An axis may have a score where another failed."""
    assert outcomes(row("r", "m", 0.5, failure="timeout"), row("r", "n", 0.2)) == ["A"]


def test_other_units_are_no_comparison() -> None:
    found = prefer_by_score(table(row("r", "m", 0.5, asked=1), row("r", "n", 0.2, asked=2)), ["m", "n"])
    assert found.select("outcome", "failure").row(0) == (None, "units_differ")
    assert found["reason"][0] == "the two traces were asked about other units"
    # Of one that failed before it was asked anything, it is not known what it would have been asked.
    failed = row("r", "n", None, asked=None, failure="no_trace")
    assert prefer_by_score(table(row("r", "m", 0.5, asked=1), failed), ["m", "n"])["failure"][0] == "no_trace"


def test_what_failed_comes_before_what_was_asked() -> None:
    pair = [row("r", "m", None, asked=1, failure="timeout"), row("r", "n", 0.5, asked=2)]
    assert prefer_by_score(table(*pair), ["m", "n"])["failure"].to_list() == ["timeout"]


def test_an_axis_that_nobody_was_asked_about_has_no_row() -> None:
    rows = [row("r", name, None, axis="knowledge", asked=None) for name in "mn"]
    rows += [row("r", name, None, failure="no_units", asked=None) for name in "mn"]
    found = prefer_by_score(table(*rows), ["m", "n"])
    assert found.select("axis", "failure").rows() == [("overall", "no_units")]


def test_each_judge_and_axis_for_itself_and_all_pairs() -> None:
    rows = [
        row("r", model, score + shift, judge=judge, axis=axis)
        for model, score in (("m", 0.1), ("n", 0.2), ("o", 0.1))
        for judge, axis, shift in (("j", "knowledge", 0.0), ("j", "overall", 0.1), ("k", "overall", 0.2))
    ]
    found = prefer_by_score(table(*rows), ["n", "m", "o"])
    assert found.group_by("model_a", "model_b", maintain_order=True).agg("judge", "axis", "outcome").rows() == [
        ("n", "m", ["j", "j", "k"], ["knowledge", "overall", "overall"], ["A"] * 3),
        ("n", "o", ["j", "j", "k"], ["knowledge", "overall", "overall"], ["A"] * 3),
        ("m", "o", ["j", "j", "k"], ["knowledge", "overall", "overall"], ["tie"] * 3),
    ]


def test_records_of_one_model_only_are_named() -> None:
    rows = [row(name, "m", 0.5) for name in ("r1", "r2", "r3")] + [row(name, "n", 0.5) for name in ("r2", "r4")]
    assert outcomes(*rows) == ["tie"]
    (found,) = find_unshared(table(*rows), ["m", "n"])
    assert found == Unshared(model="m", other="n", only_model=2, only_other=1, records=("r1", "r3", "r4"))
    assert find_unshared(table(*rows[:3], *(row(name, "n", 0.1) for name in ("r3", "r1", "r2"))), ["m", "n"]) == []


def test_nothing_shared_is_an_empty_table() -> None:
    found = prefer_by_score(table(row("r1", "m", 0.5), row("r2", "n", 0.5)), ["m", "n"])
    assert (len(found), found.schema) == (0, pl.Schema(PREFERENCES))


SCORES = st.lists(st.tuples(st.none() | st.floats(0, 1), st.none() | st.floats(0, 1)), min_size=1, max_size=8)


@given(SCORES, st.sampled_from([0.0, 1e-9, 0.3]))
def test_swapping_a_pair_flips_the_preference(scores: list[tuple[float | None, float | None]], margin: float) -> None:
    rows = [
        row(f"r{n}", model, score) for n, pair in enumerate(scores) for model, score in zip("mn", pair, strict=True)
    ]
    one, other = (prefer_by_score(table(*rows), models, margin=margin) for models in (["m", "n"], ["n", "m"]))
    flip = {"A": "B", "B": "A", "tie": "tie", None: None}
    assert [flip[outcome] for outcome in one["outcome"]] == other["outcome"].to_list()
    assert one["failure"].to_list() == other["failure"].to_list()
