"""The tables of all runs -> the items of a report: one a trace, whoever judged it, with what there is to doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from judge.report.doubts import find_doubts
from judge.report.runs import Column, ReportedRun

__all__ = ["find_items", "find_rows"]

_TRACE = ("record_id", "model", "nth")
_ROW = {
    "item": pl.UInt32,
    "column": pl.Int32,
    "line": pl.Int64,
    **dict.fromkeys(("record_id", "model", "record_key", "failure"), pl.String),
    "nth": pl.Int64,
    "units_asked": pl.Int64,
    "units_judged": pl.Int64,
    "trace_score": pl.Float64,
}


def find_rows(runs: Sequence[ReportedRun], columns: Sequence[Column]) -> pl.DataFrame:
    """Every row of every `scores.parquet`, with the item that it is of.

    A trace is the same in two runs where its id and model are; of several such traces, the first is the first.

    Returns:
        Columns `item, column, line, record_id, model, record_key, failure, nth, units_asked, units_judged,
        trace_score`.
    """
    frames = [_rows_of(runs[column.run], column) for column in columns]
    rows = (
        pl.concat(frames)
        if frames
        else pl.DataFrame(schema={name: kind for name, kind in _ROW.items() if name != "item"})
    )
    first = rows.select(_TRACE).unique(maintain_order=True).with_row_index("item")
    return rows.join(first, on=_TRACE, how="left", nulls_equal=True, maintain_order="left").select(*_ROW)


def _rows_of(run: ReportedRun, column: Column) -> pl.DataFrame:
    told = ("line", "record_id", "model", "record_key", "failure", "units_asked", "units_judged", "trace_score")
    rows = run.scores.filter(judge=column.judge).select(told).collect(engine="streaming").sort("line")
    return rows.select(
        pl.lit(column.index, pl.Int32).alias("column"),
        pl.int_range(pl.len()).over("record_id", "model").alias("nth"),
        *(pl.col(name).cast(_ROW[name]) for name in told),
    )


def find_items(runs: Sequence[ReportedRun], columns: Sequence[Column], rows: pl.DataFrame) -> pl.DataFrame:
    """One row a trace, then one for each that only preferences tell of, then one for each line that was not read.

    Args:
        runs: Of the report.
        columns: Their judges.
        rows: Of `find_rows`.

    Returns:
        Columns `item, record_id, model, nth, line, failed, unreadable, low_coverage, samples, judges, unsure, doubt,
        rank, listed, doubtful`. The four of doubt are shares of the units, in [0, 1]; `doubt` is the largest of them.
        `rank` is the place of the first of its `listed` units among the doubtful ones of a run, null where none is.
    """
    members = [column.index for column in columns if column.member]
    scored = rows.group_by("item", maintain_order=True).agg(
        pl.col("record_id", "model", "nth", "line").first(),
        failed=(pl.col("failure").is_not_null() & ~pl.col("column").is_in(members)).any(),
        low_coverage=pl.when(pl.col("failure").is_null() & (pl.col("units_asked") > 0))
        .then(1 - pl.col("units_judged") / pl.col("units_asked"))
        .max(),
    )
    doubts = find_doubts(runs, columns, rows)
    told = scored.with_columns(unreadable=False).join(doubts, on="item", how="left", maintain_order="left")
    shares = ("low_coverage", "samples", "judges", "unsure")
    more = [_only_compared(runs, scored), _unreadable(runs)]
    whole = pl.concat([told.drop("item"), *more], how="diagonal_relaxed").with_row_index("item")
    filled = whole.with_columns(pl.col(shares).cast(pl.Float64).fill_null(0.0))
    listed = filled.join(_listed(runs, columns, rows), on="item", how="left", maintain_order="left")
    return listed.with_columns(doubt=pl.max_horizontal(shares)).with_columns(
        doubtful=(pl.col("doubt") > 0) | pl.col("listed").is_not_null()
    )


def _listed(runs: Sequence[ReportedRun], columns: Sequence[Column], rows: pl.DataFrame) -> pl.DataFrame:
    """Of each item with units that a run lists for people: the place of the first, and how many."""
    of_run = pl.DataFrame(
        [(column.index, column.run) for column in columns], schema={"column": pl.Int32, "run": pl.Int64}, orient="row"
    )
    lines = rows.join(of_run, on="column").select("item", "run", "line").unique()
    empty = pl.DataFrame(schema={"rank": pl.UInt32, "line": pl.Int64, "run": pl.Int64})
    units = [run.doubtful.select("rank", "line", run=pl.lit(number, pl.Int64)) for number, run in enumerate(runs)]
    found = pl.concat([empty, *units]).join(lines, on=("run", "line"))
    return found.group_by("item").agg(rank=pl.col("rank").min(), listed=pl.len())


def _only_compared(runs: Sequence[ReportedRun], scored: pl.DataFrame) -> pl.DataFrame:
    """Traces that preferences tell of and no score does."""
    pairs = pl.concat([run.preferences for run in runs])
    sides = [pairs.select("record_id", pl.col(side).alias("model")) for side in ("model_a", "model_b")]
    named = (
        pl.concat(sides)
        .unique(maintain_order=True)
        .join(scored, on=("record_id", "model"), how="anti", maintain_order="left")
    )
    return named.with_columns(nth=pl.lit(0, pl.Int64), line=pl.lit(None, pl.Int64), failed=False, unreadable=False)


def _unreadable(runs: Sequence[ReportedRun]) -> pl.DataFrame:
    """Lines that no run could read: each once, whichever runs met it."""
    lines = dict.fromkeys(_unread(runs))
    return pl.DataFrame(
        [(*one, 0) for one in lines], schema={"line": pl.Int64, "record_id": pl.String, "nth": pl.Int64}, orient="row"
    ).with_columns(model=pl.lit(None, pl.String), failed=True, unreadable=True)


def _unread(runs: Sequence[ReportedRun]) -> Iterator[tuple[int, str | None]]:
    for run in runs:
        yield from ((row["line"], row["record_id"]) for row in run.failures if row["stage"] == "read")
