"""Two columns -> their rank correlation, and whether it could be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

__all__ = ["Correlation", "correlate_ranks"]

_ALMOST_ONE = 1 - 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A rank correlation.

    Attributes:
        rho: In [-1, 1].
        low, high: Its 95 % interval.
        z: How many standard errors it is away from 0; 2.576 for p = 0.01.
        n: Pairs of values behind it.
    """

    rho: float
    low: float
    high: float
    z: float
    n: int


def correlate_ranks(frame: pl.DataFrame, one: str, other: str, *, within: Sequence[str]) -> Correlation | None:
    """Spearman's correlation within groups, pooled.

        u   = (rank - (m + 1)/2) / (m + 1)      ranks in a group of m rows, ties at their mean
        rho = Σ u·v / √(Σ u² · Σ v²)            over all groups; with one group it is Spearman's
        z   = atanh(rho) / √(1.06 / (n - g - 2))    n rows in g groups

    Groups may differ in both columns without a row of a group being moved by it: a model that writes more and is
    better makes no correlation.

    Args:
        frame: Rows with a null in either column are left out, and groups of one row.
        one: Name of a column of numbers.
        other: Name of another.
        within: Columns that name the groups.

    Returns:
        None where there are too few rows, or a column does not vary within any group.

    Source:
        The standard error is Fieller, Hartley and Pearson's (1957) for one group. With more, a degree of freedom is
        taken off for each.
    """
    known = frame.drop_nulls((one, other)).filter(pl.len().over(within) > 1)
    ranked = known.select(*within, *(_centred(name, within).alias(name) for name in (one, other)))
    freedom = ranked.height - ranked.select(within).n_unique() - 2
    rho = ranked.select(pl.corr(one, other)).item() if freedom > 0 else None
    if rho is None or math.isnan(rho):
        return None
    angle, error = math.atanh(min(max(rho, -_ALMOST_ONE), _ALMOST_ONE)), math.sqrt(1.06 / freedom)
    low, high = math.tanh(angle - 1.96 * error), math.tanh(angle + 1.96 * error)
    return Correlation(rho=rho, low=low, high=high, z=angle / error, n=ranked.height)


def _centred(name: str, within: Sequence[str]) -> pl.Expr:
    size = pl.len().over(within)
    return pl.col(name).rank("average").over(within) / (size + 1) - 0.5
