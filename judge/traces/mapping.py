"""`--map` words -> rows under our names.

trace=response                      a column of another name
reference.answer=gold               a field of the reference, or of `units` or `options`
trace=choices.0.message.content     deep in what a server answered
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from judge.errors import ConfigError
from judge.record import Record, Reference

__all__ = ["field_at", "move_fields", "parse_map"]

_FIELDS: Final = tuple(name for name in Record.__struct_fields__ if name != "meta")
_REFERENCE: Final = tuple(f"reference.{name}" for name in Reference.__struct_fields__ if name != "meta")
_ALLOWED: Final = ", ".join((*_FIELDS, *_REFERENCE, "units.AXIS", "options.LABEL"))


def parse_map(words: Iterable[str]) -> dict[str, str]:
    """Read `target=source` words.

    Returns:
        Dotted path in the record -> dotted path in the row.

    Raises:
        ConfigError: A word of another form, a target that a record has not, or one that is given twice.
    """
    mapped: dict[str, str] = {}
    for word in words:
        target, _, source = (part.strip() for part in word.partition("="))
        if not target or not source:
            raise ConfigError(f"--map {word!r} is not of the form target=source, such as trace=response.")
        if not _is_target(target):
            raise ConfigError(f"--map {word!r}: a record has no field {target!r}; it has: {_ALLOWED}.")
        if clash := next((other for other in mapped if _overlap(other, target)), None):
            raise ConfigError(f"--map {word!r}: {clash!r} is mapped already.", hint="Give each field one source.")
        mapped[target] = source
    return mapped


def _is_target(target: str) -> bool:
    inside = target.startswith(("units.", "options.")) and target.partition(".")[2] != ""
    return target in (*_FIELDS, *_REFERENCE) or inside


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def field_at(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none. A number goes into a list.

    A name may have dots itself, as a flattened table has; it goes before a path.

    >>> field_at({"choices": [{"text": "yes"}], "a.b": 1}, "choices.0.text"), field_at({"a.b": 1}, "a.b")
    ('yes', 1)
    """
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def move_fields(row: Mapping[str, Any], mapped: Mapping[str, str]) -> dict[str, Any]:
    """The row with its fields moved; a source that it has not, or that is null, leaves the target as it is.

    All sources are read before any is moved, so two fields may change places.
    """
    found = {target: value for target, source in mapped.items() if (value := field_at(row, source)) is not None}
    moved = dict(row)
    for target in found:
        moved = _without(moved, mapped[target])
    for target, value in found.items():
        _put(moved, target, value)
    return moved


def _without(row: dict[str, Any], path: str) -> dict[str, Any]:
    """A copy; what lies in a list stays, as the rest of the list would get other numbers."""
    if path in row:
        return {name: value for name, value in row.items() if name != path}
    first, dot, rest = path.partition(".")
    inner = row.get(first)
    if not dot or not isinstance(inner, dict):
        return row
    left = _without(inner, rest)
    return {**row, first: left} if left else {name: value for name, value in row.items() if name != first}


def _put(row: dict[str, Any], target: str, value: Any) -> None:
    first, dot, rest = target.partition(".")
    if not dot:
        row[first] = value
        return
    inner = row.get(first)
    row[first] = {**(inner if isinstance(inner, Mapping) else {}), rest: value}
