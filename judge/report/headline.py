"""Runs -> the numbers that a report begins with: the very ones that `judge score` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from judge.aggregate import summarise
from judge.difference import find_differences
from judge.report.runs import Column, ReportedRun

__all__ = ["Spending", "describe_run", "find_spending", "headline", "list_differences"]

_LATENCIES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Calls of a judge, and what they took; a sum is None where some calls do not tell.

    Attributes:
        cached: Calls that were answered from a store.
        attempts: Over all calls.
        latencies: Seconds of what was answered anew.
        quantiles_s: The median of these, and what 90 % and 99 % stay below; None where there are none.
    """

    calls: int
    cached: int
    failed: int
    attempts: int
    prompt_tokens: float | None
    completion_tokens: float | None
    cost_usd: float | None
    latencies: pl.Series
    quantiles_s: Sequence[float | None]


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


def list_differences(run: ReportedRun, column: Column, *, seed: int = 0) -> list[dict[str, Any]]:
    """How far the models of a run are apart, by one judge of it."""
    found = find_differences(run.scores.filter(judge=column.judge), seed=seed)
    return [{"column": column.index, **asdict(one), "separated": one.separated} for one in found]


def describe_run(run: ReportedRun, *, with_text: bool) -> dict[str, Any]:
    """What `run.json` tells of a run: no setting of it, and without texts no path either."""
    story: Mapping[str, Any] = run.story
    kept = ("status", "started", "ended", "wall_s", "judge", "rubric", "fingerprints", "counts", "units", "spent")
    told = {name: story[name] for name in kept if name in story}
    shown = {"input": story.get("input"), "notes": story.get("notes", [])} if with_text else {}
    return {"name": run.name, **told, **shown, "cautions": _cautions(story)}


def _cautions(story: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each with the judge that it is of, where a panel says so."""
    return [{name: one[name] for name in ("message", "judge") if name in one} for one in story.get("cautions", [])]


def find_spending(run: ReportedRun, column: Column) -> Spending:
    """Calls of a judge, what they took, and how long they took."""
    calls = run.calls.filter(judge=column.judge).collect(engine="streaming")
    fresh = calls.filter(~pl.col("cached").fill_null(value=False) & (pl.col("latency_s") > 0))["latency_s"]
    return Spending(
        calls=len(calls),
        cached=int(calls["cached"].sum()),
        failed=len(calls) - calls["failure"].null_count(),
        attempts=int(calls["attempts"].sum()),
        prompt_tokens=_sum(calls["prompt_tokens"]),
        completion_tokens=_sum(calls["completion_tokens"]),
        cost_usd=_sum(calls["cost_usd"]),
        latencies=fresh,
        quantiles_s=[fresh.quantile(share, "linear") for share in _LATENCIES],
    )


def _sum(values: pl.Series) -> float | None:
    return None if values.null_count() or not len(values) else float(values.sum())
