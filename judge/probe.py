"""Record × Rubric -> Probes: what is asked, and at what granularity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from judge.axis import (
    RATINGS,
    AskedKind,
    Axis,
    Checklist,
    Criteria,
    Faithfulness,
    Kind,
    Scale,
    ScoredAxis,
    asked_kind,
    takes_units,
)
from judge.criterion import polarity_of
from judge.errors import RecordError
from judge.record import Polarity, Record, Unit
from judge.rubric import Rubric
from judge.view import View

__all__ = ["MAX_UNITS_PER_CALL", "AskedUnit", "Granularity", "Probes", "batches", "build_probes"]

_RATINGS: Mapping[int, str] = MappingProxyType(dict.fromkeys(RATINGS, ""))
Granularity = Literal["trace", "axis", "unit"]

MAX_UNITS_PER_CALL = 16
"""Contract §7. Longer lists lose units in the reply, and a short list of schemas stays compiled at the server."""


class AskedUnit(Struct, frozen=True, kw_only=True, gc=False):
    """One unit or criterion with its axis, or the rating of all criteria of an axis.

    Attributes:
        weight: What it counts in coverage, at least 0: the unit's weight, the size of the criterion's points, or the
            share that a leaf has in its tree.
        points, polarity, gate: Of a criterion; see `axis.Criterion`. None of a unit.
        within: Of a leaf: the texts of what it is a part of, from the root of its tree.
        criteria: Of a rating: what is rated, however many there are; empty for all others.
        levels: Of a scale: level -> anchor, from the lowest. Of a rating: what it may be. Empty for all others.
        view: What is shown of the record.
        unmet_if_unclear: A criterion that the judge cannot assess counts as one that does not hold.
    """

    axis: str
    unit: Unit
    weight: float
    kind: AskedKind = "checklist"
    points: float | None = None
    polarity: Polarity | None = None
    gate: bool | None = None
    unmet_if_unclear: bool = False
    within: tuple[str, ...] = ()
    criteria: tuple[AskedUnit, ...] = ()
    levels: Mapping[int, str] = MappingProxyType({})
    view: View = None


class Probes(Struct, frozen=True, kw_only=True, gc=False):
    """The units of one record that one call asks about, in asking order (1 to 16); all of one kind and one view.

    Attributes:
        portion: Of the trace, where a call is about a part of it only.
        places: Of each unit among them as the record has them, from 0; empty where they are asked in that order.
    """

    record: Record
    asked: tuple[AskedUnit, ...]
    portion: str = ""
    places: tuple[int, ...] = ()

    @property
    def kind(self) -> AskedKind:
        """Of every unit."""
        return self.asked[0].kind

    @property
    def view(self) -> View:
        """What is shown of the record; the same for every unit."""
        return self.asked[0].view


def build_probes(record: Record, rubric: Rubric, granularity: Granularity) -> list[Probes]:
    """Split a record's units into calls.

    Args:
        record: The record to judge.
        rubric: Its axes say what is asked, in their order.
        granularity: `trace` asks all units together, `axis` those of one axis, `unit` one by one;
            never more than 16 a call.

    Raises:
        RecordError: No unit, an axis that the rubric does not have, or an importance that it does not list.
    """
    _refuse_unknown_axes(record, rubric)
    _refuse_missing_units(record, rubric)
    axes = [asked for name, axis in rubric.scored.items() if (asked := _asked(record, rubric, name, axis))]
    size = 1 if granularity == "unit" else MAX_UNITS_PER_CALL
    return [
        Probes(record=record, asked=batch)
        for alike in _alike(axes, granularity)
        for batch in batches(alike, len(alike) if alike[0].kind == "faithfulness" else size)
    ]


def _alike(axes: Iterable[Sequence[AskedUnit]], granularity: Granularity) -> list[list[AskedUnit]]:
    """Those that can share a call: of one kind, and judged by the same parts of the record, as all of an axis are.

    The claims of a trace are found once, for all axes that ask about them.
    """
    together: dict[tuple[AskedKind, View, str], list[AskedUnit]] = {}
    for units in axes:
        first = units[0]
        apart = granularity != "trace" and first.kind != "faithfulness"
        together.setdefault((first.kind, first.view, first.axis if apart else ""), []).extend(units)
    return list(together.values())


def batches(asked: Sequence[AskedUnit], size: int) -> Iterator[tuple[AskedUnit, ...]]:
    """In their order, at most so many together."""
    for start in range(0, len(asked), size):
        yield tuple(asked[start : start + size])


def _asked(record: Record, rubric: Rubric, name: str, axis: ScoredAxis) -> list[AskedUnit]:
    each = _each(record, rubric, name, axis)
    return [_rating(record, name, axis, each)] if each and asked_kind(axis) == "rating" else each


def _each(record: Record, rubric: Rubric, name: str, axis: ScoredAxis) -> list[AskedUnit]:
    given = record.units.get(name, ())
    own = () if axis.kind == "checklist" else axis.units
    if given and own:
        message = f"has units, and the rubric {rubric.name!r} says itself what is asked on this axis."
        raise _record_error(record, f"units.{name}", "own_units", message, "Remove the one or the other.")
    ask, units, asked = _ASKED[axis.kind], own or given, list[AskedUnit]()
    try:
        for unit in units:
            asked.append(ask(name, axis, unit))
    except KeyError:
        message = f"is {unit.importance!r}; the rubric {rubric.name!r} lists: {', '.join(axis.weights)}."
        field = f"units.{name}[{len(asked)}].importance"
        raise _record_error(record, field, "unknown_importance", message) from None
    return asked


def _unit(name: str, axis: Checklist, unit: Unit) -> AskedUnit:
    return AskedUnit(axis=name, unit=unit, weight=axis.weight(unit.importance), view=axis.view)


def _criterion(name: str, axis: Criteria, unit: Unit) -> AskedUnit:
    polarity = polarity_of(unit)
    points = axis.points(unit.points, unit.importance, polarity)
    leaf = axis.leaves[unit.unit_id] if axis.scoring == "tree" else None
    return AskedUnit(
        axis=name,
        unit=unit,
        weight=leaf.share if leaf else abs(points),
        kind="criteria",
        points=points,
        polarity=polarity,
        gate=unit.gate,
        unmet_if_unclear=axis.cannot_assess == "unmet",
        within=leaf.within if leaf else (),
        view=axis.view,
    )


def _rating(record: Record, name: str, axis: Axis, criteria: Sequence[AskedUnit]) -> AskedUnit:
    """All criteria of an axis as one question."""
    for index, one in enumerate(criteria):
        if one.gate:
            message = f"is true, and the axis {name!r} asks about no criterion alone, as its scoring is rar_implicit."
            raise _record_error(record, f"units.{name}[{index}].gate", "gate_not_asked", message, "Remove it.")
    return AskedUnit(
        axis=name,
        unit=Unit(unit_id="rating", claim=axis.description),
        weight=float(any(one.weight for one in criteria)),
        kind="rating",
        criteria=tuple(criteria),
        levels=_RATINGS,
        view=axis.view,
    )


def _scale(name: str, axis: Scale, unit: Unit) -> AskedUnit:
    return AskedUnit(axis=name, unit=unit, weight=1.0, kind="scale", levels=axis.anchors, view=axis.view)


def _claims(name: str, axis: Faithfulness, unit: Unit) -> AskedUnit:
    return AskedUnit(axis=name, unit=unit, weight=1.0, kind="faithfulness", view=axis.view)


_ASKED: Mapping[Kind, Callable[[str, Any, Unit], AskedUnit]] = {
    "checklist": _unit,
    "criteria": _criterion,
    "scale": _scale,
    "faithfulness": _claims,
}


def _refuse_unknown_axes(record: Record, rubric: Rubric) -> None:
    """A mistyped one would be lost. Where no axis takes units, they are a part of the reference and nothing else."""
    for axis in record.units if rubric.takes_units else ():
        if axis not in rubric.axes:
            message = f"is not an axis of the rubric {rubric.name!r}; its axes are: {', '.join(rubric.axes)}."
            raise _record_error(record, f"units.{axis}", "unknown_axis", message)


def _refuse_missing_units(record: Record, rubric: Rubric) -> None:
    """A score over what is left of the axes would look like one over all of them."""
    if rubric.takes_units and not any(record.units.values()):
        named = next(name for name, axis in rubric.scored.items() if takes_units(axis))
        raise _record_error(
            record,
            "units",
            "no_units",
            f"has no unit for the rubric {rubric.name!r}.",
            f'Give at least one: {{"units": {{"{named}": [{{"unit_id": "…", "claim": "…"}}]}}}}',
        )


def _record_error(record: Record, field: str, code: str, message: str, hint: str = "") -> RecordError:
    return RecordError(message, line=record.line, field=field, record_id=record.id, code=code, hint=hint)
