"""Pairs of numbers -> how far one goes up with the other: Pearson, Spearman, Kendall, AUC.

Pairs come as points x_i, y_i with weights w_i: how often a draw holds a point, or how many units a cell of a confusion
table has. W = Σ w_i.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.statistics.bootstrap import ONE_RECORD, interval_of, record_weights
from judge.statistics.estimate import Estimate, Stack, Statistic, ratio

__all__ = ["RANKED", "Correlation", "correlate", "of_table"]

Correlation: TypeAlias = Literal["spearman", "kendall", "pearson", "auc"]
_Of: TypeAlias = Callable[[Stack, Stack, Stack], Stack]
_MOST_POINTS = 3_000
"""Different points up to which every pair of them is compared in every draw, for Kendall's tau."""
_ROWS_AT_ONCE = 500


def _pearson(weights: Stack, x: Stack, y: Stack) -> Stack:
    """Σ w (x − x̄)(y − ȳ) / √(Σ w (x − x̄)² · Σ w (y − ȳ)²), in [−1, 1]."""
    return _correlation(weights, np.broadcast_to(x, weights.shape), np.broadcast_to(y, weights.shape))


def _correlation(weights: Stack, x: Stack, y: Stack) -> Stack:
    total = weights.sum(axis=-1, keepdims=True)
    dx, dy = (value - ratio((weights * value).sum(axis=-1, keepdims=True), total) for value in (x, y))
    spread = np.sqrt((weights * dx**2).sum(axis=-1) * (weights * dy**2).sum(axis=-1))
    several = _varies(weights, x) & _varies(weights, y)
    return np.clip(ratio((weights * dx * dy).sum(axis=-1), np.where(several, spread, 0.0)), -1, 1)


def _varies(weights: Stack, values: Stack) -> NDArray[np.bool_]:
    """Whether what is drawn is more than one number: asked of the numbers, as sums of equal ones may round to more."""
    drawn = weights > 0
    varies: NDArray[np.bool_] = np.where(drawn, values, -np.inf).max(axis=-1) > np.where(drawn, values, np.inf).min(
        axis=-1
    )
    return varies


def _spearman(weights: Stack, x: Stack, y: Stack) -> Stack:
    """Pearson's correlation of the ranks; equal numbers share the mean of their ranks."""
    return _correlation(weights, _ranks(weights, x), _ranks(weights, y))


def _ranks(weights: Stack, values: Stack) -> Stack:
    """Rank of each point, up to a constant: the weight below it and half of that beside it."""
    order = np.argsort(values, kind="stable")
    group = np.concatenate([[0], np.cumsum(np.diff(values[order]) > 0)])
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    beside = np.add.reduceat(weights[..., order], starts, axis=-1)
    middle = np.cumsum(beside, axis=-1) - beside / 2
    ranks = np.empty(weights.shape)
    ranks[..., order] = middle[..., group]
    return ranks


def _kendall(weights: Stack, x: Stack, y: Stack) -> Stack:
    """Tau-b: (P − Q) / √((n₀ − n₁)(n₀ − n₂)), P and Q the concordant and discordant pairs of units.

    n₀ = W(W − 1)/2 pairs, of which n₁ are equal in x and n₂ in y.
    """
    points, place = np.unique(np.stack([x, y]), axis=1, return_inverse=True)
    merged = _merged(weights, place.ravel(), points.shape[1])
    above = np.zeros(weights.shape[:-1])
    for start in range(0, points.shape[1], _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        # Whole numbers below 2²⁴, which 32 bits hold as they are.
        signs = np.prod([np.sign(value[rows, None] - value) for value in points], axis=0).astype(np.float32)
        above += (merged[..., rows] * (merged.astype(np.float32) @ signs.T)).sum(axis=-1, dtype=np.float64)
    apart = [_apart(merged, value) for value in points]
    return np.clip(ratio(above, np.sqrt(apart[0] * apart[1])), -1, 1)


def _merged(weights: Stack, place: NDArray[np.intp], count: int) -> Stack:
    """Weights of points, added up where these are the same."""
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(count))
    merged: Stack = np.add.reduceat(weights[..., order], starts, axis=-1)
    return merged


def _apart(weights: Stack, values: Stack) -> Stack:
    """Twice the pairs that differ: W² − Σ_g w_g² over groups of equal numbers."""
    _, group = np.unique(values, return_inverse=True)
    alike = _merged(weights, group, int(group.max(initial=-1)) + 1)
    apart: Stack = weights.sum(axis=-1) ** 2 - (alike**2).sum(axis=-1)
    return apart


def _auc(weights: Stack, x: Stack, y: Stack) -> Stack:
    """The share of pairs, one unit of the upper y and one of the lower, in which x is the higher; ties count half."""
    given = np.unique(y[weights.reshape(-1, len(y)).any(axis=0)])
    if len(given) != 2:
        return np.full(weights.shape[:-1], np.nan)
    upper = weights * (y == given[1])
    ups = upper.sum(axis=-1)
    won = (upper * _ranks(weights, x)).sum(axis=-1) - ups**2 / 2
    return ratio(won, ups * (weights.sum(axis=-1) - ups))


_FUNCTIONS: dict[Correlation, _Of] = {"spearman": _spearman, "kendall": _kendall, "pearson": _pearson, "auc": _auc}
_CONSTANT = "one of the two is the same throughout, or there are fewer than two units"
_UNDEFINED: dict[Correlation, str] = {
    **dict.fromkeys(("spearman", "kendall", "pearson"), _CONSTANT),
    "auc": "the labels do not have exactly two values",
}
RANKED: tuple[Correlation, ...] = tuple(_FUNCTIONS)
"""Names of what `correlate` measures.

spearman   Pearson's correlation of ranks, equal numbers sharing the mean of theirs; in [−1, 1]
kendall    tau-b: (P − Q) / √((n₀ − n₁)(n₀ − n₂)), see Kendall 1945; in [−1, 1]
pearson    cov(x, y) / (sd(x) sd(y)); in [−1, 1]
auc        P(x_upper > x_lower) + ½ P(x_upper = x_lower) for labels y of exactly two values; in [0, 1]

The first three are null where x or y is constant; the last where y has one value, or more than two.
"""


def of_table(name: Correlation, positions: ArrayLike) -> Statistic:
    """A correlation of two raters' classes, over confusion tables: rows are x, columns y.

    Args:
        name: One of `RANKED`.
        positions: The number that each class stands for.
    """
    places = np.asarray(positions, dtype=np.float64)
    x, y = np.repeat(places, len(places)), np.tile(places, len(places))

    def of(tables: Stack) -> Stack:
        return _FUNCTIONS[name](tables.reshape(*tables.shape[:-2], -1), x, y)

    return Statistic(of=of, undefined=_UNDEFINED[name])


def correlate(name: Correlation, records: ArrayLike, x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> Estimate:
    """A correlation of two columns of numbers, with its interval over draws of records.

    Args:
        name: One of `RANKED`.
        records: (units,) the number of each unit's record, from 0.
        x: (units,) finite; of `auc`, the score.
        y: (units,) finite; of `auc`, the label.
        seed: Of the draws.

    Returns:
        Without an interval below two records, and for `kendall` above 3,000 different points.
    """
    record = np.asarray(records, dtype=np.int64)
    points = [np.asarray(values, dtype=np.float64) for values in (x, y)]
    statistic = Statistic(of=partial(_over, name, *points), undefined=_UNDEFINED[name])
    if not len(record):
        return Estimate(value=None, reason=_UNDEFINED[name])
    whole, count = statistic(np.ones(len(record))), int(record.max()) + 1
    if whole.value is None:
        return whole
    if len(np.unique(record)) < 2:
        return Estimate(value=whole.value, reason=ONE_RECORD)
    if name == "kendall" and np.unique(np.stack(points), axis=1).shape[1] > _MOST_POINTS:
        return Estimate(value=whole.value, reason=f"more than {_MOST_POINTS:,} different points: no interval")
    drawn = np.concatenate([statistic.of(weights) for weights in _drawn(record, count, seed)])
    low, high, reason = interval_of(drawn)
    return Estimate(value=whole.value, low=low, high=high, reason=reason)


def _over(name: Correlation, x: Stack, y: Stack, weights: Stack) -> Stack:
    return _FUNCTIONS[name](weights, x, y)


def _drawn(record: NDArray[np.int64], count: int, seed: int) -> Iterator[Stack]:
    """How often each point is in each draw, some draws at a time."""
    return (weights[:, record] for weights in record_weights(count, len(record), seed=seed))
