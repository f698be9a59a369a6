"""A part of the page that says something in tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Cell", "Interval", "Section", "Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its 95 % interval; None where there is none."""

    value: float | None
    low: float | None
    high: float | None


Cell: TypeAlias = str | int | float | Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows below a head."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What the page shows under one title.

    Attributes:
        name: Its id.
        title: In the page and in its navigation.
        about: Sentences above the tables.
        tables: In order.
        found: Sentences below them.
    """

    name: str
    title: str
    about: Sequence[str] = ()
    tables: Sequence[Table]
    found: Sequence[str] = ()
