"""Ratings -> Agreements: how far judges agree with people, and people with each other, axis by axis."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import polars as pl

from judge.statistics.estimate import Estimate
from judge.statistics.table import AGREEMENT, cohen_kappa, pair_tables
from judge.trust.compared import Compared, compare_classes, compare_numbers
from judge.trust.matching import Ratings
from judge.trust.people import MOST_RATERS, Ceiling, People, people_among_themselves, reached_by
from judge.trust.sheet import MAJORITY, UNRATED, Sheet, build_sheet, majority
from judge.trust.space import PROBES

__all__ = ["MEAN", "Agreement", "Cell", "measure_agreement"]

MEAN: Final = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Two raters, judges or people, of a heat map; numbers without intervals.

    Attributes:
        n: Units that both rated.
        agreement, kappa: Null with a reason.
    """

    rater: str
    other: str
    n: int
    agreement: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All that is measured of one probe on one axis.

    Attributes:
        axis: None for all axes together.
        unit_id: None for all units together.
        probe: One of `judge.trust.space.PROBES`.
        units: With a label.
        splits: Of these, without a majority: the most frequent classes are several.
        judges, raters: Who rated these units.
        compared: Each judge against the people's majority, then each person; of numbers, against the mean first.
        people: How far people agree among themselves; None where there is one only.
        ceilings: One a judge; none where there is one person only, or a crowd.
        cells: Every two raters, up to 20; none where answers are numbers and no classes.
    """

    axis: str | None
    unit_id: str | None
    probe: str
    units: int
    splits: int
    judges: tuple[str, ...]
    raters: tuple[str, ...]
    compared: tuple[Compared, ...]
    people: People | None
    ceilings: tuple[Ceiling, ...]
    cells: tuple[Cell, ...]

    def of(self, judge: str, against: str) -> Compared | None:
        """A judge against the majority, the mean, or a person."""
        return next((one for one in self.compared if (one.rater, one.against) == (judge, against)), None)


def measure_agreement(
    ratings: Ratings,
    *,
    probes: Collection[str] = (),
    axes: Collection[str] = (),
    by_unit: bool = False,
    seed: int = 0,
) -> tuple[Agreement, ...]:
    """Measure every probe on every axis that people labelled.

    Args:
        ratings: Of `judge.trust.matching.match`.
        probes: Only these; none given means all.
        axes: Only these; none given means all.
        by_unit: Each unit apart too, over the records that have it.
        seed: Of the draws.

    Returns:
        By probe, in the order of `PROBES`; of each probe all axes together (where they are several, and their answers
        are not numbers), then each axis, each followed by its units.
    """
    found = []
    for probe in (one for one in PROBES if not probes or one in probes):
        judged, labelled = (frame.filter(probe=probe) for frame in (ratings.judged, ratings.labelled))
        if axes:
            judged, labelled = (frame.filter(pl.col("axis").is_in(list(axes))) for frame in (judged, labelled))
        for axis, unit_id in _groups(labelled, probe, by_unit=by_unit):
            mine, theirs = (_part(frame, axis, unit_id) for frame in (judged, labelled))
            found.append(_agreement(axis, unit_id, probe, build_sheet(mine, theirs, probe), seed))
    return tuple(found)


def _groups(labelled: pl.DataFrame, probe: str, *, by_unit: bool) -> Iterator[tuple[str | None, str | None]]:
    axes = labelled["axis"].unique(maintain_order=True).to_list()
    if len(axes) > 1 and probe != "value":  # numbers of different scales are no column
        yield None, None
    for axis in axes:
        yield axis, None
        if by_unit:
            units = labelled.filter(axis=axis)["unit_id"].drop_nulls().unique(maintain_order=True)
            yield from ((axis, unit) for unit in units)


def _part(frame: pl.DataFrame, axis: str | None, unit_id: str | None) -> pl.DataFrame:
    wanted = {name: value for name, value in (("axis", axis), ("unit_id", unit_id)) if value is not None}
    return frame.filter(**wanted) if wanted else frame


def _agreement(axis: str | None, unit_id: str | None, probe: str, sheet: Sheet, seed: int) -> Agreement:
    most, splits = majority([sheet.codes[rater] for rater in sheet.people])
    ceilings = (reached_by(judge, sheet, seed=seed) for judge in sheet.judges)
    return Agreement(
        axis=axis,
        unit_id=unit_id,
        probe=probe,
        units=len(sheet.records),
        splits=splits,
        judges=sheet.judges,
        raters=sheet.people,
        compared=tuple(one for judge in sheet.judges for one in _compared(judge, sheet, most, seed)),
        people=people_among_themselves(sheet, seed=seed),
        ceilings=tuple(one for one in ceilings if one is not None),
        cells=tuple(_cells(sheet)),
    )


def _compared(judge: str, sheet: Sheet, most: pl.Series, seed: int) -> Iterator[Compared]:
    asked = sheet.codes[judge] > UNRATED
    if sheet.numbers:
        mean = pl.select(pl.mean_horizontal(*(sheet.numbers[rater] for rater in sheet.people))).to_series()
        yield compare_numbers((judge, sheet.numbers[judge]), (MEAN, mean), sheet.records, asked=asked, seed=seed)
    for name, column in {MAJORITY: most, **{rater: sheet.codes[rater] for rater in sheet.people}}.items():
        if sheet.space.classes:
            pair = (judge, sheet.codes[judge]), (name, column)
            yield compare_classes(*pair, sheet.records, sheet.space, seed=seed)
        elif name != MAJORITY:
            pair = (judge, sheet.numbers[judge]), (name, sheet.numbers[name])
            yield compare_numbers(*pair, sheet.records, asked=asked, seed=seed)


def _cells(sheet: Sheet) -> Iterator[Cell]:
    raters = (*sheet.judges, *sheet.people)
    if not sheet.space.classes or len(raters) > MOST_RATERS:
        return
    for one, other in combinations(raters, 2):
        tables = pair_tables(sheet.records, sheet.codes[one], sheet.codes[other], classes=len(sheet.space.classes))
        whole = tables.sum(axis=0)
        yield Cell(rater=one, other=other, n=int(whole.sum()), agreement=AGREEMENT(whole), kappa=cohen_kappa()(whole))
