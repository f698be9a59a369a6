"""Verdicts × Calibration -> what people would have said of these traces, as far as labels have shown.

    checklist   Σ w·G(p) / Σ w  ×  Σ_{p≥1} w·R(c) / Σ_{p≥1} w      G, R: the maps of `raised` and `right`
    criteria    the sum of its scoring, with M(MET) in place of [MET]    M: the map of `met`
    scale       (L(v) - min) / (max - min)                            L: the map of `level`

which is contract §2 with expectations in place of what was said, as of one-token probes. An axis has none where its
judged score is null, where a map is missing, or where what was said is not summed up one by one: gates, trees, ratings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from judge.aggregate import cut, interval
from judge.axis import Axis, Checklist, Criteria, Scale
from judge.trust.calibration import AxisCalibration, Calibration, Probe, ProbeCalibration

__all__ = ["calibrated_means", "calibrated_scores", "unmapped"]

_RECORD = ("line", "record_id", "record_key", "model", "judge")
_ROUNDING = 1e-9
_SUMMED = ("healthbench", "weighted", "rar_explicit")


def calibrated_scores(
    verdicts: pl.LazyFrame,
    scores: pl.LazyFrame,
    calibration: Calibration,
    axes: Mapping[str, Axis],
    *,
    min_coverage: float = 1.0,
) -> pl.DataFrame:
    """The calibrated scores of a run.

    Args:
        verdicts: Its table of this name.
        scores: Its table of this name.
        calibration: Of its judge, prompt and rubric.
        axes: Of its rubric.
        min_coverage: Of the run: a sample with less judged counts here as little as in the run.

    Returns:
        A row a row of `scores`, in its order: `line, record_id, record_key, model, judge`, `{axis}_calibrated` of each
        axis that has one, and `trace_calibrated`, their mean where all that were scored have one.
    """
    mapped = {name: axis for name, axis in axes.items() if _has_map(name, axis, calibration)}
    scored = [f"{name}_score" for name in axes if f"{name}_score" in scores.collect_schema()]
    table = scores.select(*_RECORD, *scored, "trace_score").collect()
    for name, axis in mapped.items():
        found = _axis_scores(_judged(verdicts, name, min_coverage), axis, calibration.axes[name].probes)
        table = table.join(found.rename({"score": f"{name}_calibrated"}), on="line", how="left", maintain_order="left")
    columns = [f"{name}_calibrated" for name in mapped]
    nulled = [pl.when(pl.col(f"{name}_score").is_not_null()).then(f"{name}_calibrated") for name in mapped]
    whole = pl.all_horizontal(pl.col(name).is_null() | _known(name, columns) for name in scored)
    complete = pl.col("trace_score").is_not_null() & whole
    trace = pl.when(complete).then(_mean_of(columns)).alias("trace_calibrated")
    return table.with_columns(*nulled).with_columns(trace).select(*_RECORD, *columns, "trace_calibrated")


def calibrated_means(table: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """Means per model and measure: `model, measure, mean, low, high, interval, n`, with 95 % intervals over records.

    The intervals hold the records' spread and not that of the labels, which the calibration's own intervals tell.
    """
    measures = [name for name in table.columns if name.endswith("_calibrated")]
    rows = [
        (model, name, *_mean(part[name].drop_nulls(), seed), part[name].count())
        for (model,), part in table.partition_by("model", as_dict=True, maintain_order=True).items()
        for name in measures
    ]
    schema = {"model": pl.String, "measure": pl.String, **dict.fromkeys(("mean", "low", "high"), pl.Float64)}
    return pl.DataFrame(rows, schema={**schema, "interval": pl.String, "n": pl.Int64}, orient="row")


def unmapped(axis: Axis, known: AxisCalibration) -> str | None:
    """Why an axis has no calibrated score, in words; None where it has one."""
    if isinstance(axis, Criteria) and (axis.scoring not in _SUMMED or any(one.gate for one in axis.criteria)):
        return "gates, trees and ratings are not sums of their criteria"
    if not isinstance(axis, Checklist | Criteria | Scale):
        return "only checklists, criteria and scales have maps"
    return next((f"{probe}: {one.why}" for probe, one in known.probes.items() if one.map is None), None)


def _known(score: str, columns: Sequence[str]) -> pl.Expr:
    """Whether the axis of a score column has a calibrated one."""
    name = f"{score.removesuffix('_score')}_calibrated"
    return pl.col(name).is_not_null() if name in columns else pl.lit(value=False)


def _mean_of(columns: Sequence[str]) -> pl.Expr:
    return pl.mean_horizontal(columns) if columns else pl.lit(None, pl.Float64)


def _has_map(name: str, axis: Axis, calibration: Calibration) -> bool:
    known = calibration.axes.get(name)
    return known is not None and known.kind == axis.kind and unmapped(axis, known) is None


def _mean(values: pl.Series, seed: int) -> tuple[float | None, float | None, float | None, str | None]:
    mean = values.mean()
    low, high, method = interval(values, seed=seed)
    return cut(mean if isinstance(mean, float) else None), cut(low), cut(high), method


def _judged(verdicts: pl.LazyFrame, axis: str, min_coverage: float) -> pl.DataFrame:
    known, weight = pl.col("failure").is_null(), pl.col("weight").fill_null(1.0)
    judged, asked = (part.sum().over("line", "sample") for part in (pl.when(known).then(weight), weight))
    raised = pl.col("presence") >= 1
    right = pl.coalesce("p_correct", (pl.col("correctness") == 1).cast(pl.Float64))
    return (
        verdicts.filter(pl.col("axis") == axis)
        .filter(judged >= asked * min_coverage - _ROUNDING)
        .filter(known)
        .select(
            *("line", "sample", "weight", "points", "polarity", "gate"),
            raised=pl.coalesce("p_present", pl.col("presence") / 2),
            right=pl.when(raised).then(right),
            met=(pl.col("verdict") == "MET").cast(pl.Float64),
            level="value",
        )
        .collect()
    )


def _axis_scores(judged: pl.DataFrame, axis: Axis, probes: Mapping[Probe, ProbeCalibration]) -> pl.DataFrame:
    """`line, score`: the mean over samples."""
    mapped = judged.with_columns(
        # A map says something of every number, also where nothing was said.
        pl.when(pl.col(name).is_not_null()).then(pl.Series(known.map.steps(judged[name].fill_null(0.0)))).alias(name)
        for name, known in probes.items()
        if known.map is not None
    )
    samples = mapped.group_by("line", "sample", maintain_order=True).agg(score=_sum(axis))
    return samples.group_by("line", maintain_order=True).agg(pl.col("score").mean())


def _sum(axis: Axis) -> pl.Expr:
    if isinstance(axis, Scale):
        lowest, highest = axis.levels[0].level, axis.levels[-1].level
        return ((pl.col("level") - lowest) / (highest - lowest)).first()
    if isinstance(axis, Criteria):
        return pl.when(~pl.col("gate").fill_null(value=False).any()).then(_sum_of_criteria(axis))
    weight, raised = pl.col("weight"), pl.col("right").is_not_null()
    grounding = (weight * pl.col("raised")).sum() / weight.sum()
    right = (weight * pl.col("right")).sum() / weight.filter(raised).sum()
    return pl.when(weight.filter(raised).sum() > 0).then(grounding * right).when(weight.sum() > 0).then(0.0)


def _sum_of_criteria(axis: Criteria) -> pl.Expr:
    met, points, weight = pl.col("met"), pl.col("points"), pl.col("weight")
    good = pl.when(pl.col("polarity") == "negative").then(1 - met).otherwise(met)
    share = pl.when(weight.sum() > 0).then((weight * good).sum() / weight.sum())
    positive = points.clip(lower_bound=0).sum()
    reached = pl.when(positive > 0).then((points * met).sum() / positive)
    if axis.scoring == "healthbench":
        return reached
    if axis.scoring == "rar_explicit":
        return share
    return pl.when(positive > 0).then(reached.clip(0, 1)).otherwise(share)
