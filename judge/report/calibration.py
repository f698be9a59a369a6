"""What labels have shown of the judges -> calibrated means, sensitivity and specificity, and maps as drawings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from judge.report.figure import Figure
from judge.report.people import People
from judge.report.plots import Curve, draw_calibration
from judge.report.runs import Column, ReportedRun
from judge.report.section import Cell, Interval, Section, Table
from judge.trust.calibrated import calibrated_means
from judge.trust.calibrating import pair_answers
from judge.trust.calibration import MEANS, Calibration, Map, ProbeCalibration, Rate
from judge.trust.curve import find_points

__all__ = ["describe_calibration", "draw_calibrations", "list_calibrated"]

_PROBES: Final = ("raised", "right", "met", "level")


def list_calibrated(
    runs: Sequence[ReportedRun], columns: Sequence[Column], *, seed: int = 0
) -> list[Mapping[str, Any]]:
    """The calibrated means of every run that has them, each with its column, as `judge score` prints them."""
    return [{"column": column.index, **row} for column in columns for row in _means(runs[column.run], column, seed)]


def _means(run: ReportedRun, column: Column, seed: int) -> list[dict[str, Any]]:
    if run.calibrated is None:
        return []
    mine = run.calibrated.filter(judge=column.judge)
    return calibrated_means(mine, seed=seed).to_dicts() if mine.height else []


def describe_calibration(runs: Sequence[ReportedRun]) -> Section | None:
    """What each calibration says of its judge; None where no run has one."""
    known = [(run.name, run.calibration) for run in runs if run.calibration is not None]
    if not known:
        return None
    tables = [_table(name, one) for name, one in known]
    found = [f"{probe}: no map, as {of.why}." for _, one in known for probe, of in one.asked if of.map is None]
    about = ["Intervals of calibrated means hold the spread of records, not that of labels, which those below tell."]
    return Section(
        name="calibration", title="Calibration", short="Calibration", about=about, tables=tables, found=found
    )


def _table(run: str, known: Calibration) -> Table:
    raters = f"{len(known.raters)} rater{'s' if len(known.raters) != 1 else ''}"
    return Table(
        caption=f"{known.judge} under {known.rubric}, by labels of {raters} on {known.records:,} records ({run})",
        head=("what people say", "n", "sensitivity", "of", "specificity", "of", "squared error", "mapped"),
        rows=[_row(name, one) for name, one in known.asked],
    )


def _row(name: str, one: ProbeCalibration) -> Sequence[Cell]:
    return (name, one.n, *_rate(one.sensitivity), *_rate(one.specificity), one.error, one.error_mapped)


def _rate(rate: Rate | None) -> tuple[Cell, Cell]:
    return (None, None) if rate is None else (Interval(value=rate.value, low=rate.low, high=rate.high), rate.n)


def draw_calibrations(
    runs: Sequence[ReportedRun], columns: Sequence[Column], people: People | None, *, seed: int = 0
) -> Iterator[Figure]:
    """For each judge, what people say where it says something: by its calibration, by the labels given, or both."""
    for column in columns:
        curves = list(_curves(runs[column.run], column, people, seed))
        if curves:
            yield _figure(column, curves)


def _curves(run: ReportedRun, column: Column, people: People | None, seed: int) -> Iterator[Curve]:
    """A curve for each axis and probe that is known of, from labels or from a map."""
    points = _points(run, column, people, seed)
    maps = _maps(run, column)
    for name in dict.fromkeys((*maps, *points)):
        yield Curve(title=name, points=points.get(name, ()), line=maps.get(name, ()))


def _maps(run: ReportedRun, column: Column) -> dict[str, Sequence[tuple[float, float]]]:
    known = run.calibration
    if known is None or known.judge != column.judge:
        return {}
    return {name: _line(one.map) for name, one in known.asked if one.map is not None}


def _line(known: Map) -> Sequence[tuple[float, float]]:
    return list(zip(known.at, known.to, strict=True))


def _points(
    run: ReportedRun, column: Column, people: People | None, seed: int
) -> dict[str, Sequence[tuple[float, Any, int]]]:
    if people is None or not (run.path / "verdicts.parquet").exists():
        return {}
    paired = pair_answers(run.path, people.ratings.labelled, judge=column.judge)
    found: dict[str, Sequence[tuple[float, Any, int]]] = {}
    for (axis,), rows in paired.partition_by("axis", as_dict=True, maintain_order=True).items():
        for probe in _PROBES:
            if points := list(find_points(rows, probe, seed=seed)):
                found[f"{axis} {MEANS[probe]}"] = [(x, (one.value, one.low, one.high), n) for x, one, n in points]
    return found


def _figure(column: Column, curves: Sequence[Curve]) -> Figure:
    both = any(one.points for one in curves) and any(one.line for one in curves)
    kind = (
        "dots: the labels given; line: the map of its calibration" if both else "on the dashed line, both say the same"
    )
    title = f"What people say on average where {column.name} says so much ({kind})"
    points = [(one.title, "labels", x, *mean, n) for one in curves for x, mean, n in one.points]
    lines = [(one.title, "map", at, to, None, None, None) for one in curves for at, to in one.line]
    return Figure(
        title=title,
        svg=draw_calibration(f"calibration{column.index}", title, curves),
        head=("asked", "by", "judge", "people", "low", "high", "n"),
        rows=[*points, *lines],
    )
