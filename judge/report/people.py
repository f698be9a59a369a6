"""A file of labels × the runs -> what people said of the units of a report, and on which a judge says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from judge.errors import ConfigError
from judge.report.runs import Column, ReportedRun
from judge.runs.naming import shortest_names
from judge.trust.agreement import Agreement, measure_agreement
from judge.trust.labels import read_labels
from judge.trust.lines import TOLD
from judge.trust.matching import Ratings, match

__all__ = ["People", "count_disagreements", "hear_people", "list_preferred", "list_said"]

_UNIT: Final = ("record_id", "model", "axis", "unit_id")
_TABLES: Final = ("verdicts.parquet", "preferences.parquet")
_SAID: Final = ("presence", "correctness", "verdict", "value", "preference")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Labels, and how far the judges agree with them.

    Attributes:
        ratings: Of `match`: labels that count, and those that count nowhere.
        agreements: Of `measure_agreement`.
        names: By judge of the ratings: its column as the page names it; a judge of preferences only has none.
    """

    ratings: Ratings
    agreements: tuple[Agreement, ...]
    names: Mapping[str, str]


def hear_people(path: Path, runs: Sequence[ReportedRun], columns: Sequence[Column], *, seed: int = 0) -> People:
    """Read labels, and hold the judges of all runs against them, as `judge agree` does.

    Raises:
        ConfigError: No run has tables yet, or no label meets a unit of theirs.
        InputError: The file cannot be read, or a line is no label.
    """
    labels = read_labels(path)
    finished = [run for run in runs if any((run.path / name).exists() for name in _TABLES)]
    if not finished:
        hint = "Leave --labels out until a run is finished, or name the run that the labels are of."
        raise ConfigError("--labels: no run has tables that labels can be held against.", hint=hint)
    ratings = match([run.path for run in finished], labels)
    return People(
        ratings=ratings,
        agreements=measure_agreement(ratings, probes=TOLD, seed=seed),
        names=_names(ratings, finished, runs, columns),
    )


def _names(
    ratings: Ratings, finished: Sequence[ReportedRun], runs: Sequence[ReportedRun], columns: Sequence[Column]
) -> dict[str, str]:
    """A judge of several runs is called by its run too, in ratings as in columns, though not by the same words."""
    of_run = dict(
        zip([run.path for run in finished], shortest_names([run.path.resolve() for run in finished]), strict=True)
    )
    found = {}
    for column in columns:
        longer = f"{column.judge} ({of_run.get(runs[column.run].path)})"
        found[longer if longer in ratings.judges else column.judge] = column.name
    return found


def list_said(people: People, items: pl.DataFrame) -> pl.DataFrame:
    """What people said of each item.

    Args:
        people: Of `hear_people`.
        items: Of `find_items`.

    Returns:
        Columns `item, axis, unit_id, rater, said`; `unit_id` is null of a label of a whole trace.
    """
    said = _of_items(_said(people.ratings.labelled.filter(~_OF_PAIR)), items)
    return said.select("item", "axis", "unit_id", "rater", "said")


def list_preferred(people: People, pairs: pl.DataFrame) -> pl.DataFrame:
    """Which of two traces people prefer.

    Args:
        people: Of `hear_people`.
        pairs: Rows with `record_id, model_a, model_b`.

    Returns:
        Columns `record_id, axis, model_a, model_b, rater, said`: the model that is preferred, or `tie`.
    """
    known = _with_models(people.ratings.labelled.filter(_OF_PAIR), pairs)
    said = pl.when(value="A").then("model_a").when(value="B").then("model_b").otherwise("value").alias("said")
    return known.select("record_id", "axis", "model_a", "model_b", "rater", said)


def count_disagreements(people: People, items: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Units of each item, preferences among them, on which a judge found something else than most people said.

    Where people are split evenly, no judge disagrees with them.

    Args:
        people: Of `hear_people`.
        items: Of `find_items`.
        pairs: Rows with `record_id, model_a, model_b`: a preference counts for both of its traces.

    Returns:
        Columns `item, disagreements`.
    """
    judged, labelled = people.ratings.judged, people.ratings.labelled
    units = _differing(judged.filter(~_OF_PAIR), labelled.filter(~_OF_PAIR))
    preferred = _with_models(_differing(judged.filter(_OF_PAIR), labelled.filter(_OF_PAIR)), pairs)
    sides = [preferred.with_columns(model=pl.col(side)).select(_UNIT) for side in ("model_a", "model_b")]
    found = _of_items(pl.concat([units, *sides]).unique(), items)
    return found.group_by("item").len("disagreements")


_OF_PAIR: Final = pl.col("probe") == "preference"


def _differing(judged: pl.DataFrame, labelled: pl.DataFrame) -> pl.DataFrame:
    """Units on which a judge says otherwise than most people."""
    said = _said(labelled).group_by(*_UNIT, "said").len()
    most = said.filter(pl.col("len") == pl.col("len").max().over(_UNIT))
    agreed = most.filter(pl.len().over(_UNIT) == 1)
    mine = _said(judged.join(agreed, on=_UNIT, how="semi", nulls_equal=True))
    both = mine.join(agreed, on=_UNIT, nulls_equal=True, suffix="_people")
    return both.filter(pl.col("said") != pl.col("said_people")).select(_UNIT).unique()


def _said(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row a unit and rater: `said` is what there is of it as one text, such as `2/-1`, `MET`, `level 4`."""
    value = pl.col("value")
    one = {probe: value.filter(pl.col("probe") == probe).first() for probe in _SAID}
    kept = ratings.filter(pl.col("probe").is_in(_SAID))
    rows = kept.group_by(*_UNIT, "rater", maintain_order=True).agg(**one)
    presence = pl.concat_str("presence", "correctness", separator="/", ignore_nulls=True)
    level = pl.when(pl.col("unit_id").is_null()).then("value").otherwise(pl.format("level {}", "value"))
    said = pl.coalesce("verdict", level, "preference", pl.when(pl.col("presence").is_not_null()).then(presence))
    return rows.select(*_UNIT, "rater", said=said).drop_nulls("said")


def _of_items(said: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    first = items.filter(nth=0, unreadable=False).select("item", "record_id", "model")
    return said.join(first, on=("record_id", "model"), nulls_equal=True, maintain_order="left")


def _with_models(preferred: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Preferences with the two models that each is of: they go by both, in either order."""
    known = pairs.select("record_id", "model_a", "model_b").unique(maintain_order=True)
    turned = known.select("record_id", model_a="model_b", model_b="model_a")
    unit = pl.concat_str("model_a", pl.lit(" vs "), "model_b").alias("unit_id")
    both = pl.concat([known, turned]).unique(maintain_order=True).with_columns(unit)
    return preferred.join(both, on=("record_id", "unit_id"), maintain_order="left")
