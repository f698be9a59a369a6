"""PairOutcomes -> Polars frames: preferences, calls, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from msgspec import structs

from judge.pairs.asking import PairOutcome
from judge.pairs.grouping import PairFailure
from judge.preference import build_preferences
from judge.table import Labels, build_calls

__all__ = ["Compared", "build_compared", "failure_row"]

_FAILURES: Mapping[str, Any] = {
    "line": pl.Int64,
    **dict.fromkeys(("record_id", "stage", "error", "message"), pl.String),
    **dict.fromkeys(("source", "model_a", "model_b", "axis", "order", "raw"), pl.String),
    "calls": pl.List(pl.String),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What comparing gave.

    Attributes:
        preferences: A row a pair and axis, in the order of the records; `judge.preference.PREFERENCES`.
        calls: A row a request that was sent.
        failures: A row for each thing that was not compared, records without a partner too.
    """

    preferences: pl.DataFrame
    calls: pl.DataFrame
    failures: pl.DataFrame


def build_compared(outcomes: Sequence[PairOutcome], failures: Iterable[PairFailure], labels: Labels) -> Compared:
    """The rows of these outcomes, in their order.

    Args:
        outcomes: Of pairs.
        failures: Of records that are in no pair; they come first.
        labels: Of the judge.
    """
    failed = [*failures, *(failure for outcome in outcomes for failure in outcome.failures)]
    return Compared(
        preferences=build_preferences(one for outcome in outcomes for one in outcome.preferences),
        calls=build_calls(((call, outcome.pair.a.record) for outcome in outcomes for call in outcome.calls), labels),
        failures=pl.DataFrame([failure_row(one) for one in failed], schema=dict(_FAILURES)),
    )


def failure_row(failed: PairFailure) -> dict[str, Any]:
    """Its columns, in the order of the contract."""
    own = {name: getattr(failed, name) for name in ("source", "model_a", "model_b", "order")}
    told = {**structs.asdict(failed.failure), **own, "calls": list(failed.calls)}
    return {name: told[name] for name in _FAILURES}
