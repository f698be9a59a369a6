"""Scores -> means with their numbers and intervals, per model and judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

__all__ = ["MANY_RECORDS", "interval", "summarise"]

_DRAWS = 2_000
_DRAWN_AT_ONCE = 4_000_000
MANY_RECORDS = 20_000
_METHODS = pl.Enum(["bootstrap", "normal"])


def summarise(scores: pl.DataFrame, axes: Sequence[str], *, seed: int = 0) -> pl.DataFrame:
    """Means over the non-null values of every measure, per model and judge.

    Args:
        scores: The table of a run.
        axes: Names of the rubric's axes, in order.
        seed: Of the bootstrap.

    Returns:
        Columns `model, judge, measure, mean, low, high, interval, n, n_failed`, in the order of first appearance;
        `measure` is `trace_score`, `perception_grounding` and so on. `n_failed` counts records without a trace score.
        Mean and interval are null where n is 0, the interval also where n is 1.
    """
    measures = [f"{axis}_{part}" for axis in axes for part in ("grounding", "correctness", "score")]
    measures += ["trace_grounding", "trace_correctness", "trace_score", "answer_correct", "answered"]
    scores = scores.with_columns(answered=pl.col("answer").is_not_null())
    groups = scores.partition_by("model", "judge", maintain_order=True)
    rows = [_row(group, measure, seed) for group in groups for measure in measures]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("model", "judge", "measure"), pl.String),
    **dict.fromkeys(("mean", "low", "high"), pl.Float64),
    "interval": _METHODS,
    "n": pl.Int64,
    "n_failed": pl.Int64,
}


def _row(group: pl.DataFrame, measure: str, seed: int) -> tuple[object, ...]:
    values = group[measure].cast(pl.Float64).drop_nulls()
    low, high, method = interval(values, seed=seed)
    failed = int(group["failure"].is_not_null().sum())
    return (group["model"][0], group["judge"][0], measure, values.mean(), low, high, method, len(values), failed)


def interval(values: pl.Series, *, seed: int = 0) -> tuple[float | None, float | None, str | None]:
    """95 % interval of a mean.

        up to 20,000 values   the 2.5 % and 97.5 % percentiles of the means of 2,000 draws with replacement
        above                 mean ± 1.96 · sd / √n

    Args:
        values: Finite, without nulls.
        seed: Of the draws.

    Returns:
        `(low, high, "bootstrap" or "normal")`; nulls below two values.
    """
    n = len(values)
    if n < 2:
        return None, None, None
    mean, sd = values.mean(), values.std()
    assert isinstance(mean, float) and isinstance(sd, float)
    if n > MANY_RECORDS:
        return mean - 1.96 * sd / n**0.5, mean + 1.96 * sd / n**0.5, "normal"
    means = _drawn_means(values, seed)
    return means.quantile(0.025, "linear"), means.quantile(0.975, "linear"), "bootstrap"


def _drawn_means(values: pl.Series, seed: int) -> pl.Series:
    """Means of the draws, drawn in portions so that memory stays flat."""
    n = len(values)
    portion = max(1, min(_DRAWS, _DRAWN_AT_ONCE // n))
    means = []
    for start in range(0, _DRAWS, portion):
        draws = min(portion, _DRAWS - start)
        drawn = values.sample(n * draws, with_replacement=True, seed=seed + start)
        means.append(drawn.reshape((draws, n)).arr.mean())
    return pl.concat(means)
