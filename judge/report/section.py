"""A part of the page that says something in tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Cell", "Interval", "Section", "Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its 95 % interval; None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


Cell: TypeAlias = str | int | float | Interval | None
"""A float is a measured number, and shown as one where it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows below a head."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def told(self) -> dict[str, Any]:
        """For the page's data, which knows no 1.0."""
        cells = [[Interval(value=cell) if isinstance(cell, float) else cell for cell in row] for row in self.rows]
        return {"caption": self.caption, "head": self.head, "rows": cells}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What the page shows under one title.

    Attributes:
        name: Its id.
        title: In the page.
        short: In its navigation.
        about: Sentences above the tables.
        tables: In order.
        found: Sentences below them.
    """

    name: str
    title: str
    short: str
    about: Sequence[str] = ()
    tables: Sequence[Table]
    found: Sequence[str] = ()

    @property
    def told(self) -> dict[str, Any]:
        """For the page's data."""
        texts = {name: getattr(self, name) for name in ("name", "title", "short", "about", "found")}
        return {**texts, "tables": [table.told for table in self.tables]}
