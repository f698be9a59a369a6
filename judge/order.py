"""Probes × a number -> the same units in another order, and their verdicts in the order of the record again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from math import factorial
from typing import TypeVar

from msgspec.structs import replace

from judge.probe import Probes

__all__ = ["as_given", "reordered"]

_T = TypeVar("_T")
_ENOUGH = 12
"""Units from which orders are drawn without a look at whether one came before: there are half a billion."""


def reordered(probes: Probes, number: int) -> Probes:
    """The units of one call in another order, the same for every record with as many.

    Args:
        probes: As the record has them.
        number: 0 for that order. The orders of 1, 2, … are no two alike, until there are no others: two units have one
            other order, so 2 is the order of the record again, and 3 is 1.
    """
    if not number:
        return probes
    places = _orders(len(probes.asked), number)
    if places == tuple(range(len(places))):
        return probes
    return replace(probes, asked=tuple(probes.asked[place] for place in places), places=places)


def as_given(probes: Probes, answers: Sequence[_T]) -> list[_T]:
    """What came of each unit in asking order -> the same in the order of the record."""
    if not probes.places:
        return list(answers)
    return [answer for _, answer in sorted(zip(probes.places, answers, strict=True), key=lambda pair: pair[0])]


@lru_cache(maxsize=1024)
def _orders(units: int, number: int) -> tuple[int, ...]:
    wanted = number % factorial(units) if units < _ENOUGH else number
    return next(order for place, order in enumerate(_drawn(units)) if place == wanted)


def _drawn(units: int) -> Iterator[tuple[int, ...]]:
    """The order of the record, and then drawn ones, each once."""
    seen = {tuple(range(units))}
    yield tuple(range(units))
    for draw in count():
        order = tuple(random.Random(f"order:{units}:{draw}").sample(range(units), units))
        if order not in seen:
            seen.add(order)
            yield order
