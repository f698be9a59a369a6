"""Scores of the same records, asked several times -> how much of their variance is the judge's noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import polars as pl

from judge.aggregate import drawn_means

__all__ = ["LITTLE", "Variance", "split_variance"]

LITTLE: Final = 0.1
"""Share of the variance that noise may be, for the number of asks that are enough."""
_SURELY = 1e-9  # 9 · 0.1 / 0.9 is a little more than 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """Where the variance of one measure comes from; one-way random effects, the records being the groups.

        MS_within  = Σ_i Σ_j (y_ij − ȳ_i)² / Σ_i (m_i − 1)        i: records, j: asks, m_i: asks of a record
        MS_between = Σ_i m_i (ȳ_i − ȳ)² / (a − 1)                 a: records, N = Σ m_i, ȳ = Σ m_i ȳ_i / N
        m_0        = (N − Σ m_i² / N) / (a − 1)
        noise      = MS_within                                    of one ask, unbiased
        between    = (MS_between − MS_within) / m_0               unbiased; below 0 it is cut to 0
        share      = noise / (between + noise)

    Attributes:
        records: Those that were asked at least twice and scored each time they count.
        asks: Of all of them.
        noise, between: As above; None below two records.
        clipped: `between` was below 0: the records differ less than one record differs from itself.
        share, low, high: Share of noise with its 95 % interval over records; None where there is no variance at all.
        standard_error: Of the mean over these records with one ask each, by noise alone: √(noise / records).
        enough: Asks to average, so that noise is at most a tenth of the variance: the least k with
            (noise / k) / (between + noise / k) ≤ 0.1. None where no number is enough, as the records do not differ.
    """

    records: int
    asks: int
    noise: float | None = None
    between: float | None = None
    clipped: bool = False
    share: float | None = None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    enough: int | None = None


def split_variance(scores: pl.DataFrame, *, seed: int = 0) -> Variance:
    """Split the variance of one measure.

    Args:
        scores: Columns `line` and `value`, a row an ask of a record. Rows without a value do not count, nor do records
            with one row.
        seed: Of the bootstrap.

    Source:
        One-way random effects with unequal groups: Searle, Casella and McCulloch, Variance Components, 1992, 3.6.
    """
    records = _sums(scores)
    asks = int(records["m"].sum())
    if len(records) < 2:
        return Variance(records=len(records), asks=asks)
    found = _components(records.mean().with_columns(a=pl.lit(float(len(records))))).row(0, named=True)
    noise, between = found["within"], max(found["between"], 0.0)
    low, high = _interval(records, seed)
    total = noise + between
    return Variance(
        records=len(records),
        asks=asks,
        noise=noise,
        between=between,
        clipped=found["between"] < 0,
        share=noise / total if total else None,
        low=low if total else None,
        high=high if total else None,
        standard_error=sqrt(noise / len(records)),
        enough=_enough(noise, between),
    )


def _sums(scores: pl.DataFrame) -> pl.DataFrame:
    """What is needed of a record: m_i, m_i², Σ_j (y_ij − ȳ_i)², m_i ȳ_i, m_i ȳ_i²."""
    mean = pl.col("value").mean()
    known = (
        scores.drop_nulls("value")
        .group_by("line")
        .agg(m=pl.len().cast(pl.Float64), mean=mean, inside=((pl.col("value") - mean) ** 2).sum())
    )
    asked_again = known.filter(pl.col("m") > 1).sort("line")
    m, mean = pl.col("m"), pl.col("mean")
    return asked_again.select("m", "inside", squared=m**2, first=m * mean, second=m * mean**2)


def _components(means: pl.DataFrame) -> pl.DataFrame:
    """Noise and variance between records of `Variance`, from means of `_sums` over `a` records, a row each."""
    a, total = pl.col("a"), pl.col("a") * pl.col("m")
    within = a * pl.col("inside") / (total - a)
    outside = a * pl.col("second") - (a * pl.col("first")) ** 2 / total
    each = (total - a * pl.col("squared") / total) / (a - 1)
    return means.select(within=within, between=(outside / (a - 1) - within) / each)


def _interval(records: pl.DataFrame, seed: int) -> tuple[float | None, float | None]:
    """Percentiles of the share in draws of records; a draw without any variance tells nothing."""
    drawn = drawn_means(records, seed=seed).with_columns(a=pl.lit(float(len(records))))
    within, between = pl.col("within"), pl.col("between").clip(lower_bound=0.0)
    share = _components(drawn).select(share=within / (within + between))["share"]
    known = share.filter(share.is_finite())
    return known.quantile(0.025, "linear"), known.quantile(0.975, "linear")


def _enough(noise: float, between: float) -> int | None:
    if not noise:
        return 1
    return max(1, ceil((1 - LITTLE) / LITTLE * noise / between - _SURELY)) if between else None
