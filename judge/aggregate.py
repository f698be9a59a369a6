"""Scores -> means with their numbers and intervals, per model and judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import polars as pl

from judge.score import MEASURES, TRACE_MEASURES

__all__ = ["MANY_RECORDS", "Interval", "cut", "drawn_means", "interval", "summarise"]

_DRAWS = 2_000
_DRAWN_AT_ONCE = 500_000
MANY_RECORDS = 20_000
_HELD_AT_ONCE = 40_000
_METHODS = pl.Enum(["bootstrap", "normal"])
Interval: TypeAlias = tuple[float | None, float | None, str | None]
"""Low, high, and by which method; nulls where there is none."""


def summarise(scores: pl.DataFrame | pl.LazyFrame, axes: Iterable[str], *, seed: int = 0) -> pl.DataFrame:
    """Means over the non-null values of every measure, per model and judge.

    Args:
        scores: The table of a run; a lazy one of any length is read in portions.
        axes: Names of the rubric's axes, in order.
        seed: Of the bootstrap.

    Returns:
        Columns `model, judge, measure, mean, low, high, interval, n, n_failed`, in the order of first appearance;
        `measure` is `trace_score`, `perception_grounding` and so on, as far as the table has it, which goes by the kind
        of an axis. `n_failed` counts records without a trace score. Mean and interval are null where n is 0, the
        interval also where n is 1.
    """
    columns = scores.lazy().collect_schema()
    measures = [name for axis in axes for part in _PARTS if (name := f"{axis}_{part}") in columns]
    measures += [*(f"trace_{part}" for part in TRACE_MEASURES), "answer_correct", "answered"]
    read = scores.lazy().with_columns(answered=pl.col("answer").is_not_null()).with_row_index("place")
    values = read.select("place", "failure", *_GROUP, pl.col(measures).cast(pl.Float64))
    rows = [row for groups in _portions(_groups(values, measures)) for row in _rows(values, groups, measures, seed)]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


_GROUP = ("model", "judge")
_PARTS = tuple(dict.fromkeys(part for measured in MEASURES.values() for part in measured))
_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("model", "judge", "measure"), pl.String),
    **dict.fromkeys(("mean", "low", "high"), pl.Float64),
    "interval": _METHODS,
    "n": pl.Int64,
    "n_failed": pl.Int64,
}


def _groups(values: pl.LazyFrame, measures: list[str]) -> pl.DataFrame:
    """What one pass can tell of every group: its records, and n, mean and standard deviation of each measure."""
    told = [pl.col(measures).count().name.prefix("n:"), pl.col(measures).mean().name.prefix("mean:")]
    told += [pl.col(measures).std().name.prefix("sd:"), pl.col("failure").count().alias("n_failed")]
    groups = values.group_by(_GROUP).agg(pl.col("place").min(), pl.len().alias("records"), *told)
    return groups.sort("place").collect(engine="streaming")


def _portions(groups: pl.DataFrame) -> list[pl.DataFrame]:
    """Neighbouring groups that are read together: as many as fit into memory with all their values."""
    held = pl.when(pl.col("records") <= MANY_RECORDS).then("records").otherwise(0)
    return groups.with_columns(portion=held.cum_sum() // _HELD_AT_ONCE).partition_by("portion", maintain_order=True)


def _rows(values: pl.LazyFrame, groups: pl.DataFrame, measures: list[str], seed: int) -> Iterator[tuple[object, ...]]:
    few = groups.filter(pl.col("records") <= MANY_RECORDS).select(_GROUP).lazy()
    # The draws go by place, and a join promises no order.
    held = values.join(few, on=_GROUP, how="semi", nulls_equal=True).sort("place").collect(engine="streaming")
    frames = held.partition_by(_GROUP, as_dict=True)
    for group in groups.iter_rows(named=True):
        frame = frames.get((group["model"], group["judge"]))
        for measure in measures:
            mean, (low, high, method) = _measured(values if frame is None else frame.lazy(), group, measure, seed)
            bounds = map(cut, (mean, low, high))
            yield (group["model"], group["judge"], measure, *bounds, method, group[f"n:{measure}"], group["n_failed"])


def cut(value: float | None) -> float | None:
    """HealthBench's records may score below 0, and their mean does not (contract §2); all others are in [0, 1]."""
    return None if value is None else min(1.0, max(0.0, value))


def _measured(values: pl.LazyFrame, group: dict[str, Any], measure: str, seed: int) -> tuple[float | None, Interval]:
    """Mean and interval; values are read only where they are drawn from."""
    n, mean, sd = (group[f"{part}:{measure}"] for part in ("n", "mean", "sd"))
    if n > MANY_RECORDS:
        return mean, _normal(n, mean, sd)
    mine = [pl.col(name).eq_missing(pl.lit(group[name], pl.String)) for name in _GROUP]
    known = values.filter(*mine).select(pl.col(measure).drop_nulls()).collect(engine="streaming")[measure]
    found = known.mean()  # in order: a sum of partial sums would differ in its last digits from run to run
    return (found if isinstance(found, float) else None), interval(known, seed=seed)


def _normal(n: int, mean: float, sd: float) -> Interval:
    return mean - 1.96 * sd / n**0.5, mean + 1.96 * sd / n**0.5, "normal"


def interval(values: pl.Series, *, seed: int = 0) -> Interval:
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
        return _normal(n, mean, sd)
    means = drawn_means(values.to_frame("mean"), seed=seed)["mean"]
    return means.quantile(0.025, "linear"), means.quantile(0.975, "linear"), "bootstrap"


def drawn_means(values: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """Means of each column in 2,000 draws of rows with replacement, made in portions so that memory stays flat.

    Args:
        values: Numbers, without nulls; at least one row.
        seed: Of the draws.

    Returns:
        A row a draw.
    """
    n = len(values)
    portion = max(1, min(_DRAWS, _DRAWN_AT_ONCE // n))
    means = []
    for start in range(0, _DRAWS, portion):
        draws = min(portion, _DRAWS - start)
        rows = pl.int_range(n, eager=True).sample(n * draws, with_replacement=True, seed=seed + start)
        drawn = [column.gather(rows).reshape((draws, n)).arr.mean() for column in values]
        means.append(pl.DataFrame(drawn))
    return pl.concat(means)
