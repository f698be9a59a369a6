"""What scoring shows: notices, progress, the table at the end. Progress and notices go to standard error."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from judge.run import Progress as Counts

__all__ = ["clean", "report_progress", "summary_table"]

_REFRESH_S = 0.2
_PLAIN_LINE_S = 5.0


def clean(text: object) -> str:
    """Text from outside without control and direction characters, which can forge what a terminal shows."""
    return "".join(
        char if unicodedata.category(char) not in ("Cc", "Cf") else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


async def report_progress(counts: Counts, total: int | None, console: Console) -> None:
    """Show the counts until cancelled: a bar on a terminal, else a plain line every five seconds."""
    show = _bar if console.is_terminal else _lines
    with show(counts, total, console) as update:
        while True:
            await asyncio.sleep(_REFRESH_S if console.is_terminal else _PLAIN_LINE_S)
            next(update)


@contextmanager
def _bar(counts: Counts, total: int | None, console: Console) -> Iterator[Iterator[None]]:
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=1 / _REFRESH_S) as progress:
        task = progress.add_task("records", total=total, told="")
        begun = time.monotonic()

        def update() -> Iterator[None]:
            while True:
                progress.update(task, completed=counts.done, told=_told(counts, time.monotonic() - begun))
                yield

        yield update()


@contextmanager
def _lines(counts: Counts, total: int | None, console: Console) -> Iterator[Iterator[None]]:
    begun = time.monotonic()

    def update() -> Iterator[None]:
        while True:
            of = f" of {total}" if total is not None else ""
            console.print(f"{counts.done}{of} records, {_told(counts, time.monotonic() - begun)}", highlight=False)
            yield

    yield update()


def _told(counts: Counts, seconds: float) -> str:
    rate = (counts.calls - counts.cached) / seconds if seconds else 0.0
    parts = [f"{counts.failed} failed", f"{counts.cached} cached", f"{rate:.0f} calls/s", f"{counts.tokens:,} tokens"]
    return ", ".join(parts + ([f"{counts.kept} from before"] if counts.kept else []))


def summary_table(summary: pl.DataFrame, axes: Sequence[str]) -> Table:
    """Means with their intervals: a row per model and axis, the best trace score first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "axis"):
        table.add_column(name)
    for name in ("grounding", "correctness", "score", "n", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    asked = [axis for axis in axes if _was_asked(summary, axis)]
    for model in _models(summary):
        rows = {row["measure"]: row for row in summary.filter(pl.col("model").eq_missing(model)).iter_rows(named=True)}
        for axis in (*asked, "trace"):
            _add_axis(table, model if axis == (*asked, "trace")[0] else "", axis, rows)
        table.add_section()
    return table


def _models(summary: pl.DataFrame) -> list[str | None]:
    scores = summary.filter(measure="trace_score").sort("mean", descending=True, nulls_last=True, maintain_order=True)
    return scores["model"].to_list()


def _add_axis(table: Table, model: str | None, axis: str, rows: dict[str, dict[str, object]]) -> None:
    score = rows[f"{axis}_score"]
    name = Text("(no model)" if model is None else clean(model), style="bold")
    cells = [_mean(rows[f"{axis}_{part}"]) for part in ("grounding", "correctness", "score")]
    style = "bold" if axis == "trace" else ""
    failed = str(score["n_failed"]) if axis == "trace" else ""
    table.add_row(name, axis, *cells, str(score["n"]), failed, style=style)


def _mean(row: dict[str, object]) -> str:
    if row["mean"] is None:
        return "–"
    interval = f" {_bound(row['low'])}–{_bound(row['high'])}" if row["low"] is not None else ""
    return f"{row['mean']:.2f}{interval}"


def _bound(value: object) -> str:
    return f"{value:.2f}".removeprefix("0")  # so that a row fits 80 columns


def _was_asked(summary: pl.DataFrame, axis: str) -> bool:
    """Whether any record has units of this axis; one whose units all failed is shown, as a gap."""
    return summary.filter((pl.col("n") > 0) | (pl.col("n_failed") > 0), measure=f"{axis}_score").height > 0
