"""Ratings of one axis and probe -> a sheet: a row a unit that a person labelled, a column a rater.

| unit | record | lexical#8f2 | ann | bob |
| 0    | 0      | 2           | 2   | 2   |
| 1    | 0      | -1          | 0   | -2  |

Codes are places in the space of the probe; -1 is an answer without a usable class, -2 none at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from judge.trust.space import Space, space_of

__all__ = ["MAJORITY", "UNPARSED", "UNRATED", "Sheet", "build_sheet", "majority"]

UNPARSED: Final = -1
UNRATED: Final = -2
MAJORITY: Final = "majority"
_UNIT: Final = ("record_id", "model", "axis", "unit_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Who said what of the units of one axis and probe.

    Attributes:
        space: Of what was said.
        records: (units,) the number of each unit's record, from 0 without gaps.
        codes: Rater -> (units,) codes, judges and people; all `UNPARSED` or below where answers are no classes.
        numbers: Rater -> (units,) numbers, null where there is none; of probe `value` only.
        judges, people: Who has a column.
    """

    space: Space
    records: pl.Series
    codes: Mapping[str, pl.Series]
    numbers: Mapping[str, pl.Series]
    judges: tuple[str, ...]
    people: tuple[str, ...]

    def of_people(self) -> pl.DataFrame:
        """(units, people): their codes."""
        return pl.DataFrame([self.codes[rater].alias(rater) for rater in self.people])


def build_sheet(judged: pl.DataFrame, labelled: pl.DataFrame, probe: str) -> Sheet:
    """Lay ratings of one probe out.

    Args:
        judged: By judges, columns `RATINGS`; of units without a label too.
        labelled: By people, at least one row.
        probe: Of all of them.
    """
    units = labelled.select(_UNIT).unique(maintain_order=True).with_row_index("unit")
    records = units.select(record=pl.struct("record_id", "model").rank("dense").cast(pl.Int64) - 1)["record"]
    mine, theirs = (_at(frame, units) for frame in (judged, labelled))
    answers = [frame["value"].drop_nulls().unique() for frame in (mine, theirs)]
    whole_traces = units["unit_id"].null_count() == len(units)
    space = space_of(probe, judged=answers[0].to_list(), labelled=answers[1].to_list(), whole_traces=whole_traces)
    said = pl.concat([mine, theirs])
    return Sheet(
        space=space,
        records=records,
        codes=_columns(said.with_columns(said=_code(space)), len(units), UNRATED),
        numbers=_columns(said.with_columns(said=_NUMBER), len(units), None) if probe == "value" else {},
        judges=tuple(mine["rater"].unique(maintain_order=True)),
        people=tuple(theirs["rater"].unique(maintain_order=True)),
    )


_NUMBER: Final = pl.col("value").cast(pl.Float64)


def _at(frame: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Ratings of these units only: `unit, rater, value`."""
    found = frame.join(units, on=_UNIT, how="inner", nulls_equal=True, maintain_order="left")
    return found.select("unit", "rater", "value")


def _code(space: Space) -> pl.Expr:
    places = {name: place for place, name in enumerate(space.classes)}
    return pl.col("value").replace_strict(places, default=UNPARSED, return_dtype=pl.Int64)


def _columns(said: pl.DataFrame, units: int, missing: int | None) -> dict[str, pl.Series]:
    """Rater -> (units,) what was said, `missing` where nothing was."""
    every = pl.DataFrame({"unit": range(units)}, schema={"unit": pl.UInt32})
    columns = {}
    for (rater,), mine in said.partition_by("rater", as_dict=True, maintain_order=True).items():
        filled = every.join(mine, on="unit", how="left", maintain_order="left")
        given = filled.select(pl.when(pl.col("rater").is_null()).then(missing).otherwise("said").alias("said"))
        columns[str(rater)] = given["said"]
    return columns


def majority(codes: Sequence[pl.Series]) -> tuple[pl.Series, int]:
    """The class that most raters gave to each unit.

    Args:
        codes: (units,) of each rater.

    Returns:
        (units,) codes, `UNRATED` where nobody gave one or the most frequent are several; and how many of the latter.
    """
    rated = pl.concat([pl.DataFrame({"unit": range(len(one)), "code": one}) for one in codes]).filter(
        pl.col("code") >= 0
    )
    counted = rated.group_by("unit", "code").len()
    most = counted.filter(pl.col("len") == pl.col("len").max().over("unit"))
    single = most.filter(pl.len().over("unit") == 1)
    every = pl.DataFrame({"unit": range(len(codes[0]))})
    found = every.join(single, on="unit", how="left", maintain_order="left")["code"].fill_null(UNRATED)
    return found, most["unit"].n_unique() - len(single)
