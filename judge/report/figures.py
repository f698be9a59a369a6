"""The tables of the runs -> figures: a drawing, and the table of its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import polars as pl

from judge.report.agreement import draw_agreement
from judge.report.calibration import draw_calibrations
from judge.report.figure import Figure
from judge.report.material import Material
from judge.report.plots import (
    Mean,
    draw_distributions,
    draw_latencies,
    draw_profile,
)
from judge.report.runs import Column, ReportedRun
from judge.report.standings import draw_standings

__all__ = ["draw_figures"]

_STEPS = 20
_MODELS_DRAWN = 12
_LATENCY_STEPS = 24
_WHOLE = "trace"


def draw_figures(material: Material, *, seed: int = 0) -> Iterator[Figure]:
    """All that there is to draw; figures of one kind come after each other, so that judges can be compared.

    Args:
        material: Of the runs.
        seed: Of the intervals of calibration curves; the other numbers are the material's.
    """
    runs, columns, means = material.runs, material.columns, material.means
    drawn: list[Figure | None] = [_profile(column, means, runs[column.run].axes) for column in columns]
    drawn += [_distribution(runs[column.run], column, means) for column in columns]
    drawn += [_latency(column, spent.latencies) for column, spent in zip(columns, material.spending, strict=True)]
    yield from (figure for figure in drawn if figure is not None)
    yield from draw_standings(material.standings)
    if material.people is not None:
        yield from draw_agreement(material.people)
    yield from draw_calibrations(runs, columns, material.people, seed=seed)


def _profile(column: Column, means: pl.DataFrame, axes: Sequence[str]) -> Figure | None:
    """Mean scores of each model on each axis, by one judge; None where nothing has a score."""
    measures = {f"{axis}_score": axis for axis in (*axes, _WHOLE)}
    mine = means.filter(
        (pl.col("column") == column.index) & pl.col("measure").is_in(list(measures)) & (pl.col("n") > 0)
    )
    if not len(mine):
        return None
    rows = [(_named(row["model"]), measures[row["measure"]], row) for row in mine.iter_rows(named=True)]
    models, drawn = _models(_best_first(means, column))
    title = f"Mean scores by {column.name}{drawn}"
    values: dict[tuple[str, str], Mean] = {
        (model, axis): (row["mean"], row["low"], row["high"]) for model, axis, row in rows
    }
    found = [axis for axis in (*axes, _WHOLE) if any(axis == other for _, other, _ in rows)]
    svg = draw_profile(f"profile{column.index}", f"{title}: dots with 95 % intervals", models, found, values)
    table = [(model, axis, *(row[name] for name in ("mean", "low", "high", "n"))) for model, axis, row in rows]
    return Figure(title=title, svg=svg, head=("model", "axis", "mean", "low", "high", "n"), rows=table)


def _best_first(means: pl.DataFrame, column: Column) -> list[str]:
    """Models by their mean trace score, as the table of means has them."""
    mine = means.filter(column=column.index, measure="trace_score")
    return [
        _named(model) for model in mine.sort("mean", descending=True, nulls_last=True, maintain_order=True)["model"]
    ]


def _models(models: Sequence[str]) -> tuple[Sequence[str], str]:
    """Those that are drawn, and what is said where there are more."""
    more = len(models) > _MODELS_DRAWN
    return models[:_MODELS_DRAWN], f" (the first {_MODELS_DRAWN} of {len(models)} models)" if more else ""


def _named(model: str | None) -> str:
    return "(no model)" if model is None else model


def _distribution(run: ReportedRun, column: Column, means: pl.DataFrame) -> Figure | None:
    """How many records of each model have which score; None where nothing has one."""
    axes = run.axes
    names = [f"{axis}_score" for axis in (*axes, _WHOLE)]
    scores = run.scores.filter(judge=column.judge).select("model", *names).collect(engine="streaming")
    counts = {
        (_named(model), axis): steps
        for (model,), frame in scores.partition_by("model", as_dict=True, maintain_order=True).items()
        for axis, name in zip((*axes, _WHOLE), names, strict=True)
        if any(steps := _steps(frame[name]))
    }
    if not counts:
        return None
    models, drawn = _models([model for model in _best_first(means, column) if any(model == one for one, _ in counts)])
    title = f"Scores by {column.name}, from 0 to 1 in {_STEPS} steps{drawn}"
    found = [axis for axis in (*axes, _WHOLE) if any(axis == other for _, other in counts)]
    svg = draw_distributions(f"spread{column.index}", f"{title}: bars of records", models, found, counts)
    edges = tuple(f"from {step / _STEPS:g}" for step in range(_STEPS))
    rows = [(model, axis, *steps) for (model, axis), steps in counts.items()]
    return Figure(title=title, svg=svg, head=("model", "axis", *edges), rows=rows)


def _steps(values: pl.Series) -> list[int]:
    """Records in each step; 1 is in the last, and what is below 0 in the first."""
    known = values.drop_nulls()
    places = (known * _STEPS).floor().cast(pl.Int64).clip(0, _STEPS - 1)
    counted = dict(places.value_counts().iter_rows())
    return [counted.get(step, 0) for step in range(_STEPS)]


def _latency(column: Column, seconds: pl.Series) -> Figure | None:
    """How long calls took; None where none did."""
    if not len(seconds):
        return None
    low, high = _bounds(seconds)
    edges = [low * (high / low) ** (step / _LATENCY_STEPS) for step in range(_LATENCY_STEPS + 1)]
    places = (((seconds / low).log() / math.log(high / low)) * _LATENCY_STEPS).floor().clip(0, _LATENCY_STEPS - 1)
    counted = dict(places.cast(pl.Int64).value_counts().iter_rows())
    counts = [counted.get(step, 0) for step in range(_LATENCY_STEPS)]
    title = f"How long calls of {column.name} took"
    svg = draw_latencies(f"latency{column.index}", f"{title}: bars of {len(seconds):,} calls", edges, counts)
    rows = [(left, right, n) for left, right, n in zip(edges, edges[1:], counts, strict=False) if n]
    return Figure(title=title, svg=svg, head=("from (s)", "to (s)", "calls"), rows=rows)


def _bounds(seconds: pl.Series) -> tuple[float, float]:
    low, high = seconds.min(), seconds.max()
    assert isinstance(low, float) and isinstance(high, float)
    return (low, high) if high > low else (low / 2, low * 2)
