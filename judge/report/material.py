"""Run directories × labels -> all that a report is made of, before records are chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from judge.report.headline import Spending, find_spending, headline
from judge.report.items import find_items, find_rows
from judge.report.labels import compare_labels, count_disagreements, read_labels
from judge.report.runs import Column, ReportedRun, find_axes, find_columns, read_runs

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
        labels, compared: Of `read_labels` and `compare_labels`; None without labels.
    """

    runs: Sequence[ReportedRun]
    columns: Sequence[Column]
    axes: Sequence[str]
    rows: pl.DataFrame
    items: pl.DataFrame
    means: pl.DataFrame
    spending: Sequence[Spending]
    labels: pl.DataFrame | None = None
    compared: pl.DataFrame | None = None

    @property
    def preferences(self) -> pl.DataFrame:
        """Of all runs."""
        return pl.concat([run.preferences for run in self.runs], how="diagonal_relaxed")

    @property
    def labelled(self) -> list[int]:
        """Items with labels of people."""
        return [] if self.compared is None else self.compared["item"].unique().to_list()


def gather(paths: Sequence[Path], labels_path: Path | None, *, seed: int = 0) -> Material:
    """Read runs and labels.

    Raises:
        ConfigError: One of them cannot be read.
    """
    runs = read_runs(paths)
    columns = find_columns(runs)
    rows = find_rows(runs, columns)
    items = find_items(runs, columns, rows)
    labels = None if labels_path is None else read_labels(labels_path)
    compared = None if labels is None else compare_labels(labels, runs, columns, rows)
    if compared is not None:
        items = items.join(count_disagreements(compared), on="item", how="left", maintain_order="left")
    return Material(
        runs=runs,
        columns=columns,
        axes=find_axes(runs),
        rows=rows,
        items=items,
        means=headline(runs, columns, seed=seed),
        spending=[find_spending(runs[column.run], column) for column in columns],
        labels=labels,
        compared=compared,
    )
