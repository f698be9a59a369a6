"""Two rubrics -> what the first says and the second does not: what an export loses is found by importing it again."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from judge.axis import Criteria, Criterion, polarity_of
from judge.rubric import Rubric

__all__ = ["find_losses"]

_Place: TypeAlias = tuple[int, ...]
_Fact: TypeAlias = tuple[str, _Place, Any]
_NOTHING: Final[tuple[object, ...]] = (None, "", (), {})
_SHOWN: Final = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60


def find_losses(before: Rubric, exported: str, after: Rubric) -> list[str]:
    """A line a field.

    Args:
        before: The rubric.
        exported: Name of its axis of criteria that was exported.
        after: What its export says.
    """
    named = next((name for name, axis in after.axes.items() if isinstance(axis, Criteria)), "")
    there = {(field, place): value for field, place, value in _facts(after, named)}
    gone: dict[str, list[Any]] = {}
    for field, place, value in _facts(before, exported):
        if value not in _NOTHING and there.get((field, place)) != value:
            gone.setdefault(field, []).append(value)
    return [_line(field, values) for field, values in gone.items()]


def _line(field: str, values: list[Any]) -> str:
    shown = _SHOWN.repr(values[0])
    return f"{field} {shown}" if len(values) == 1 else f"{field} {shown} and {len(values) - 1} more"


def _facts(rubric: Rubric, exported: str) -> Iterator[_Fact]:
    for field in ("name", "version", "description", "guidelines"):
        yield field, (), getattr(rubric, field)
    yield from ((f"meta.{key}", (), value) for key, value in rubric.meta.items())
    for name, axis in rubric.axes.items():
        body = axis.model_dump(exclude={"criteria"})
        at = "axis" if name == exported else f"axes.{name}"
        yield f"{at}.name", (), name
        yield from ((f"{at}.{key}", (), value) for key, value in body.items())
        if isinstance(axis, Criteria):
            yield from _of_criteria(axis, axis.criteria, f"{at}.criteria", ())


def _of_criteria(axis: Criteria, criteria: tuple[Criterion, ...], at: str, within: _Place) -> Iterator[_Fact]:
    for number, one in enumerate(criteria):
        place = (*within, number)
        yield from ((f"{at}.{field}", place, getattr(one, field)) for field in ("id", "text", "importance"))
        # Said or not, they count the same: the sign of points has a polarity, and importance a weight.
        yield f"{at}.polarity", place, polarity_of(one)
        yield f"{at}.points", place, axis.worth(one)
        yield f"{at}.gate", place, one.gate or None
        yield from ((f"{at}.meta.{key}", place, value) for key, value in one.meta.items())
        yield from _of_criteria(axis, one.children, at, place)
