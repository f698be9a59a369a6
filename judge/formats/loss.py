"""Two rubrics -> what the first says and the second does not: what an export loses is found by importing it again."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from judge.axis import Criteria
from judge.criterion import Criterion, each_family, polarity_of
from judge.rubric import Rubric

__all__ = ["find_losses"]

_Fact: TypeAlias = tuple[str, str | int, Any]
"""A field, of which criterion, and what it says."""

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
    read = next((name for name, axis in after.axes.items() if isinstance(axis, Criteria)), "")
    kept = _criteria(before, exported).keys() & _criteria(after, read).keys()
    there = {(field, whose): value for field, whose, value in _facts(after, read, kept)}
    gone: dict[str, list[Any]] = {}
    for field, whose, value in _facts(before, exported, kept):
        if value not in _NOTHING and there.get((field, whose)) != value:
            gone.setdefault(field, []).append(value)
    return [_line(field, values) for field, values in gone.items()]


def _line(field: str, values: list[Any]) -> str:
    shown = _SHOWN.repr(values[0])
    return f"{field} {shown}" if len(values) == 1 else f"{field} {shown} and {len(values) - 1} more"


def _criteria(rubric: Rubric, name: str) -> Mapping[str, tuple[Criterion, Criterion | None]]:
    """Those of an axis by their ids, each with what it is a part of."""
    axis = rubric.axes.get(name)
    families = each_family(axis.criteria) if isinstance(axis, Criteria) else ()
    return {one.id: (one, parent) for parent, siblings in families for one in siblings}


def _facts(rubric: Rubric, exported: str, kept: Collection[str]) -> Iterator[_Fact]:
    for field in ("name", "version", "description", "guidelines"):
        yield field, "", getattr(rubric, field)
    yield from ((f"meta.{key}", "", value) for key, value in rubric.meta.items())
    for name, axis in rubric.axes.items():
        at = "axis" if name == exported else f"axes.{name}"
        yield f"{at}.name", "", name
        yield from ((f"{at}.{key}", "", value) for key, value in axis.model_dump(exclude={"criteria"}).items())
        if isinstance(axis, Criteria):
            for place, (one, parent) in enumerate(_criteria(rubric, name).values()):
                whose = one.id if one.id in kept else place  # else it has another id there, and the same place
                told = _of_criterion(axis, one, parent)
                yield from ((f"{at}.criteria.{field}", whose, value) for field, value in told)


def _of_criterion(axis: Criteria, one: Criterion, parent: Criterion | None) -> Iterator[tuple[str, Any]]:
    """Polarity and points as they count: the sign of points says a polarity too, and an importance has a weight."""
    yield from (("id", one.id), ("text", one.text), ("within", parent and parent.id))
    yield from (("polarity", None if one.children else polarity_of(one)), ("points", axis.worth(one)))
    yield from (("importance", one.importance), ("gate", one.gate or None))
    yield from ((f"meta.{key}", value) for key, value in one.meta.items())
