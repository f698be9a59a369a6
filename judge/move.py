"""Two runs × Comparison -> Moves: which scores and verdicts of the same records moved between two versions of a rubric.

A verdict moves where both versions have one and they differ; one that is missing is no verdict, and has not moved to
anything. A verdict that moved although the judge was told the same about it is the judge's own noise: its call asked
about something else too, and was asked anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from judge.aggregate import cut, interval
from judge.change import Change, Comparison

__all__ = ["SAID", "Moves", "OneSided", "RecordMove", "ScoreMove", "VerdictCounts", "VerdictMove", "find_moves"]

_ROUNDING: Final = 1e-9
"""What is left where sums were taken in another order: contract §2, --margin."""
_RECORD: Final = ("line", "record_id", "record_key", "model")
_UNIT: Final = ("axis", "unit_id", "sample")
_SAME: Final = pl.when(kind="faithfulness").then("claim").otherwise("unit_id")
"""What makes a unit the same under both versions: claims of a trace are only numbered, anew under each."""


_PRESENCE: Final = pl.format("presence {}", "presence")
SAID: Final = pl.when(pl.col("failure").is_null()).then(
    pl.coalesce(
        "verdict",
        pl.format("value {}", pl.col("value").cast(pl.Int64)),
        pl.format("{}, correctness {}", _PRESENCE, "correctness"),
        _PRESENCE,
    )
)
"""What was found of a row of `verdicts.parquet`, in words; null where there is no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMove:
    """One score under both versions.

    Attributes:
        measure: `trace_score`, or that of an axis by its new name.
        old, new: Means over the records that have it under both, in [0, 1]; None where none has.
        mean: Of new less old, record by record. HealthBench's records may be below 0, where their mean is cut.
        low, high: Its 95 % interval; None below two records.
        interval: `bootstrap`, or `normal` above 20,000 records.
        n: Records that have it under both versions; `moved` of them have another.
        only_old, only_new: Records that have it under one version only.
    """

    measure: str
    old: float | None
    new: float | None
    mean: float | None
    low: float | None
    high: float | None
    interval: str | None
    n: int
    moved: int
    only_old: int
    only_new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMove:
    """A record whose trace score moved."""

    line: int
    record_id: str
    model: str | None
    old: float
    new: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictMove:
    """A verdict that moved.

    Attributes:
        axis, unit_id: By their new names.
        old, new: What was found, in words: `MET`, `value 3`, `presence 2, correctness -1`.
        old_reason, new_reason: The judge's.
        noise: The judge was told the same about it under both versions.
    """

    line: int
    record_id: str
    model: str | None
    axis: str
    unit_id: str
    claim: str
    sample: int
    old: str
    new: str
    old_reason: str | None
    new_reason: str | None
    noise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSided:
    """A record that has a trace score under one version only; `old` or `new` says why the other has none."""

    line: int
    record_id: str
    model: str | None
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCounts:
    """Verdicts of what both versions ask.

    Attributes:
        both: There are under both versions; `moved` of them differ.
        one: There are under one version only, the other having failed.
        unchanged: Of `both`, those that the judge was told the same about; `again` of them were asked again, as their
            call asks something else too, and `noise` of these moved.
    """

    both: int
    moved: int
    one: int
    unchanged: int
    again: int
    noise: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What moved.

    Attributes:
        scores: The trace score, then each axis that both versions have.
        records: Whose trace score moved, the largest moves first.
        verdicts: That moved: what was told otherwise first, then in the order of the records.
        one_sided: Records that failed under one version only.
        counts: Of verdicts.
        calls: Of the new version; `shared` of them are calls of the old one too.
    """

    scores: tuple[ScoreMove, ...]
    records: tuple[RecordMove, ...]
    verdicts: tuple[VerdictMove, ...]
    one_sided: tuple[OneSided, ...]
    counts: VerdictCounts
    calls: int
    shared: int


def find_moves(old: Path, new: Path, comparison: Comparison) -> Moves:
    """Hold the tables of two run directories against each other, record by record.

    Args:
        old: The finished run of an input under the old version.
        new: That of the same input under the new one.
        comparison: Of the two versions.
    """
    scores = _paired_scores(old, new, comparison)
    verdicts = _paired_verdicts(old, new, comparison)
    calls, shared = _calls(old, new)
    return Moves(
        scores=tuple(_score_moves(scores)),
        records=tuple(_record_moves(scores)),
        verdicts=tuple(_verdict_moves(verdicts)),
        one_sided=tuple(_one_sided(scores)),
        counts=_count(verdicts),
        calls=calls,
        shared=shared,
    )


def _paired_scores(old: Path, new: Path, comparison: Comparison) -> pl.DataFrame:
    before, after = (pl.scan_parquet(run / "scores.parquet") for run in (old, new))
    measures = _measures(comparison, before.collect_schema(), after.collect_schema())
    mine = before.select(*_RECORD, "failure", **{name: pl.col(found) for name, found in measures.items()})
    theirs = after.select("line", "record_key", "failure", *measures)
    paired = mine.join(theirs, on=("line", "record_key"), suffix="_new")
    return paired.sort("line").collect(engine="streaming")


def _measures(comparison: Comparison, before: Collection[str], after: Collection[str]) -> dict[str, str]:
    """Column of the new table -> of the old one; preferences have none."""
    axes = {f"{new}_score": f"{old}_score" for old, new in comparison.axes.items()}
    scored = {new: old for new, old in axes.items() if new in after and old in before}
    return {"trace_score": "trace_score"} | scored


def _score_moves(scores: pl.DataFrame) -> Iterator[ScoreMove]:
    for measure in (name.removesuffix("_new") for name in scores.columns if name.endswith("_score_new")):
        before, after = scores[measure], scores[f"{measure}_new"]
        if measure != "trace_score" and before.null_count() == after.null_count() == len(scores):
            continue  # no record has anything to ask on it
        apart = (after - before).drop_nulls()
        low, high, method = interval(apart)
        both = before.is_not_null() & after.is_not_null()
        yield ScoreMove(
            measure=measure,
            old=cut(_mean(before.filter(both))),
            new=cut(_mean(after.filter(both))),
            mean=_mean(apart),
            low=low,
            high=high,
            interval=method,
            n=len(apart),
            moved=int((apart.abs() > _ROUNDING).sum()),
            only_old=int((before.is_not_null() & after.is_null()).sum()),
            only_new=int((before.is_null() & after.is_not_null()).sum()),
        )


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None


def _record_moves(scores: pl.DataFrame) -> Iterator[RecordMove]:
    size = (pl.col("trace_score_new") - pl.col("trace_score")).abs()
    moved = scores.filter(size > _ROUNDING).sort(size, descending=True, maintain_order=True)
    named = moved.select("line", "record_id", "model", old="trace_score", new="trace_score_new")
    return (RecordMove(**row) for row in named.iter_rows(named=True))


def _one_sided(scores: pl.DataFrame) -> Iterator[OneSided]:
    one = scores.filter(pl.col("failure").is_null() != pl.col("failure_new").is_null())
    named = one.select("line", "record_id", "model", old="failure", new="failure_new")
    return (OneSided(**row) for row in named.iter_rows(named=True))


def _paired_verdicts(old: Path, new: Path, comparison: Comparison) -> pl.LazyFrame:
    """A row a unit that both versions ask of a record, with what each found: null where there is no verdict."""
    before, after = (_said(pl.scan_parquet(run / "verdicts.parquet")) for run in (old, new))
    axis = pl.col("axis").replace_strict(dict(comparison.axes), default=None, return_dtype=pl.String)
    renamed = before.with_columns(axis=axis).with_columns(unit_id=_new_unit(comparison))
    keys = ("line", "record_key", "axis", "same", "sample", "kind")
    found = after.with_columns(same=_SAME).select(*keys, "unit_id", "said", "claim", "reason", "call_id")
    paired = renamed.with_columns(same=_SAME).join(found, on=keys, suffix="_new")
    return paired.with_columns(unit_id="unit_id_new", told=_told_otherwise(comparison))


def _said(verdicts: pl.LazyFrame) -> pl.LazyFrame:
    return verdicts.select(
        *_RECORD,
        *_UNIT,
        "kind",
        "claim",
        "reason",
        "call_id",
        said=SAID,
    )


def _new_unit(comparison: Comparison) -> pl.Expr:
    """Criteria by their new ids; units of records have one id under every version."""
    named = pl.col("unit_id")
    for axis, units in comparison.units.items():
        ids = {old: new for old, new in units.items() if old != new}
        if ids:
            named = pl.when(axis=axis).then(pl.col("unit_id").replace(ids)).otherwise(named)
    return named


def _told_otherwise(comparison: Comparison) -> pl.Expr:
    """Whether the judge is told something else of a unit, by itself."""
    return pl.any_horizontal(pl.lit(False), *map(_concerned, comparison.asking))


def _concerned(change: Change) -> pl.Expr:
    """The units that a change is about; those of every axis where it names none."""
    named = {name: value for name, value in (("axis", change.axis), ("unit_id", change.unit)) if value is not None}
    return pl.all_horizontal(pl.lit(True), *(pl.col(name) == value for name, value in named.items()))


def _verdict_moves(verdicts: pl.LazyFrame) -> Iterator[VerdictMove]:
    moved = verdicts.filter(_MOVED).sort(~pl.col("told"), "line", maintain_order=True)
    named = moved.select(
        *("line", "record_id", "model", "axis", "unit_id", "sample"),
        claim="claim_new",
        old="said",
        new="said_new",
        old_reason="reason",
        new_reason="reason_new",
        noise=~pl.col("told"),
    )
    return (VerdictMove(**row) for row in named.collect(engine="streaming").iter_rows(named=True))


def _count(verdicts: pl.LazyFrame) -> VerdictCounts:
    unchanged, again = _BOTH & ~pl.col("told"), pl.col("call_id").ne_missing(pl.col("call_id_new"))
    counted = verdicts.select(
        both=_BOTH.sum(),
        moved=_MOVED.sum(),
        one=(pl.col("said").is_null() != pl.col("said_new").is_null()).sum(),
        unchanged=unchanged.sum(),
        again=(unchanged & again).sum(),
        noise=(_MOVED & unchanged).sum(),
    )
    return VerdictCounts(**counted.collect(engine="streaming").row(0, named=True))


_BOTH = pl.col("said").is_not_null() & pl.col("said_new").is_not_null()
_MOVED = (pl.col("said") != pl.col("said_new")).fill_null(False)


def _calls(old: Path, new: Path) -> tuple[int, int]:
    """Calls of the new version, and how many of them are calls of the old one."""
    before, after = (pl.scan_parquet(run / "calls.parquet").select("call_id") for run in (old, new))
    shared = after.join(before, on="call_id", how="semi")
    calls, found = (frame.select(pl.len()).collect(engine="streaming").item() for frame in (after, shared))
    return int(calls), int(found)
