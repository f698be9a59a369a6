"""Record × Rubric -> Probes: what is asked, and at what granularity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from judge.errors import RecordError
from judge.record import Record, Unit
from judge.rubric import Rubric

__all__ = ["MAX_UNITS_PER_CALL", "AskedUnit", "Granularity", "Probes", "build_probes"]

Granularity = Literal["trace", "axis", "unit"]

MAX_UNITS_PER_CALL = 16
"""Contract §7. Longer lists lose units in the reply, and a short list of schemas stays compiled at the server."""


class AskedUnit(Struct, frozen=True, kw_only=True, gc=False):
    """One unit with its axis and its weight (at least 0)."""

    axis: str
    unit: Unit
    weight: float


class Probes(Struct, frozen=True, kw_only=True, gc=False):
    """The units of one record that one call asks about, in asking order (1 to 16)."""

    record: Record
    asked: tuple[AskedUnit, ...]


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
    by_axis = [list(_asked(record, rubric, axis)) for axis in rubric.axes]
    if granularity == "trace":
        by_axis = [[asked for axis in by_axis for asked in axis]]
    size = 1 if granularity == "unit" else MAX_UNITS_PER_CALL
    groups = [Probes(record=record, asked=group) for asked in by_axis for group in _batches(asked, size)]
    if not groups:
        raise _record_error(
            record,
            "units",
            "no_units",
            f"has no unit for the rubric {rubric.name!r}.",
            'Give at least one: {"units": {"' + next(iter(rubric.axes)) + '": [{"unit_id": "…", "claim": "…"}]}}',
        )
    return groups


def _batches(asked: list[AskedUnit], size: int) -> Iterator[tuple[AskedUnit, ...]]:
    for start in range(0, len(asked), size):
        yield tuple(asked[start : start + size])


def _asked(record: Record, rubric: Rubric, axis: str) -> Iterator[AskedUnit]:
    for index, unit in enumerate(record.units.get(axis, ())):
        try:
            weight = rubric.axes[axis].weight(unit.importance)
        except KeyError:
            names = ", ".join(rubric.axes[axis].importance or ())
            raise _record_error(
                record,
                f"units.{axis}[{index}].importance",
                "unknown_importance",
                f"is {unit.importance!r}; the rubric {rubric.name!r} lists: {names}.",
            ) from None
        yield AskedUnit(axis=axis, unit=unit, weight=weight)


def _refuse_unknown_axes(record: Record, rubric: Rubric) -> None:
    for axis in record.units:
        if axis not in rubric.axes:
            message = f"is not an axis of the rubric {rubric.name!r}; its axes are: {', '.join(rubric.axes)}."
            raise _record_error(record, f"units.{axis}", "unknown_axis", message)


def _record_error(record: Record, field: str, code: str, message: str, hint: str = "") -> RecordError:
    return RecordError(message, line=record.line, field=field, record_id=record.id, code=code, hint=hint)
