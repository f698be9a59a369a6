"""Scores -> how far models are apart on the records that they share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from judge.aggregate import interval

__all__ = ["Difference", "find_differences", "measure_difference"]

_EVERY_PAIR = 4  # models; of more, each is compared with the best
_HELD_AT_ONCE = 25_000  # records
_ROUNDING = 1e-9  # what is left of differences that cancel would need more records than a whole number can say
_BOTH_SIDES_AND_POWER = 1.96 + 0.84  # of the normal distribution: 95 % two-sided, 80 % power


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The trace score of one model less that of another, over the records that both have.

    Attributes:
        model, other: The one with the higher mean over all its records comes first.
        mean: In [-1, 1].
        low, high: Its 95 % interval; None below two records.
        interval: `bootstrap`, or `normal` above 20,000 records; None where there is no interval.
        n: Records that both have.
        needed: Records that would tell the two apart in four runs of five, if the truth is what is seen here; None
            where no number of records would, or where they do not vary.
    """

    model: str
    other: str
    mean: float
    low: float | None
    high: float | None
    interval: str | None
    n: int
    needed: int | None

    @property
    def separated(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def find_differences(scores: pl.DataFrame | pl.LazyFrame, *, seed: int = 0) -> list[Difference]:
    """Compare models on what they share, which tells them apart sooner than their two means do.

        d_i    = trace score of one - trace score of the other on record i; several traces of one count as their mean
        needed = ⌈((1.96 + 0.84) · sd(d) / |mean(d)|)²⌉

    Args:
        scores: The table of a run; a lazy one of any length is read in portions.
        seed: Of the bootstrap.

    Returns:
        Every pair of up to four models, else each against the best; best first. Pairs without a common record are
        left out, and records without a model.
    """
    scored = scores.lazy().select("record_id", "model", "trace_score").drop_nulls()
    models, records = _ranked(scored)
    pairs = list(combinations(models, 2))
    if len(models) > _EVERY_PAIR:
        pairs = pairs[: len(models) - 1]  # those with the first
    apart: dict[tuple[str, str], list[pl.Series]] = {pair: [] for pair in pairs}
    for means in _portions(scored, records) if pairs else ():
        for pair, portions in apart.items():
            portions.append(_apart(means, *pair))
    found = [(pair, pl.concat(portions)) for pair, portions in apart.items()]
    return [measure_difference(*pair, values, seed=seed) for pair, values in found if len(values)]


def _ranked(scored: pl.LazyFrame) -> tuple[Sequence[str], int]:
    """Models, the best first, and how many records they have together."""
    of_each = pl.col("trace_score").mean().alias("mean"), pl.len().alias("n")
    models = scored.group_by("model").agg(of_each).sort("mean", "model", descending=(True, False))
    found = models.collect(engine="streaming")
    return found["model"].to_list(), int(found["n"].sum())


def _portions(scored: pl.LazyFrame, records: int) -> Iterator[dict[str, pl.DataFrame]]:
    """The mean of each id, by model; ids are dealt out by their hash, so that a portion has all traces of its ids."""
    portions = -(-records // _HELD_AT_ONCE)
    for number in range(portions):
        dealt = scored.filter(pl.col("record_id").hash() % portions == number) if portions > 1 else scored
        held = dealt.collect(engine="streaming").sort("record_id", "model", "trace_score")  # whose sums are then fixed
        means = held.group_by("model", "record_id", maintain_order=True).agg(pl.col("trace_score").mean())
        yield {str(model): frame for (model,), frame in means.partition_by(["model"], as_dict=True).items()}


def _apart(means: dict[str, pl.DataFrame], model: str, other: str) -> pl.Series:
    if model not in means or other not in means:
        return pl.Series("trace_score", [], pl.Float64)
    both = means[model].join(means[other], on="record_id", maintain_order="left")
    return both["trace_score"] - both["trace_score_right"]


def measure_difference(model: str, other: str, apart: pl.Series, *, seed: int = 0) -> Difference:
    """How far two models are apart, as `find_differences` has it.

    Args:
        model: Whose scores.
        other: Whose are taken from them.
        apart: The score of the first less that of the second, record by record; at least one, without nulls.
        seed: Of the bootstrap.
    """
    mean, sd = apart.mean(), apart.std()
    assert isinstance(mean, float)
    low, high, method = interval(apart, seed=seed)
    needed = _needed(mean, sd) if isinstance(sd, float) else None
    return Difference(
        model=model, other=other, mean=mean, low=low, high=high, interval=method, n=len(apart), needed=needed
    )


def _needed(mean: float, sd: float) -> int | None:
    return math.ceil((_BOTH_SIDES_AND_POWER * sd / mean) ** 2) if min(abs(mean), sd) > _ROUNDING else None
