"""Counts of every record -> Estimates: 95 % percentile intervals by drawing records.

All units of a record go together, as they share a trace and a reply: drawing units one by one would make intervals
too narrow. A draw takes as many records as there are, with replacement; 2,000 of them, from a seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.statistics.estimate import Estimate, Stack, Statistic

__all__ = ["DRAWS", "ONE_RECORD", "Draws", "interval_of", "record_weights"]

DRAWS = 2_000
_LEAST_DEFINED = 0.95
"""Of the draws: with fewer, those left would be a choice of lucky ones."""
_HELD = 4_000_000
"""Numbers of the draws that are held at once."""
_FEW_KINDS = 1_000
_KEPT_RECORDS = 50_000
"""Up to which the draws of records are kept, a byte a record and draw."""
ONE_RECORD = "one record has no interval"


class Draws:
    """Counts of records, added up over all of them and over each draw.

    Statistics of one object share its draws, so that differences between them are paired. Records that count nothing
    are drawn too: that a draw has more or less to count is part of what it tells.

    Args:
        per_record: (records, …): counts that may be added up, whatever shape they have.
        seed: Of the draws.
    """

    def __init__(self, per_record: ArrayLike, *, seed: int = 0) -> None:
        counts = np.asarray(per_record, dtype=np.float64)
        self.whole: Stack = counts.sum(axis=0)
        telling = counts.any(axis=tuple(range(1, counts.ndim))).sum()
        self._drawn = _draw(counts, seed) if telling > 1 else None

    def estimate(self, statistic: Statistic) -> Estimate:
        """The statistic of all records, and its interval over the draws."""
        whole = statistic(self.whole)
        if whole.value is None:
            return whole
        if self._drawn is None:
            return Estimate(value=whole.value, reason=ONE_RECORD)
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

    Records with the same counts are as good as one another. Where these kinds are few, only how many of each are drawn
    is worked out, a multinomial; it takes a few numbers a draw, however many records there are.
    """
    flat = counts.reshape(len(counts), -1)
    given = flat.any(axis=0)
    rows = np.ascontiguousarray(flat[:, given])
    kinds = Counter(row.tobytes() for row in rows)  # sorting long rows would take longer than all else
    drawn = np.zeros((DRAWS, flat.shape[1]))
    if len(kinds) <= _FEW_KINDS:
        ordered = sorted(kinds)  # so that the order of the records has no part in it
        alike = np.array([kinds[kind] for kind in ordered])
        times = np.random.default_rng(seed).multinomial(len(rows), alike / len(rows), size=DRAWS)
        drawn[:, given] = times.astype(np.float64) @ np.frombuffer(b"".join(ordered)).reshape(len(ordered), -1)
    else:
        drawn[:, given] = np.concatenate([some @ rows for some in record_weights(len(rows), len(rows), seed=seed)])
    return drawn.reshape(DRAWS, *counts.shape[1:])


def record_weights(records: int, points: int, *, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """How often each record is in each draw.

    Args:
        records: How many there are.
        points: How many numbers a draw is about to become, which decides how many draws are held at once.
        seed: Of the draws.

    Yields:
        (some draws, records), until there were 2,000 draws.
    """
    held = max(1, _HELD // max(records, points))
    times = _times(records, seed) if records <= _KEPT_RECORDS else None
    for start in range(0, DRAWS, held):
        stop = min(start + held, DRAWS)
        # Every portion has a seed of its own where they are not kept, or the last draws would need the first ones.
        some = _drawn_times(records, stop - start, (seed, start)) if times is None else times[start:stop]
        yield some.astype(np.float64)


@lru_cache(maxsize=1)
def _times(records: int, seed: int) -> NDArray[np.uint8]:
    """(2,000, records): kept, as many statistics of the same records follow one another."""
    held = max(1, _HELD // records)
    dice = np.random.default_rng(seed)
    parts = [_drawn_times(records, min(held, DRAWS - start), dice) for start in range(0, DRAWS, held)]
    return np.concatenate(parts)


def _drawn_times(records: int, draws: int, dice: np.random.Generator | tuple[int, int]) -> NDArray[np.uint8]:
    """How often each record is in each of some draws; 256 times is out of reach of any draw."""
    drawn = np.random.default_rng(dice).integers(records, size=(draws, records))
    drawn += records * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.uint8)
