"""Run directories × labels -> all that a report is made of, before records are chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from judge.report.headline import Spending, find_spending, headline
from judge.report.items import find_items, find_rows
from judge.report.people import People, count_disagreements, hear_people, list_preferred, list_said
from judge.report.runs import Column, ReportedRun, find_axes, find_columns, read_runs
from judge.report.standings import Compared, stand

__all__ = ["Material", "gather"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is known of the runs.

    Attributes:
        columns: The judges of all runs.
        axes: Of all runs.
        rows: Of `find_rows`.
        items: Of `find_items`, with `disagreements` where there are labels.
        means: Of `headline`.
        spending: Of each column.
        preferences: Of all runs.
        standings, apart: Of `stand`.
        people: Of `hear_people`; None without labels.
        said, preferred: Of `list_said` and `list_preferred`.
    """

    runs: Sequence[ReportedRun]
    columns: Sequence[Column]
    axes: Sequence[str]
    rows: pl.DataFrame
    items: pl.DataFrame
    means: pl.DataFrame
    spending: Sequence[Spending]
    preferences: pl.DataFrame
    standings: Sequence[Compared]
    apart: str
    people: People | None = None
    said: pl.DataFrame | None = None
    preferred: pl.DataFrame | None = None

    @property
    def labelled(self) -> list[int]:
        """Items with labels of people."""
        if self.said is None or self.preferred is None:
            return []
        traces = self.items.filter(pl.col("record_id").is_in(self.preferred["record_id"].implode()))
        return [*self.said["item"].unique(), *traces["item"]]


def gather(paths: Sequence[Path], labels_path: Path | None, *, seed: int = 0) -> Material:
    """Read runs and labels.

    Raises:
        ConfigError: One of them cannot be read.
    """
    runs = read_runs(paths)
    columns = find_columns(runs)
    rows = find_rows(runs, columns)
    items = find_items(runs, columns, rows)
    preferences = pl.concat([run.preferences for run in runs])
    people = None if labels_path is None else hear_people(labels_path, runs, columns, seed=seed)
    if people is not None:
        differing = count_disagreements(people, items, preferences)
        items = items.join(differing, on="item", how="left", maintain_order="left")
    standings, apart = stand(runs, seed=seed)
    return Material(
        runs=runs,
        columns=columns,
        axes=find_axes(runs),
        rows=rows,
        items=items,
        means=headline(runs, columns, seed=seed),
        spending=[find_spending(runs[column.run], column) for column in columns],
        preferences=preferences,
        standings=standings,
        apart=apart,
        people=people,
        said=None if people is None else list_said(people, items),
        preferred=None if people is None else list_preferred(people, preferences),
    )
