"""Runs -> the numbers that a report begins with: the very ones that `judge score` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from judge.aggregate import summarise
from judge.difference import find_differences
from judge.report.runs import Column, ReportedRun

__all__ = ["describe_run", "find_spending", "headline", "list_differences"]

_LATENCIES = (0.5, 0.9, 0.99)


def headline(runs: Sequence[ReportedRun], columns: Sequence[Column], *, seed: int = 0) -> pl.DataFrame:
    """The means of every run, per model and judge, as `summarise` has them.

    Returns:
        Columns `column, model, judge, measure, mean, low, high, interval, n, n_failed`.
    """
    frames = [
        summarise(run.scores, run.axes, seed=seed).with_columns(run=pl.lit(index)) for index, run in enumerate(runs)
    ]
    known = pl.DataFrame(
        [(column.index, column.run, column.judge) for column in columns],
        schema={"column": pl.Int64, "run": pl.Int32, "judge": pl.String},
        orient="row",
    )
    return pl.concat(frames).join(known, on=("run", "judge"), how="left", maintain_order="left").drop("run")


def list_differences(run: ReportedRun, columns: Sequence[Column], *, seed: int = 0) -> list[dict[str, Any]]:
    """How far the models of a run are apart, by each judge of it."""
    return [
        {"column": column.index, **asdict(one), "separated": one.separated}
        for column in columns
        for one in find_differences(run.scores.filter(judge=column.judge), seed=seed)
    ]


def describe_run(run: ReportedRun, *, with_text: bool) -> dict[str, Any]:
    """What `run.json` tells of a run: no setting of it, and without texts no path either."""
    story: Mapping[str, Any] = run.story
    kept = ("status", "started", "ended", "wall_s", "judge", "rubric", "fingerprints", "counts", "units", "spent")
    told = {name: story[name] for name in kept if name in story}
    shown = {"input": story.get("input"), "notes": story.get("notes", [])} if with_text else {}
    return {"name": run.name, **told, **shown, "cautions": [one["message"] for one in story.get("cautions", [])]}


def find_spending(run: ReportedRun, column: Column) -> dict[str, Any]:
    """Calls of a judge, what they took, and how long they took.

    Returns:
        Counts and sums; a sum that some calls do not tell is null. `latency` holds seconds of what was answered anew.
    """
    calls = run.calls.filter(judge=column.judge).collect(engine="streaming")
    told = {name: _sum(calls[name]) for name in ("prompt_tokens", "completion_tokens", "cost_usd")}
    fresh = calls.filter(~pl.col("cached").fill_null(value=False) & (pl.col("latency_s") > 0))["latency_s"]
    return {
        "calls": len(calls),
        "cached": int(calls["cached"].sum() or 0),
        "failed": len(calls) - calls["failure"].null_count(),
        "attempts": int(calls["attempts"].sum() or 0),
        **told,
        "latency": fresh,
        **{f"p{round(100 * share)}": fresh.quantile(share, "linear") for share in _LATENCIES},
    }


def _sum(values: pl.Series) -> float | None:
    return None if values.null_count() or not len(values) else float(values.sum())
