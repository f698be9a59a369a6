"""A template × a row -> what stands there: `{subset}-{item}`, `{responses[0].text}`.

A template that is one field and nothing else gives the value as it is, of any type; others give text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from judge.errors import RecordError
from judge.misfit import MisfitError

__all__ = ["as_text", "fill", "fill_text", "refuse_template"]

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_PATH: Final = re.compile(r"[\w-]+(?:\[\d{1,6}\])*(?:\.[\w-]+(?:\[\d{1,6}\])*)*")
_PART: Final = re.compile(r"[\w-]+|\[\d+\]")
_NOTHING: Final = object()


def refuse_template(template: str) -> str:
    """The template, where its braces hold paths.

    Raises:
        MisfitError: They hold something else.
    """
    for path in _FIELD.findall(template):
        if not _PATH.fullmatch(path):
            problem = f"{{{path}}} is no path of a field"
            raise MisfitError(problem, "Write it such as {id}, {item.label} or {answers[0].text}.")
    if {"{", "}"} & set(_FIELD.sub("", template)):
        raise MisfitError(f"{template!r} has a brace that stands alone", "Write fields as {name}.")
    return template


def fill(template: str, row: Mapping[str, Any]) -> Any:
    """What a template says of a row.

    Raises:
        RecordError: The row has no such field.
    """
    if found := _FIELD.fullmatch(template):
        return _at(row, found[1])
    return _FIELD.sub(lambda slot: as_text(_at(row, slot[1]), slot[1]), template)


def fill_text(template: str, row: Mapping[str, Any]) -> str:
    """The same as text.

    Raises:
        RecordError: The row has no such field, or it is no text, number, or true or false.
    """
    return as_text(fill(template, row), template)


def as_text(value: Any, named: str) -> str:
    """A text as it is, numbers as they are written, and `true` or `false`.

    Raises:
        RecordError: It is anything else.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise RecordError(f"must be text or a number; it is {type(value).__name__}.", field=named, code="wrong_type")


def _at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for part in _PART.findall(path):
        value = _child(value, part)
        if value is _NOTHING:
            raise RecordError("is missing.", field=path, code="missing")
    return value


def _child(value: Any, part: str) -> Any:
    if part.startswith("["):
        index = int(part[1:-1])
        return value[index] if isinstance(value, list) and index < len(value) else _NOTHING
    return value.get(part, _NOTHING) if isinstance(value, Mapping) else _NOTHING
