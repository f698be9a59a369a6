"""Means of a run -> the table of them: a block per model with a line per axis, and a picture where there is room.

Where a line has no room for the columns of all kinds, there is a table for each kind of axes, and one for the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from judge.axis import Axis
from judge.cli.terminal import clean
from judge.score import MEASURES, TRACE_MEASURES

__all__ = ["NO_SUCH_NUMBER", "Means", "asked_axes", "by_model", "model_name", "with_interval"]

_Row: TypeAlias = dict[str, Any]
_Rows: TypeAlias = dict[str, _Row]
NO_SUCH_NUMBER = "–"
_STEPS = 20
"""Of the picture, from 0 to 1."""
_SCALE = f"0{'1':>{_STEPS}}"
_ANY_WIDTH = 10_000
_LEAST_NAME = 8
"""Of the column of models, whose names fold."""


def asked_axes(summary: pl.DataFrame, axes: Mapping[str, Axis]) -> dict[str, Axis]:
    """The axes that any record was asked about; one whose units all failed is among them, as a gap."""
    return {name: axis for name, axis in axes.items() if _was_asked(summary, name)}


class Means:
    """Means with their intervals, the best trace score first, in the columns of the kinds that the axes have.

    Args:
        summary: Of `summarise`.
        axes: Those that are shown, as the rubric has them.
    """

    def __init__(self, summary: pl.DataFrame, axes: Mapping[str, Axis]) -> None:
        self._models = list(by_model(summary))
        self._shown = list(axes) if len(axes) == 1 else [*axes, "trace"]  # whose numbers are those of its one axis
        self._measured = {name: MEASURES[axis.kind] for name, axis in axes.items()} | {"trace": TRACE_MEASURES}
        self._parts = list(dict.fromkeys(part for name in axes for part in self._measured[name])) or ["score"]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """With the picture, if a line has room for it beside everything else."""

        def wanted(table: Table) -> int:
            return Measurement.get(console, options.update(width=_ANY_WIDTH), table).maximum

        pictured, plain = self._table(self._shown, pictured=True), self._table(self._shown)
        if wanted(pictured) <= options.max_width:
            yield pictured
        elif len(groups := self._by_kind()) <= 1 or wanted(plain) - self._folding() <= options.max_width:
            yield plain
        else:
            for shown in groups:
                yield self._table(shown)
                yield Text()
            yield self._table(["trace"])

    def _by_kind(self) -> list[list[str]]:
        """Axes of which the same is measured."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for name in self._shown:
            if name != "trace":  # no axis has that name
                alike.setdefault(self._measured[name], []).append(name)
        return [*alike.values()]

    def _folding(self) -> int:
        """How much narrower the column of models may be."""
        longest = max((cell_len(model_name(model)) for model, _ in self._models), default=0)
        return max(0, longest - _LEAST_NAME)

    def _table(self, shown: Sequence[str], *, pictured: bool = False) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("model", overflow="fold")
        table.add_column("axis", no_wrap=True)
        parts, whole = self._parts_of(shown), shown[-1] == self._shown[-1]
        for name in (*parts, *[_SCALE] * pictured, "n", *["failed"] * whole):
            table.add_column(name, justify="right", no_wrap=True)
        for model, rows in self._models:
            # One row of many lines, so that a long name folds beside the numbers. Text: a str would be read as markup.
            lines = [self._line(axis, parts, rows, pictured=pictured) for axis in shown]
            columns = list(zip(*lines, strict=True))[: len(table.columns) - 1]
            table.add_row(Text(model_name(model), style="bold"), *(_stacked(cells, whole=whole) for cells in columns))
        return table

    def _parts_of(self, shown: Sequence[str]) -> list[str]:
        return [part for part in self._parts if any(part in self._measured[name] for name in shown)]

    def _line(self, axis: str, parts: Sequence[str], rows: _Rows, *, pictured: bool) -> tuple[str, ...]:
        found = [rows.get(f"{axis}_{part}") for part in parts]
        score = rows[f"{axis}_score"]
        failed = str(score["n_failed"]) if axis == self._shown[-1] else ""
        return (clean(axis), *map(_mean, found), *[_picture(score)] * pictured, _number(score, found), failed)


def by_model(summary: pl.DataFrame) -> Iterator[tuple[str | None, _Rows]]:
    """The rows of each model by measure, the best trace score first."""
    scores = summary.filter(measure="trace_score").sort("mean", descending=True, nulls_last=True, maintain_order=True)
    for model in scores["model"]:
        rows = summary.filter(pl.col("model").eq_missing(model)).iter_rows(named=True)
        yield model, {row["measure"]: row for row in rows}


def model_name(model: str | None) -> str:
    """As it is shown."""
    return "(no model)" if model is None else clean(model)


def _was_asked(summary: pl.DataFrame, axis: str) -> bool:
    return summary.filter((pl.col("n") > 0) | (pl.col("n_failed") > 0), measure=f"{axis}_score").height > 0


def _stacked(cells: Sequence[str], *, whole: bool) -> Text:
    """Cells of one column below each other; of a whole table the last is the trace's, or its one axis's."""
    return Text("\n").join([*map(Text, cells[:-1]), Text(cells[-1], style="bold" if whole else "")])


def _mean(row: _Row | None) -> str:
    if row is None:
        return NO_SUCH_NUMBER
    return with_interval(row["mean"], row["low"], row["high"])


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A share and its interval, such as `0.62 .55–.69`; `null` where there is none."""
    if value is None:
        return "null"
    return f"{value:.2f}{f' {_bound(low)}–{_bound(high)}' if low is not None and high is not None else ''}"


def _bound(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")  # so that a row fits 80 columns


def _picture(row: _Row) -> str:
    """Where the mean and its interval are between 0 and 1: `····──●───···········`."""
    if row["mean"] is None:
        return ""
    low, mean, high = (
        round(_STEPS * (row["mean"] if row[name] is None else row[name])) for name in ("low", "mean", "high")
    )
    marks = ["─" if low <= place <= high else "·" for place in range(_STEPS + 1)]
    return "".join([*marks[:mean], "●", *marks[mean + 1 :]])


def _number(score: _Row, found: Sequence[_Row | None]) -> str:
    """Records behind a score; correctness is a mean of fewer where some raised nothing."""
    fewest = min(row["n"] for row in found if row is not None)
    return str(score["n"]) if fewest == score["n"] else f"{fewest}/{score['n']}"
