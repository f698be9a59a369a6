"""A drawing, and the table of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What is drawn, and the same as a table.

    Attributes:
        title: Says what it shows.
        svg: An element of the page.
        head: Names of the table's columns.
        rows: Its rows; None where there is no number.
    """

    title: str
    svg: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[Any]] = ()
