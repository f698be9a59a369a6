"""Points -> the non-decreasing steps that lie nearest to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Steps", "fit_steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A non-decreasing function: straight lines between its points, level beyond the first and the last.

    Attributes:
        at: Where its points are, ascending.
        to: Its values there, never falling.
    """

    at: tuple[float, ...]
    to: tuple[float, ...]

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Its values at these places, in their order."""
        return np.asarray(np.interp(np.asarray(values, dtype=np.float64), self.at, self.to), dtype=np.float64)


def fit_steps(x: ArrayLike, y: ArrayLike) -> Steps:
    """Isotonic regression: the non-decreasing f that makes Σ (y - f(x))² least.

    Points of one x count as their mean, with their number as weight. Then neighbours that fall are pooled into their
    weighted mean until none does (pool adjacent violators); each block keeps its first and its last x.

    Args:
        x: What was measured, finite, any order, at least one.
        y: What it should have been, as many.

    Source:
        Ayer et al. (1955). As scikit-learn's IsotonicRegression, which a test holds it against.
    """
    places, which = np.unique(np.asarray(x, dtype=np.float64), return_inverse=True)
    weights = np.bincount(which).astype(np.float64)
    means = np.bincount(which, weights=np.asarray(y, dtype=np.float64)) / weights
    firsts, lasts, values = _pooled(means.tolist(), weights.tolist())
    points = dict(zip([*firsts, *lasts], values + values, strict=True))
    order = sorted(points)
    return Steps(at=tuple(float(places[one]) for one in order), to=tuple(points[one] for one in order))


def _pooled(means: Sequence[float], weights: Sequence[float]) -> tuple[list[int], list[int], list[float]]:
    """Of each block: its first and last place, and its value."""
    blocks: list[_Block] = []
    for place, (mean, weight) in enumerate(zip(means, weights, strict=True)):
        block = _Block(place, place, mean, weight)
        while blocks and blocks[-1].value >= block.value:
            block = _joined(blocks.pop(), block)
        blocks.append(block)
    return [one.first for one in blocks], [one.last for one in blocks], [one.value for one in blocks]


class _Block(NamedTuple):
    first: int
    last: int
    value: float
    weight: float


def _joined(one: _Block, other: _Block) -> _Block:
    weight = one.weight + other.weight
    return _Block(one.first, other.last, (one.value * one.weight + other.value * other.weight) / weight, weight)
