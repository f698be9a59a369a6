"""The verdicts of all runs -> what is to be doubted of each trace, as shares of its units."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from judge.report.found import FOUND, UNIT
from judge.report.runs import Column, ReportedRun

__all__ = ["find_doubts"]

_UNSURE = (0.25, 0.75)
"""Between them, a probability says little."""
_SCHEMA = {"item": pl.UInt32, "samples": pl.Float64, "judges": pl.Float64, "unsure": pl.Float64}


def find_doubts(runs: Sequence[ReportedRun], columns: Sequence[Column], rows: pl.DataFrame) -> pl.DataFrame:
    """Look for verdicts that hang on chance or on the judge.

        samples   share of units whose samples by one judge differ
        judges    share of units, of those that two judges have a verdict on, on which they differ
        unsure    share of units whose probability of being right is between 0.25 and 0.75

    Args:
        runs: Of the report.
        columns: Their judges.
        rows: Of `find_rows`.

    Returns:
        Columns `item, samples, judges, unsure`; items without verdicts are left out.
    """
    # A panel's own rows are made of those of its judges, and tell nothing more.
    units = [_units(runs[column.run], column, rows) for column in columns if not column.panel]
    if not units:
        return pl.DataFrame(schema=_SCHEMA)
    together = pl.concat(units)
    own = together.group_by("item", "column").agg(pl.col("samples", "unsure").mean())
    worst = own.group_by("item").agg(pl.col("samples", "unsure").max())
    return worst.join(_between_judges(together), on="item", how="left").select(*_SCHEMA)


def _units(run: ReportedRun, column: Column, rows: pl.DataFrame) -> pl.DataFrame:
    """A row a unit of every trace; a unit goes by its hash, as there may be many millions."""
    items = rows.filter(column=column.index).select("line", "item")
    low, high = _UNSURE
    # A presence of ½ may be a sure "partly"; a correctness of ½ is none.
    unsure = pl.col("p_correct").is_between(low, high, closed="none").fill_null(value=False)
    asked = run.verdicts.filter(judge=column.judge).select(
        "line", pl.struct(*UNIT, "claim").hash().alias("unit"), FOUND.alias("found"), unsure.alias("unsure")
    )
    units = asked.group_by("line", "unit").agg(
        samples=pl.col("found").drop_nulls().n_unique() > 1,
        found=pl.col("found").drop_nulls().mode(maintain_order=True).first(),
        unsure=pl.col("unsure").any(),
    )
    told = units.join(items.lazy(), on="line").with_columns(column=pl.lit(column.index, pl.Int32)).drop("line")
    return told.collect(engine="streaming")


def _between_judges(units: pl.DataFrame) -> pl.DataFrame:
    judged = units.filter(pl.col("found").is_not_null())
    shared = (
        judged.group_by("item", "unit").agg(pl.len(), differ=pl.col("found").n_unique() > 1).filter(pl.col("len") > 1)
    )
    return shared.group_by("item").agg(judges=pl.col("differ").mean())
