"""An id as it is written -> its text: data sets number their rows, so 7 and "7" are one id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["id_text", "with_text_ids"]

_FIELDS: Final = (dict, Mapping)  # most are dicts, which takes less to find out
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**64 - 1  # the whole numbers of JSON and of tables; longer ones Python refuses to write


def id_text(value: object) -> str | None:
    """Text as it is, and a whole number in decimal; None for anything else.

    7.0 is no id: other programs write it differently, and whoever has one has lost an id before.

    >>> id_text("r1"), id_text(7), id_text("7"), id_text(7.0), id_text(True), id_text(None)
    ('r1', '7', '7', None, None, None)
    """
    if isinstance(value, int) and not isinstance(value, bool) and _LOWEST <= value <= _HIGHEST:
        return str(value)
    return value if isinstance(value, str) else None


def with_text_ids(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record with its id and its units' ids as text, so that both spellings have one hash."""
    named = dict(_named(fields, "id"))
    units = named.get("units")
    if isinstance(units, Mapping):
        named["units"] = {axis: _units(of_axis) for axis, of_axis in units.items()}
    return named


def _units(of_axis: Any) -> Any:
    if not isinstance(of_axis, list):
        return of_axis
    return [_named(unit, "unit_id") if isinstance(unit, _FIELDS) else unit for unit in of_axis]


def _named(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = fields.get(name)
    if isinstance(given, str):  # as most are
        return fields
    text = id_text(given)
    return fields if text is None else {**fields, name: text}
