"""Verdicts of the same units, asked several times -> how often they differ, and which differ most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from judge.aggregate import interval
from judge.trust.arms import ARMS, Arm

__all__ = ["ANY", "FlipRate", "Flipped", "Sway", "Told", "distinct", "find_flipped", "find_flips", "find_sway"]

Told: TypeAlias = Literal["presence", "correctness", "verdict", "value", "any"]
ANY: Final = "said"
_COLUMNS: Final[Mapping[Told, str]] = {
    "presence": "presence",
    "correctness": "correctness",
    "verdict": "verdict",
    "value": "level",
    "any": ANY,
}
_RECORD: Final = ("line", "record_id", "model")
_UNIT: Final = (*_RECORD, "axis", "unit_id", "claim")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRate:
    """How often two asks about one unit differ.

    Attributes:
        arm: What is varied between the asks; the plain one is among them.
        axis: None for all together.
        told: What of a verdict is looked at; `any` for all of it.
        rate: Mean over records of the share of pairs of asks that differ, in [0, 1]; None where there is no pair.
        low, high, interval: Its 95 % interval, and by which method; None below two records.
        n: Records with a pair.
        units, pairs, differ: Units with a pair, all their pairs, and those of them that differ.
    """

    arm: Arm
    axis: str | None
    told: Told
    rate: float | None
    low: float | None
    high: float | None
    interval: str | None
    n: int
    units: int
    pairs: int
    differ: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sway:
    """How much more verdicts differ in an arm than when the same is asked again, record by record.

    Attributes:
        more: Mean of the flip rate in this arm less that in `repeats`, over the `n` records that have both.
        low, high: Its 95 % interval; None below two records.
        sways: The interval is above 0: what is varied moves verdicts by itself.
    """

    arm: Arm
    more: float
    low: float | None
    high: float | None
    n: int
    sways: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flipped:
    """A unit whose verdicts differ, with two asks that do.

    Attributes:
        pairs, differ: Of its asks in this arm.
        one, other: What was found, in words, in the first ask and in the first one that differs.
        one_ask, other_ask: Which asks: `plain`, `orders-2`.
        one_reason, other_reason: The judge's.
    """

    line: int
    record_id: str
    model: str | None
    axis: str
    unit_id: str
    claim: str
    arm: Arm
    pairs: int
    differ: int
    one_ask: str
    one: str
    one_reason: str | None
    other_ask: str
    other: str
    other_reason: str | None


def distinct(verdicts: pl.DataFrame, arm: Arm) -> pl.DataFrame:
    """The asks of one arm with the plain one among them; what was asked in the very same words is one ask.

    A unit that is alone in its call has no other order, and a trace that says nothing is asked about by no call.
    """
    mine = verdicts.filter(pl.col("arm").is_null() | (pl.col("arm") == arm)).sort("line", "ask", maintain_order=True)
    return mine.unique(["line", "axis", "unit_id", "call_id"], keep="first", maintain_order=True)


def find_flips(verdicts: pl.DataFrame, axes: Sequence[str]) -> list[FlipRate]:
    """Flip rates of every arm: of all axes together, then axis by axis; what no verdict has is left out."""
    return [
        rate
        for arm in ARMS
        if verdicts.filter(arm=arm).height
        for asks in [distinct(verdicts, arm)]
        for axis in (None, *axes)
        for rate in _rates(asks if axis is None else asks.filter(axis=axis), arm, axis)
    ]


def _rates(asks: pl.DataFrame, arm: Arm, axis: str | None) -> Iterator[FlipRate]:
    for told, column in _COLUMNS.items():
        units = _units(asks, column)
        if not len(units) and (told != "any" or axis is not None):
            continue
        rates = _by_record(units)["rate"]
        low, high, method = interval(rates)
        yield FlipRate(
            arm=arm,
            axis=axis,
            told=told,
            rate=_mean(rates),
            low=low,
            high=high,
            interval=method,
            n=len(rates),
            units=len(units),
            pairs=int(units["pairs"].sum()),
            differ=int(units["differ"].sum()),
        )


def _units(asks: pl.DataFrame, column: str) -> pl.DataFrame:
    """Units with two verdicts or more: `pairs` of them, and how many `differ`.

    m (m − 1) / 2 pairs of m verdicts, of which Σ_v m_v (m_v − 1) / 2 are of the same value.
    """
    told = asks.drop_nulls(column).group_by(*_UNIT, column).len()
    pairs = pl.col("len") * (pl.col("len") - 1) // 2
    units = told.with_columns(pl.col("len").cast(pl.Int64)).group_by(_UNIT).agg(m=pl.col("len").sum(), same=pairs.sum())
    counted = units.with_columns(pairs=pl.col("m") * (pl.col("m") - 1) // 2)
    return counted.with_columns(differ=pl.col("pairs") - pl.col("same")).filter(pl.col("pairs") > 0)


def _by_record(units: pl.DataFrame) -> pl.DataFrame:
    rate = pl.col("differ").sum() / pl.col("pairs").sum()
    return units.group_by("line").agg(rate=rate).sort("line")


def find_sway(verdicts: pl.DataFrame) -> list[Sway]:
    """Of the arms that vary something, how much more moves than when nothing is varied; none without repeats."""
    again = _by_record(_units(distinct(verdicts, "repeats"), ANY))
    return [
        _sway(arm, varied.join(again, on="line", suffix="_again").sort("line"))
        for arm in ARMS
        if arm != "repeats" and len(varied := _by_record(_units(distinct(verdicts, arm), ANY))) and len(again)
    ]


def _sway(arm: Arm, both: pl.DataFrame) -> Sway:
    more = both["rate"] - both["rate_again"]
    low, high, _ = interval(more)
    return Sway(arm=arm, more=_mean(more) or 0.0, low=low, high=high, n=len(more), sways=low is not None and low > 0)


def find_flipped(verdicts: pl.DataFrame, *, most: int) -> list[Flipped]:
    """The units that flip most in any arm, the largest share of differing pairs first.

    It goes by differ / (pairs + 1), so that one pair that differs comes after four of six.
    """
    found = []
    for arm in ARMS:
        asks = distinct(verdicts, arm)
        units = _units(asks, ANY).filter(pl.col("differ") > 0).with_columns(arm=pl.lit(arm))
        found.append(units.join(_examples(asks), on=["line", "axis", "unit_id"]))
    share = pl.col("differ") / (pl.col("pairs") + 1)
    ranked = pl.concat(found).sort(-share, "line", "axis", "unit_id", maintain_order=True).head(most)
    return [Flipped(**_plain(row)) for row in ranked.drop("m", "same").iter_rows(named=True)]


def _examples(asks: pl.DataFrame) -> pl.DataFrame:
    """Of each unit the first ask that has a verdict, and the first whose verdict is another."""
    known = asks.drop_nulls(ANY)
    firsts = {
        name: pl.col(column).first() for name, column in (("one_ask", "name"), ("one", ANY), ("one_reason", "reason"))
    }
    other = pl.col(ANY) != pl.col(ANY).first()
    seconds = {
        name: pl.col(column).filter(other).first()
        for name, column in (("other_ask", "name"), ("other", ANY), ("other_reason", "reason"))
    }
    return known.group_by("line", "axis", "unit_id", maintain_order=True).agg(**firsts, **seconds)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Flipped.__dataclass_fields__}


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None
