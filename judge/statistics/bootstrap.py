"""Counts of every record -> Estimates: 95 % percentile intervals by drawing records.

All units of a record go together, as they share a trace and a reply: drawing units one by one would make intervals
too narrow. A draw takes as many records as there are, with replacement; 2,000 of them, from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.statistics.estimate import Estimate, Stack, Statistic

__all__ = ["DRAWS", "Draws", "interval_of", "record_weights"]

DRAWS = 2_000
_LEAST_DEFINED = 0.95
"""Of the draws: with fewer, those left would be a choice of lucky ones."""
_HELD = 4_000_000
"""Numbers of the draws that are held at once."""
_ONE_RECORD = "one record has no interval"


class Draws:
    """Counts of records, added up over all of them and over each draw.

    Statistics of one object share its draws, so that differences between them are paired.

    Args:
        per_record: (records, …): counts that may be added up, whatever shape they have.
        seed: Of the draws. The order of the records has no part in them.
    """

    def __init__(self, per_record: ArrayLike, *, seed: int = 0) -> None:
        counts = np.asarray(per_record, dtype=np.float64)
        self.whole: Stack = counts.sum(axis=0)
        self._drawn = _draw(counts, seed) if len(counts) > 1 else None

    def estimate(self, statistic: Statistic) -> Estimate:
        """The statistic of all records, and its interval over the draws."""
        whole = statistic(self.whole)
        if whole.value is None:
            return whole
        if self._drawn is None:
            return Estimate(value=whole.value, reason=_ONE_RECORD)
        low, high, reason = interval_of(statistic.of(self._drawn))
        return Estimate(value=whole.value, low=low, high=high, reason=reason)


def interval_of(values: Stack) -> tuple[float | None, float | None, str | None]:
    """The 2.5 % and 97.5 % percentiles of a statistic over draws.

    Args:
        values: (draws,); NaN where a draw left it undefined.

    Returns:
        `(low, high, None)`, or `(None, None, why)` where it is undefined in more than 5 % of the draws.
    """
    defined = values[~np.isnan(values)]
    if len(defined) < _LEAST_DEFINED * len(values):
        return None, None, f"undefined in {1 - len(defined) / len(values):.0%} of the draws"
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high), None


def _draw(counts: Stack, seed: int) -> Stack:
    """(2,000, …): the counts of each draw.

    Records with the same counts are as good as one another, so that only how many of each kind are drawn matters: a
    multinomial, which takes a few numbers a draw where the labels are few.
    """
    flat = counts.reshape(len(counts), -1)
    kinds, alike = np.unique(flat, axis=0, return_counts=True)
    dice = np.random.default_rng(seed)
    held = max(1, _HELD // len(kinds))
    parts = [
        dice.multinomial(len(counts), alike / len(counts), size=min(held, DRAWS - start)) @ kinds
        for start in range(0, DRAWS, held)
    ]
    return np.concatenate(parts).reshape(DRAWS, *counts.shape[1:])


def record_weights(records: int, points: int, *, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """How often each record is in each draw, for statistics that no sum over records gives.

    Args:
        records: How many there are.
        points: How many numbers a draw is about to become, which decides how many are drawn at once.
        seed: Of the draws.

    Yields:
        (some draws, records), until there were 2,000 draws.
    """
    dice = np.random.default_rng(seed)
    held = max(1, _HELD // max(records, points))
    for start in range(0, DRAWS, held):
        drawn = dice.integers(records, size=(min(held, DRAWS - start), records))
        drawn += records * np.arange(len(drawn))[:, None]
        yield np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)
