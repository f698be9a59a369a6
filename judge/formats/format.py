"""A format of others: by what it is known, how it is read, how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.axis import Criteria
from judge.rubric import Rubric

__all__ = ["Format", "Imported", "are_objects", "as_json_number", "beside", "stated", "without"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a document of others says, in the shape of our YAML.

    Attributes:
        rubric: Not checked: what is wrong in it is kept, for lint to name.
        lost: What has no place in it, a line each.
    """

    rubric: dict[str, Any]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        name: As `--from` and `--to` have it.
        about: By what it is known, in words.
        fits: Whether a document is of this format, so that it can be read.
        read: A document that fits, and a name for a rubric of which it says none.
        write: A rubric, and its axis of criteria, as a document; None where the format is only read.
        suffixes: Of files that are written, the usual one first.
    """

    name: str
    about: str
    fits: Callable[[Any], bool]
    read: Callable[[Any, str], Imported]
    write: Callable[[Rubric, Criteria], Any] | None = None
    suffixes: tuple[str, ...] = ()


def are_objects(value: object, *keys: str) -> bool:
    """Whether it is a list of objects that all have these keys, and at least one."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and {*keys} <= {*one} for one in value)


def stated(**fields: Any) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def beside(own: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a format and after them what was kept beside, which replaces none of them."""
    return {**own, **meta, **own}


def as_json_number(value: float) -> int | float:
    """Whole numbers as such, as others write them."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def without(fields: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The other fields."""
    return {name: value for name, value in fields.items() if name not in keys}
