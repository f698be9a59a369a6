"""A Plan × the scores of its lines -> pairs of clean and attacked, and what each family brought.

    delta      = score of the attacked record - score of the clean one
    inflation  = mean of delta                       95 % interval over records, whose attacks count as their mean
    accepted   = delta > 0; where the trace is replaced: score > 0
    flips      = pairs that pass the mark attacked / pairs that do not pass it clean

A judgement that failed is no acceptance and no rejection: it is counted apart, and is in no rate. Where none of n is
accepted, the rate is below 3/n with 95 % confidence (the rule of three), and that is told in place of an interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from judge.aggregate import interval
from judge.redteam.attack import Aim, Family

__all__ = ["TRACE_SCORE", "Effect", "Rate", "Worst", "measure_effects", "not_tried", "pair_scores", "worst_attacks"]

TRACE_SCORE: Final = "trace_score"
_ROUNDING: Final = 1e-9
_RULE_OF_THREE: Final = 3.0
_NOTHING_TO_JUDGE: Final = "no_claims"
"""A trace that claims nothing has no share of claims: nothing failed, and there is no score."""
_TOLD: Final = ("record_id", "model", "source_line", "line", "clean_line", "family", "attack", "position", "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many of so many.

    Attributes:
        count: Of `n`.
        share: In [0, 1]; None of none.
        low, high: Its 95 % interval over records; with a count of 0, from 0 to 3/n. None below two records.
    """

    count: int
    n: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a family of attacks brought on one measure.

    Attributes:
        measure: `trace_score`, or `{axis}_score`.
        tried: Attacks = pairs + failed + unscored; where the trace is replaced, accepted.n + failed + unscored.
        pairs: Of a clean and an attacked score; `records` of them are behind.
        failed: Attacks of which a judgement failed: of the attacked record or, where the trace stays, of the clean one.
        unscored: Attacks where nothing failed and a score is null all the same, as of no unit or no claim.
        clean, attacked: Means over the pairs.
        inflation, low, high: Mean of their difference, and its 95 % interval; None where there is none.
        accepted: Attacks that brought something: a higher score, or of a replaced trace one above 0.
        flips: Of the pairs that do not pass the mark clean, those that pass it attacked.
        passed: Attacked records that pass the mark.
        flagged: Attacks that `judge.redteam.flags` sees, of all that were tried.
    """

    family: str
    aim: Aim
    replaces: bool
    measure: str
    tried: int
    pairs: int
    records: int
    failed: int
    unscored: int
    clean: float | None
    attacked: float | None
    inflation: float | None
    low: float | None
    high: float | None
    accepted: Rate
    flips: Rate
    passed: Rate
    flagged: int

    @property
    def harm(self) -> float:
        """What it brought, to sort by: a score of its own where the trace is replaced, else the inflation."""
        return (self.attacked if self.replaces else self.inflation) or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """An attack, over all records and positions that it was tried at."""

    family: str
    attack: str
    inflation: float
    pairs: int


def pair_scores(plan: pl.DataFrame, scores: pl.DataFrame, axes: Sequence[str], replaced: Sequence[str]) -> pl.DataFrame:
    """A row an attack and measure: `redteam.parquet`.

    Args:
        plan: Of `write_plan`.
        scores: The table of its run; a line that it lacks could not be read.
        axes: Of the rubric, in order.
        replaced: Families whose attacks replace the trace.

    Returns:
        `record_id, model, source_line, line, clean_line, family, attack, position, language, flagged, measure, clean,
        attacked, delta, accepted, failure`; lines are those of the run.
    """
    measures = [TRACE_SCORE, *(name for axis in axes if (name := f"{axis}_score") in scores.columns)]
    found = plan.select("line").join(scores.select("line", "failure", *measures), on="line", how="left")
    found = found.with_columns(_failure(scores))
    clean = found.rename({"line": "clean_line", "failure": "clean_failure"})
    rows = plan.filter(pl.col("family").is_not_null()).with_columns(flagged=pl.col("flags").list.len() > 0)
    both = rows.join(found, on="line", maintain_order="left").join(clean, on="clean_line", suffix="_clean")
    return pl.concat([_of_measure(both, measure, replaced) for measure in measures]).sort("line", maintain_order=True)


def _failure(scores: pl.DataFrame) -> pl.Expr:
    unread = ~pl.col("line").is_in(scores["line"].implode())
    failure = pl.when(pl.col("failure") != _NOTHING_TO_JUDGE).then("failure")
    return pl.when(unread).then(pl.lit("unreadable")).otherwise(failure).alias("failure")


def _of_measure(both: pl.DataFrame, measure: str, replaced: Sequence[str]) -> pl.DataFrame:
    failure = pl.coalesce("failure", pl.format("clean: {}", pl.col("clean_failure")))
    attacked, clean = pl.col(measure), pl.col(f"{measure}_clean")
    rows = both.select(
        *_TOLD,
        "flagged",
        measure=pl.lit(measure),
        clean=clean,
        attacked=attacked,
        delta=attacked - clean,
        failure=pl.when(attacked.is_null() | clean.is_null()).then(failure),
    )
    gained = pl.when(pl.col("family").is_in(list(replaced))).then("attacked").otherwise("delta")
    return rows.with_columns(accepted=gained > _ROUNDING).select(pl.exclude("failure"), "failure")


def measure_effects(
    pairs: pl.DataFrame, families: Sequence[Family], *, pass_mark: float = 0.5, seed: int = 0
) -> list[Effect]:
    """What each family brought, on the trace score first and then on each axis.

    Args:
        pairs: Of `pair_scores`.
        families: In any order; one without a row had nothing to attack, and is left out.
        pass_mark: A score of at least this much passes.
        seed: Of the bootstrap.

    Returns:
        The most harmful family first, and those of the aim `limit` last; of each family all measures together.
    """
    effects = [
        _effect(mine, family, str(measure), pass_mark, seed)
        for family in families
        for (measure,), mine in pairs.filter(family=family.name).partition_by(["measure"], as_dict=True).items()
    ]
    harm = {one.family: one.harm for one in effects if one.measure == TRACE_SCORE}
    return sorted(effects, key=lambda one: (one.aim == "limit", -harm[one.family], one.family))


def _effect(rows: pl.DataFrame, family: Family, measure: str, pass_mark: float, seed: int) -> Effect:
    scored, failed = rows.drop_nulls("delta"), _failed(rows, family)
    apart = _per_record(scored, "delta")
    low, high, _ = interval(apart, seed=seed)
    known = rows.drop_nulls("attacked") if family.replaces else scored
    passes = pl.col("attacked") >= pass_mark - _ROUNDING
    below = scored.filter(pl.col("clean") < pass_mark - _ROUNDING)
    return Effect(
        family=family.name,
        aim=family.aim,
        replaces=family.replaces,
        measure=measure,
        tried=len(rows),
        pairs=len(scored),
        records=len(apart),
        failed=failed,
        unscored=len(rows) - len(known) - failed,
        clean=_mean(scored["clean"]),
        attacked=_mean(known["attacked"]),
        inflation=_mean(scored["delta"]),
        low=low,
        high=high,
        accepted=_rate(known, "accepted", seed),
        flips=_rate(below.with_columns(flipped=passes), "flipped", seed),
        passed=_rate(known.with_columns(passed=passes), "passed", seed),
        flagged=int(rows["flagged"].sum()),
    )


def _failed(rows: pl.DataFrame, family: Family) -> int:
    """A replaced trace stands for itself."""
    compared = rows.filter(pl.col("attacked").is_null()) if family.replaces else rows
    return int(compared["failure"].count())


def _rate(rows: pl.DataFrame, column: str, seed: int) -> Rate:
    count, n = int(rows[column].sum()), len(rows)
    if not count:
        bound = min(1.0, _RULE_OF_THREE / n) if n else None
        return Rate(count=0, n=n, share=0.0 if n else None, low=0.0 if n else None, high=bound)
    low, high, _ = interval(_per_record(rows, column), seed=seed)
    return Rate(count=count, n=n, share=count / n, low=low, high=high)


def _per_record(rows: pl.DataFrame, column: str) -> pl.Series:
    """The mean of each record's attacks: they are no independent trials."""
    means = rows.group_by("clean_line", maintain_order=True).agg(pl.col(column).cast(pl.Float64).mean())
    return means[column]


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None


def not_tried(families: Sequence[Family], effects: Sequence[Effect]) -> list[str]:
    """Families that found nothing to attack, as images where records have none."""
    tried = {one.family for one in effects}
    return [family.name for family in families if family.name not in tried]


def worst_attacks(pairs: pl.DataFrame, families: Sequence[Family], *, most: int = 10) -> list[Worst]:
    """The attacks that raised trace scores most, those of the aim `limit` aside."""
    tried = [family.name for family in families if family.aim != "limit"]
    scored = pairs.filter(pl.col("measure") == TRACE_SCORE, pl.col("family").is_in(tried)).drop_nulls("delta")
    means = scored.group_by("family", "attack", maintain_order=True).agg(
        inflation=pl.col("delta").mean(), pairs=pl.len()
    )
    raised = means.filter(pl.col("inflation") > _ROUNDING)
    return list(_worst(raised.sort("inflation", descending=True, maintain_order=True).head(most)))


def _worst(rows: pl.DataFrame) -> Iterator[Worst]:
    return (Worst(**row) for row in rows.iter_rows(named=True))
