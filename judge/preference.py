"""Two traces -> Preference: which is better on an axis, asked in both orders or read from two scores.

`A` is the trace of `model_a` and `B` that of `model_b` in every column: what a judge said of the first and the second
that it was shown is mapped back before it gets here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import polars as pl

__all__ = ["MARGIN", "OVERALL", "PREFERENCES", "Outcome", "Preference", "Preferred", "build_preferences", "settle"]

Preferred: TypeAlias = Literal["A", "B", "tie"]
Outcome: TypeAlias = Literal["A", "B", "tie", "inconsistent"]
OVERALL = "overall"
"""The axis of the question which trace is better as a whole: one of its own, no mean of the others."""
MARGIN = 1e-9
"""Scores that are no further apart are a tie (contract §2, --margin)."""

PREFERENCES: dict[str, Any] = {
    **dict.fromkeys(("record_id", "model_a", "model_b", "axis", "judge"), pl.String),
    **dict.fromkeys(("order_ab", "order_ba"), pl.Enum(["A", "B", "tie"])),
    "outcome": pl.Enum(["A", "B", "tie", "inconsistent"]),
    **dict.fromkeys(("reason", "failure", "reason_ba"), pl.String),
    **dict.fromkeys(("evidence_ab", "evidence_ab_found", "evidence_ba", "evidence_ba_found"), pl.String),
    **dict.fromkeys(("score_a", "score_b"), pl.Float64),
    **dict.fromkeys(("call_ab", "call_ba"), pl.String),
}
"""Column -> dtype of `preferences.parquet`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which of two traces of a record is better on an axis: a row of `preferences.parquet`.

    Attributes:
        record_id: Of the question that both answer.
        model_a, model_b: Whose traces.
        axis: Of the rubric, or `overall`.
        judge: The judge id.
        order_ab: What was said with the trace of `model_a` first; None where nothing usable was, or nobody was asked.
        order_ba: What was said with the other first, in the same letters.
        outcome: What holds in both orders; `inconsistent` where they differ, None with a `failure`.
        reason, reason_ba: The judge's, with `model_a` first and with the other.
        failure: Why there is no outcome.
        evidence_ab, evidence_ba: A quote from the trace that was called better.
        evidence_ab_found, evidence_ba_found: How it was found there: exact, normalised, near, no.
        score_a, score_b: The scores that were compared, where it comes from two runs.
        call_ab, call_ba: Their rows in `calls.parquet`.
    """

    record_id: str
    model_a: str
    model_b: str
    axis: str
    judge: str
    order_ab: Preferred | None = None
    order_ba: Preferred | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    failure: str | None = None
    reason_ba: str | None = None
    evidence_ab: str | None = None
    evidence_ab_found: str | None = None
    evidence_ba: str | None = None
    evidence_ba_found: str | None = None
    score_a: float | None = None
    score_b: float | None = None
    call_ab: str | None = None
    call_ba: str | None = None


def settle(order_ab: Preferred | None, order_ba: Preferred | None) -> Outcome | None:
    """What two orders say together (contract §2): the same twice is that, else `inconsistent`; None if one failed."""
    if order_ab is None or order_ba is None:
        return None
    return order_ab if order_ab == order_ba else "inconsistent"


def build_preferences(preferences: Iterable[Preference]) -> pl.DataFrame:
    """Their rows, in order."""
    return pl.DataFrame([asdict(one) for one in preferences], schema=PREFERENCES)
