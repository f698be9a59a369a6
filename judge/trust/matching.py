"""Runs × labels -> Ratings of the same units; a label that meets no unit is counted, and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from judge.errors import ConfigError
from judge.runs.naming import shortest_names
from judge.trust.ratings import label_ratings, run_ratings, run_records, with_units

__all__ = ["WHY_WORDS", "Ratings", "Unmatched", "match"]

Why: TypeAlias = Literal["unknown", "stale", "ambiguous"]
_WHYS: Final[tuple[Why, ...]] = ("unknown", "stale", "ambiguous")
WHY_WORDS: Final[Mapping[Why, str]] = {
    "unknown": "of what the run did not ask",
    "stale": "of a record that has changed since",
    "ambiguous": "of an id that has several traces",
}
_HINTS: Final[Mapping[Why, str]] = {
    "unknown": "Give the labels of these records: record_id, model, axis and unit_id as in the run's verdicts.parquet.",
    "stale": "Label these records anew, or give the run of those that were labelled.",
    "ambiguous": "Give each label the `model` of its trace.",
}
_NAMED: Final = 5
_RECORD: Final = ("record_id", "model", "record_key")
_ANTI: Final[dict[str, Any]] = {"on": ("record_id", "model"), "how": "anti", "nulls_equal": True}
_UNIT: Final = ("record_id", "model", "axis", "unit_id", "probe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """Labels that meet no unit of the runs.

    Attributes:
        why: `unknown`: the runs asked no such thing; `stale`: the record was another one when it was labelled;
            `ambiguous`: the runs have several traces that it may be of.
        count: Of labels.
        lines: Their lines in the file, up to five.
        examples: What these are of, `r1/knowledge/K1`.
    """

    why: Why
    count: int
    lines: tuple[int, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """What judges and people say of the same units.

    Attributes:
        judged: By the judges, of all that was asked: columns `judge.trust.ratings.RATINGS`.
        labelled: By people, of what was asked; the same columns, never null in `value`.
        judges, raters: Names, in the order of the runs and of the labels.
        labels: Read, those without a unit too.
        unmatched: Why some of them count nowhere.
    """

    judged: pl.DataFrame
    labelled: pl.DataFrame
    judges: tuple[str, ...]
    raters: tuple[str, ...]
    labels: int
    unmatched: tuple[Unmatched, ...]


def match(runs: Sequence[Path], labels: pl.DataFrame) -> Ratings:
    """Bring labels and the ratings of runs together.

    Args:
        runs: Directories; a judge of several of them is told apart by their names.
        labels: Of `judge.trust.labels.read_labels`.

    Raises:
        ConfigError: One is no run directory, or is given twice; a person is called like a judge; somebody labelled the
            same twice; or no label meets a unit.
    """
    _refuse_twice(runs)
    scores = labels.filter(pl.col("unit_id").is_null() & pl.col("value").is_not_null())["axis"].unique().to_list()
    said = _of_labelled([run_ratings(run, scores=scores) for run in runs], runs, labels)
    judged = _one_order(_named_apart(runs, said))
    placed = _placed(_turned(labels, judged), _records(runs), judged)
    known = placed.filter(pl.col("why").is_null())
    _refuse_seconds(known)
    ratings = Ratings(
        judged=judged,
        labelled=label_ratings(known),
        judges=tuple(judged["rater"].unique(maintain_order=True)),
        raters=tuple(labels["rater"].unique(maintain_order=True)),
        labels=len(labels),
        unmatched=tuple(_unmatched(placed, why) for why in _WHYS if (placed["why"] == why).any()),
    )
    _refuse_confusion(ratings)
    if known.is_empty():
        message = f"No label meets a unit of {', '.join(map(str, runs))}: {_told(ratings.unmatched)}."
        raise ConfigError(message, hint=_HINTS[ratings.unmatched[0].why])
    return ratings


def _refuse_twice(runs: Sequence[Path]) -> None:
    counted = Counter(run.resolve() for run in runs)
    if twice := [run for run in runs if counted[run.resolve()] > 1]:
        raise ConfigError(f"{twice[0]} is given twice.", hint="Give each run once.")


def _of_labelled(ratings: Sequence[pl.DataFrame], runs: Sequence[Path], labels: pl.DataFrame) -> list[pl.DataFrame]:
    """Ratings without those of records that were labelled as they are in another of the runs, and not in this one.

    The same id and model may stand for another trace in each run, and labels are of one of them.
    """
    records = [run_records(run) for run in runs]
    labelled = pl.concat(records).join(labels, on=("record_id", "record_key"), how="semi")
    of_others = [
        labelled.join(mine.join(labelled, on=_RECORD, how="semi", nulls_equal=True), **_ANTI) for mine in records
    ]
    return [said.join(others, **_ANTI) for said, others in zip(ratings, of_others, strict=True)]


def _named_apart(runs: Sequence[Path], ratings: Sequence[pl.DataFrame]) -> pl.DataFrame:
    of_run = [frame["rater"].unique() for frame in ratings]
    counted = Counter(judge for judges in of_run for judge in judges)
    twice = [judge for judge, count in counted.items() if count > 1]
    names = shortest_names([run.resolve() for run in runs])
    named = [
        frame.with_columns(
            rater=pl.when(pl.col("rater").is_in(twice)).then(pl.col("rater") + f" ({name})").otherwise("rater")
        )
        for name, frame in zip(names, ratings, strict=True)
    ]
    return pl.concat(named)


def _refuse_confusion(ratings: Ratings) -> None:
    both = {*ratings.judges, "majority", "mean"} & {*ratings.raters}
    if both:
        message = f"a rater is called {min(both)!r}, which is a judge's name or a word of ours."
        raise ConfigError(message, hint="Give that rater another name in the labels.")


def _refuse_seconds(known: pl.DataFrame) -> None:
    """Labels that are at one place only now that models are known, and pairs are turned."""
    twice = known.filter(pl.struct(*_UNIT, "rater").is_duplicated())
    if len(twice):
        lines, rater = ", ".join(map(str, twice["line"].head(_NAMED))), twice["rater"][0]
        message = f"lines {lines}: the rater {rater!r} has labelled the same more than once."
        raise ConfigError(message, hint="Leave one label of each rater for a unit.")


def _records(runs: Sequence[Path]) -> pl.DataFrame:
    """`record_id, model, keys, traces`: what keys a record has in the runs, and how many traces one run has of it."""
    of_runs = [run_records(run).group_by("record_id", "model").agg(keys="record_key", traces=pl.len()) for run in runs]
    joined = pl.concat(of_runs).group_by("record_id", "model")
    return joined.agg(pl.col("keys").explode(), pl.col("traces").max())


def _placed(labels: pl.DataFrame, records: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Labels with the model that they are of, and with `why` they count nowhere; null where they count."""
    models = records.group_by("record_id").agg(only=pl.col("model").first(), models=pl.len())
    named = labels.join(models, on="record_id", how="left", maintain_order="left")
    # A preference names both of its models, and a trace that is alone needs none.
    lone = pl.col("model").is_null() & pl.col("model_a").is_null() & (pl.col("models") == 1)
    named = named.with_columns(model=pl.when(lone).then("only").otherwise("model"))
    found = named.join(records, on=("record_id", "model"), how="left", nulls_equal=True, maintain_order="left")
    asked = judged.select(_UNIT).unique().with_columns(asked=pl.lit(value=True))
    probes = with_units(found)
    found = probes.join(asked, on=_UNIT, how="left", nulls_equal=True, maintain_order="left")
    several = (pl.col("models") > 1) & pl.col("traces").is_null() & pl.col("model").is_null() | (pl.col("traces") > 1)
    other = ~pl.col("keys").list.contains(pl.col("record_key"))
    why = (
        pl.when(pl.col("model_a").is_null() & several)
        .then(pl.lit("ambiguous"))
        .when(pl.col("record_key").is_not_null() & other)
        .then(pl.lit("stale"))
        .when(pl.col("asked").is_null())
        .then(pl.lit("unknown"))
    )
    return found.with_columns(why=why)


def _one_order(judged: pl.DataFrame) -> pl.DataFrame:
    """Preferences between two models all in the order in which the two came first."""
    pairs = judged.filter(probe="preference")["unit_id"].unique(maintain_order=True)
    turned: dict[str, str] = {}
    for pair in pairs:
        if (other := " vs ".join(reversed(pair.split(" vs ")))) not in turned:
            turned.setdefault(pair, pair)
        else:
            turned[pair] = other
    back = {pair: other for pair, other in turned.items() if pair != other}
    if not back:
        return judged
    swap = (pl.col("probe") == "preference") & pl.col("unit_id").is_in(list(back))
    value = pl.col("value").replace({"A": "B", "B": "A"})
    return judged.with_columns(
        unit_id=pl.when(swap).then(pl.col("unit_id").replace(back)).otherwise("unit_id"),
        value=pl.when(swap).then(value).otherwise("value"),
    )


def _turned(labels: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Labels of preferences in the runs' order of the two models."""
    there = judged.filter(probe="preference")["unit_id"].unique()
    mine, other = ("model_a", "model_b"), ("model_b", "model_a")
    stands, turns = (pl.concat_str(one, pl.lit(" vs "), two).is_in(there.implode()) for one, two in (mine, other))
    swap = (turns & ~stands).fill_null(value=False)
    return labels.with_columns(
        model_a=pl.when(swap).then("model_b").otherwise("model_a"),
        model_b=pl.when(swap).then("model_a").otherwise("model_b"),
        verdict=pl.when(swap).then(pl.col("verdict").replace({"A": "B", "B": "A"})).otherwise("verdict"),
    )


def _unmatched(placed: pl.DataFrame, why: Why) -> Unmatched:
    mine = placed.filter(why=why)
    few = mine.head(_NAMED)
    return Unmatched(
        why=why,
        count=len(mine),
        lines=tuple(few["line"]),
        examples=tuple(
            "/".join(part for part in row if part) for row in few.select("record_id", "axis", "unit_id").rows()
        ),
    )


def _told(unmatched: Sequence[Unmatched]) -> str:
    return "; ".join(
        f"{one.count:,} {WHY_WORDS[one.why]}, such as {one.examples[0]} (line {one.lines[0]})" for one in unmatched
    )
