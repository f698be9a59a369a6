"""What scoring shows: notices, progress, the table at the end. Progress and notices go to standard error."""

from __future__ import annotations

import asyncio
import os
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table
from rich.text import Text

from judge.run import Progress as Counts

__all__ = ["LEGEND", "Screen", "answer_lines", "clean", "report_progress", "summary_table"]

LEGEND = """\
grounding    how much of the reference the trace raised
correctness  how much of what it raised is right, where it raised anything
score        grounding × correctness of each record; trace: mean of the axes
n            records with a score; 3/5 where only 3 of 5 have a correctness"""
_Row: TypeAlias = dict[str, Any]
_Rows: TypeAlias = dict[str, _Row]
_Show: TypeAlias = Callable[[int, int | None, str], None]  # records done, of how many, what is told beside
_FORGING = ("Cc", "Cf", "Cs", "Zl", "Zp")
_REFRESH_S = 0.2
_BAR_WIDTH = 12
_PLAIN_LINE_S = 5.0


class Screen(Console):
    """A console whose reader may go away (`| head`): no reason to stop scoring."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # Else the interpreter's own last flush would fail, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def clean(text: object) -> str:
    """Text from outside without control, direction and line characters, which can forge what a terminal shows."""
    return "".join(
        char if unicodedata.category(char) not in _FORGING else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


async def report_progress(counts: Counts, total: asyncio.Future[int | None], console: Console) -> None:
    """Show the counts until cancelled: a bar on a terminal, else a plain line every five seconds.

    Args:
        counts: Change while they are shown.
        total: Records to be done; while it is not known, nothing is said of the time left.
        console: On standard error.
    """
    begun = time.monotonic()
    with (_bar if console.is_terminal else _lines)(console) as show:
        while True:
            await asyncio.sleep(_REFRESH_S if console.is_terminal else _PLAIN_LINE_S)
            known = total.result() if total.done() else None
            show(counts.done, known, _told(counts, known, time.monotonic() - begun))


@contextmanager
def _bar(console: Console) -> Iterator[_Show]:
    told = TextColumn("records, {task.fields[told]}", table_column=Column(ratio=1))  # folds in the room left
    columns = (SpinnerColumn(), BarColumn(_BAR_WIDTH), MofNCompleteColumn(), told)
    often = 1 / _REFRESH_S
    with Progress(*columns, console=console, transient=True, expand=True, refresh_per_second=often) as progress:
        task = progress.add_task("records", total=None, told="")
        yield lambda done, total, told: progress.update(task, completed=done, total=total, told=told)


@contextmanager
def _lines(console: Console) -> Iterator[_Show]:
    def show(done: int, total: int | None, told: str) -> None:
        of = f" of {total}" if total is not None else ""
        console.print(f"{done}{of} records, {told}", highlight=False)

    yield show


def _told(counts: Counts, total: int | None, seconds: float) -> str:
    rate = (counts.calls - counts.cached) / seconds if seconds else 0.0
    left = _time_left(counts, total, seconds)
    parts = {
        f"{counts.failed} failed": True,
        f"{rate:.0f} calls/s": True,
        f"{left} left": left,
        f"{counts.throttled} waiting: the server says 429": counts.throttled,
        f"{counts.kept} from before": counts.kept,
        f"{counts.cached} cached": counts.cached,
        f"{counts.tokens:,} tokens": counts.tokens,
    }
    return ", ".join(part for part, shown in parts.items() if shown)


def _time_left(counts: Counts, total: int | None, seconds: float) -> timedelta | None:
    """Records left / records a second of this session; those of an earlier one took no time."""
    worked = counts.done - counts.kept
    if total is None or not worked:
        return None
    return timedelta(seconds=round(max(total - counts.done, 0) * seconds / worked))


def summary_table(summary: pl.DataFrame, axes: Sequence[str]) -> Table:
    """Means with their intervals: a block per model with a line per axis, the best trace score first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for name in ("axis", "grounding", "correctness", "score", "n", "failed"):
        table.add_column(name, justify="left" if name == "axis" else "right", no_wrap=True)
    shown = [*(axis for axis in axes if _was_asked(summary, axis)), "trace"]
    for model, rows in _by_model(summary):
        # One row of many lines, so that a long name folds beside the numbers. Text, as a str would be read as markup.
        lines = [_axis_line(axis, rows) for axis in shown]
        table.add_row(Text(_name(model), style="bold"), *map(_stacked, zip(*lines, strict=True)))
    return table


def _axis_line(axis: str, rows: _Rows) -> tuple[str, ...]:
    score = rows[f"{axis}_score"]
    means = [_mean(rows[f"{axis}_{part}"]) for part in ("grounding", "correctness", "score")]
    return (clean(axis), *means, _number(rows, axis), str(score["n_failed"]) if axis == "trace" else "")


def _number(rows: _Rows, axis: str) -> str:
    """Correctness is a mean of fewer records than the score where some raised nothing."""
    scored, raised = rows[f"{axis}_score"]["n"], rows[f"{axis}_correctness"]["n"]
    return str(scored) if raised == scored else f"{raised}/{scored}"


def _stacked(cells: tuple[str, ...]) -> Text:
    """Cells of one column below each other; the last is the trace's."""
    return Text("\n").join([*map(Text, cells[:-1]), Text(cells[-1], style="bold")])


def answer_lines(summary: pl.DataFrame) -> list[str]:
    """How many final answers of each model were right, where its records have a reference answer."""
    return [_answers(model, rows) for model, rows in _by_model(summary) if rows["answer_correct"]["n"]]


def _answers(model: str | None, rows: _Rows) -> str:
    right, given = rows["answer_correct"], rows["answered"]
    share = f"{right['mean']:.0%} right, {given['mean']:.0%} gave one"
    return f"Final answers of {_name(model)}: {share} (n = {right['n']})"


def _by_model(summary: pl.DataFrame) -> Iterator[tuple[str | None, _Rows]]:
    """The rows of each model by measure, the best trace score first."""
    scores = summary.filter(measure="trace_score").sort("mean", descending=True, nulls_last=True, maintain_order=True)
    for model in scores["model"]:
        rows = summary.filter(pl.col("model").eq_missing(model)).iter_rows(named=True)
        yield model, {row["measure"]: row for row in rows}


def _name(model: str | None) -> str:
    return "(no model)" if model is None else clean(model)


def _mean(row: _Row) -> str:
    if row["mean"] is None:
        return "–"
    interval = f" {_bound(row['low'])}–{_bound(row['high'])}" if row["low"] is not None else ""
    return f"{row['mean']:.2f}{interval}"


def _bound(value: object) -> str:
    return f"{value:.2f}".removeprefix("0")  # so that a row fits 80 columns


def _was_asked(summary: pl.DataFrame, axis: str) -> bool:
    """Whether any record has units of this axis; one whose units all failed is shown, as a gap."""
    return summary.filter((pl.col("n") > 0) | (pl.col("n_failed") > 0), measure=f"{axis}_score").height > 0
