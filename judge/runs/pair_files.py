"""What comparing gave -> the tables of a run directory.

preferences.parquet calls.parquet failures.jsonl
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
from pydantic import JsonValue

from judge.pairs.table import Compared
from judge.runs.directory import RunDirectory, write_atomically
from judge.runs.failed import take_failed_calls, write_rows

__all__ = ["PairFiles", "has_outcomes"]

_ALWAYS: Final = ("line", "record_id", "stage", "error", "message")


class PairFiles:
    """The tables of a run that compares.

    Args:
        directory: Of the run, locked.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._earlier = directory.read_run()

    @property
    def failures_path(self) -> Path:
        """What failed, a line each."""
        return self._directory.path / "failures.jsonl"

    def take_failed_calls(self) -> list[str]:
        """The calls that failed in the last session, told once."""
        return take_failed_calls(self.failures_path)

    def write(self, compared: Compared, *, judged: int, finished: bool) -> None:
        """Replace the tables.

        Of a session that was stopped before it came as far as an earlier one, the earlier preferences stay: what they
        rest on is in the journal, and the same command makes them again.

        Args:
            compared: What was reached in this session.
            judged: Pairs of it that have an outcome on every axis.
            finished: Nothing is left.
        """
        write_rows(self.failures_path, map(_without_nulls, compared.failures.iter_rows(named=True)))
        if not finished and judged < _judged(self._earlier.get("counts")):
            return
        for name in ("preferences", "calls"):
            frame: pl.DataFrame = getattr(compared, name)
            write_atomically(self._directory.path / f"{name}.parquet", partial(_write, frame))


def _write(frame: pl.DataFrame, file: Any) -> None:
    frame.write_parquet(file)


def _judged(counts: JsonValue) -> int:
    judged = counts.get("judged", 0) if isinstance(counts, dict) else 0
    return judged if isinstance(judged, int) else 0


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in _ALWAYS or value not in (None, [])}


def has_outcomes(out: Path) -> bool:
    """Whether anything came of a run that compares."""
    path = out / "preferences.parquet"
    return path.exists() and bool(pl.scan_parquet(path).select(pl.col("outcome").is_not_null().any()).collect().item())
