"""A reason to doubt the numbers of a run, in plain words; and the tables it is found in, read only where needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pydantic import JsonValue

__all__ = ["Caution", "RunTables", "percent", "some"]

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """A reason to doubt the numbers of a run.

    Attributes:
        code: A stable word, such as `same_family`.
        message: One line: what was found, in numbers, and what to do.
        numbers: What the message is made of.
    """

    code: str
    message: str
    numbers: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTables:
    """The tables of a run directory, not read yet: a run may be longer than memory."""

    scores: pl.LazyFrame
    verdicts: pl.LazyFrame
    calls: pl.LazyFrame
    failures: Path

    @classmethod
    def scan(cls, path: Path) -> RunTables:
        """The published tables of the run directory `path`."""
        scores, verdicts, calls = (
            pl.scan_parquet(path / f"{name}.parquet") for name in ("scores", "verdicts", "calls")
        )
        return cls(scores=scores, verdicts=verdicts, calls=calls, failures=path / "failures.jsonl")


def percent(share: float) -> str:
    """A share in words: `12 %`, `0.4 %`."""
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def some(names: list[str]) -> str:
    """The first few of many names."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
