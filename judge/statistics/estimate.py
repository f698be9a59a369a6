"""Counts -> Estimate: a number, or why there is none.

Inside this folder a statistic is a function over a stack of counts, one result a layer, so that one call measures the
data and its 2,000 draws; NaN marks a layer in which it is undefined. What leaves the folder is an `Estimate`, which
never holds NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Codes", "Estimate", "Stack", "Statistic", "ratio", "within"]

Stack: TypeAlias = NDArray[np.float64]
"""Counts, or numbers made of them; leading axes are layers."""
Codes: TypeAlias = NDArray[np.int64]
"""Classes as whole numbers from 0; below 0 where there is no usable label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: Finite; None where it is undefined.
        low, high: Of the interval; None where there is none.
        reason: Why the value, or only its interval, is None.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A statistic, and what it means that it is undefined.

    Attributes:
        of: Counts of every layer -> the number of each; NaN where it is undefined.
        undefined: When that is, in words.
    """

    of: Callable[[Stack], Stack]
    undefined: str

    def __call__(self, counts: ArrayLike) -> Estimate:
        """The number of one set of counts, without an interval."""
        value = float(self.of(np.asarray(counts, dtype=np.float64)))
        if np.isnan(value):
            return Estimate(value=None, reason=self.undefined)
        return Estimate(value=value)


def within(statistic: Statistic, part: Callable[[Stack], Stack]) -> Statistic:
    """A statistic of a part of the counts, so that several share one set of draws."""
    return Statistic(of=lambda counts: statistic.of(part(counts)), undefined=statistic.undefined)


def ratio(over: Stack, under: Stack) -> Stack:
    """The quotient; NaN where under is 0 or either is NaN."""
    over, under = np.broadcast_arrays(over, under)
    quotient: Stack = np.divide(over, under, out=np.full(over.shape, np.nan), where=under != 0)
    return quotient
