"""Scores of the same records -> Preferences, free of calls: which of two models has the higher one, axis by axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from judge.preference import MARGIN, OVERALL, PREFERENCES

__all__ = ["UNITS_DIFFER", "Unshared", "find_unshared", "prefer_by_score"]

UNITS_DIFFER = "units_differ"
"""Failure of a pair whose traces were asked about other units, so that their scores say nothing of each other."""
_NO_SCORE = "no_score"  # of an axis that has none although nothing failed, such as one whose units weigh nothing
_SAME = ("record_id", "judge", "axis")
_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshared:
    """Records that only one model of a pair has, so that they are in no preference.

    Attributes:
        only_model, only_other: How many only the first has, and only the second.
        records: Ids of the first few.
    """

    model: str
    other: str
    only_model: int
    only_other: int
    records: tuple[str, ...]


def prefer_by_score(scores: pl.DataFrame, models: Sequence[str], *, margin: float = MARGIN) -> pl.DataFrame:
    """Preferences of all pairs of models, each judge for itself.

        A where score_a - score_b > margin, B where score_b - score_a > margin, else a tie

    Args:
        scores: A row per record, model, judge and axis, with columns `record_id, model, judge, axis, score, failure,
            asked`; `asked` stands for the units that the trace was asked about, null where there were none. The axis
            `overall` is the trace score.
        models: In the order in which they are paired.
        margin: Scores that are no further apart are a tie; at least 0.

    Returns:
        Columns of `PREFERENCES`; nobody was asked in any order, so both are null. Pair by pair in the order of the
        first model's rows. No row is made for an axis that neither trace was asked about.
    """
    of_each = {str(model): frame for (model,), frame in scores.partition_by(["model"], as_dict=True).items()}
    pairs = [_pair(of_each[a], of_each[b], a, b, margin) for a, b in combinations(models, 2)]
    return pl.concat([pl.DataFrame(schema=PREFERENCES), *pairs])


def find_unshared(scores: pl.DataFrame, models: Sequence[str]) -> list[Unshared]:
    """Pairs of models that do not have the same records, and which records these are."""
    ids = {model: scores.filter(model=model)["record_id"].unique(maintain_order=True) for model in models}
    found = (_unshared(a, b, ids[a], ids[b]) for a, b in combinations(models, 2))
    return [one for one in found if one.records]


def _unshared(model: str, other: str, mine: pl.Series, theirs: pl.Series) -> Unshared:
    only_mine, only_theirs = (a.filter(~a.is_in(b.implode())) for a, b in ((mine, theirs), (theirs, mine)))
    named = (*only_mine.head(_NAMED), *only_theirs.head(_NAMED))
    return Unshared(model=model, other=other, only_model=len(only_mine), only_other=len(only_theirs), records=named)


def _pair(first: pl.DataFrame, second: pl.DataFrame, model: str, other: str, margin: float) -> pl.DataFrame:
    both = first.join(second, on=_SAME, suffix="_b", maintain_order="left")
    known = pl.any_horizontal(pl.col("score", "score_b", "asked", "asked_b").is_not_null()) | pl.col("axis").eq(OVERALL)
    apart = pl.col("score") - pl.col("score_b")
    outcome = pl.when(apart > margin).then(pl.lit("A")).when(-apart > margin).then(pl.lit("B"))
    judged = both.filter(known).with_columns(failure=_failure())
    return judged.select(
        *("record_id", pl.lit(model).alias("model_a"), pl.lit(other).alias("model_b"), "axis", "judge"),
        *_nulls(("order_ab", "order_ba")),
        pl.when(pl.col("failure").is_null()).then(outcome.otherwise(pl.lit("tie"))).alias("outcome"),
        _reason(model, other).alias("reason"),
        "failure",
        *_nulls(("reason_ba", "evidence_ab", "evidence_ab_found", "evidence_ba", "evidence_ba_found")),
        *(pl.col("score").alias("score_a"), "score_b"),
        *_nulls(("call_ab", "call_ba")),
    ).cast(pl.Schema(PREFERENCES))


def _failure() -> pl.Expr:
    """The first side's, then the second's; a score that is missing without one has no number all the same."""
    sides = ((pl.col("score"), pl.col("failure")), (pl.col("score_b"), pl.col("failure_b")))
    missing = [pl.when(score.is_null()).then(why.fill_null(_NO_SCORE)) for score, why in sides]
    differ = pl.when(pl.col("asked") != pl.col("asked_b")).then(pl.lit(UNITS_DIFFER))
    return pl.coalesce(*missing, differ)


def _reason(model: str, other: str) -> pl.Expr:
    """Which side has no score."""
    first, second = pl.col("score").is_null(), pl.col("score_b").is_null()
    return (
        pl.when(first & second)
        .then(pl.lit(f"neither {model} nor {other} has a score"))
        .when(first)
        .then(pl.lit(f"{model} has no score"))
        .when(second)
        .then(pl.lit(f"{other} has no score"))
        .when(pl.col("failure").eq(UNITS_DIFFER))
        .then(pl.lit("the two traces were asked about other units"))
    )


def _nulls(names: Iterable[str]) -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(name) for name in names]
