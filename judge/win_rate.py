"""Preferences -> WinRates: how often one model is preferred to another, and how often the order decided.

Both have their intervals over records, by the bootstrap:

    win rate    = (wins + ½ · ties + ½ · inconsistent) / judged
    consistency = the same answer in both orders / answered in both orders
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from judge.aggregate import interval
from judge.difference import Difference, measure_difference
from judge.errors import ConfigError
from judge.statistics.sign_test import sign_test

__all__ = ["POINTS", "Order", "WinRate", "list_models", "measure_win_rates", "turn"]

POINTS: Mapping[str, float] = {"A": 1.0, "B": 0.0, "tie": 0.5, "inconsistent": 0.5}
"""Outcome -> what it counts for the model that is A."""
_TURNED = {"A": "B", "B": "A", "tie": "tie", "inconsistent": "inconsistent"}
_PAIR = ("model_a", "model_b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What changed when the two traces changed places; only of pairs that were answered in both orders.

    Attributes:
        n: Pairs that were answered in both orders.
        consistent: Of those, the ones with the same answer twice.
        consistency: Their share, with its 95 % interval.
        first, second: Pairs in which the trace shown first was called better both times, and the one shown second.
        half: Pairs with a tie in one order only.
    """

    n: int
    consistent: int
    consistency: float
    low: float | None
    high: float | None
    interval: str | None
    first: int
    second: int
    half: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRate:
    """How often the traces of `model` are preferred to those of `other`, on one axis, by one judge.

    Attributes:
        pairs: Records with a preference or a failure: judged + failed.
        judged: wins + losses + ties + inconsistent.
        failures: Why there is no outcome -> how often.
        rate: In [0, 1]; None where nothing was judged.
        low, high: Its 95 % interval over records; None below two.
        interval: `bootstrap`, or `normal` above 20,000 records; None where there is no interval.
        p_value: Of the two-sided sign test on wins and losses; None where there is neither.
        order: What the order did; None where nobody was asked in both orders.
        difference: Of the scores, where the preferences come from scores.
    """

    judge: str
    axis: str
    model: str
    other: str
    pairs: int
    judged: int
    wins: int
    losses: int
    ties: int
    inconsistent: int
    failed: int
    failures: Mapping[str, int]
    rate: float | None
    low: float | None
    high: float | None
    interval: str | None
    p_value: float | None
    order: Order | None
    difference: Difference | None


def list_models(preferences: pl.DataFrame) -> list[str]:
    """All models, in the order in which they appear."""
    both = preferences.select(pl.concat_list(_PAIR).explode().unique(maintain_order=True).alias("model"))
    return both["model"].to_list()


def turn(preferences: pl.DataFrame, models: Sequence[str]) -> pl.DataFrame:
    """The same preferences with the model that comes first in `models` as A in all of them.

    Raises:
        ConfigError: A judge has two preferences between the same models on one record and axis.
    """
    places = {model: place for place, model in enumerate(models)}
    first, second = (pl.col(name).replace_strict(places, return_dtype=pl.Int64) for name in _PAIR)
    crossed = {"model_a": "model_b", "order_ab": "order_ba", "score_a": "score_b"}
    crossed |= {other: name for name, other in crossed.items()}
    answers = ("order_ab", "order_ba", "outcome")

    def turned(name: str) -> pl.Expr:
        there = pl.col(crossed.get(name, name))
        there = there.cast(pl.String).replace(_TURNED) if name in answers else there
        mine = pl.col(name).cast(pl.String) if name in answers else pl.col(name)
        return pl.when(first > second).then(there).otherwise(mine).alias(name)

    whole = preferences.with_columns(map(turned, [*crossed, "outcome"]))
    _refuse_repeated(whole)
    return whole


def measure_win_rates(preferences: pl.DataFrame, models: Sequence[str], *, seed: int = 0) -> list[WinRate]:
    """Of every judge, axis and pair of models that has any preference, in the order of appearance and of `models`.

    Args:
        preferences: Of `turn`.
        models: All of them, in the order that A and B go by.
        seed: Of the bootstrap.
    """
    keys = ["judge", "axis", *_PAIR]
    frames = preferences.partition_by(keys, as_dict=True, maintain_order=True)
    heads = dict.fromkeys(key[:2] for key in frames)
    wanted = ((*head, *pair) for head in heads for pair in combinations(models, 2))
    return [_win_rate(frames[key], dict(zip(keys, key, strict=True)), seed) for key in wanted if key in frames]


def _refuse_repeated(preferences: pl.DataFrame) -> None:
    repeated = preferences.filter(pl.struct("record_id", "judge", "axis", *_PAIR).is_duplicated())
    if len(repeated):
        record, judge, axis = repeated.select("record_id", "judge", "axis").row(0)
        message = f"{judge} has two preferences between the same models on {axis!r} of the record {record!r}."
        raise ConfigError(message, hint="Leave one of the two runs out; repeats of a judgement are no further records.")


def _win_rate(frame: pl.DataFrame, key: Mapping[str, Any], seed: int) -> WinRate:
    counts = dict(frame["outcome"].drop_nulls().value_counts().iter_rows())
    wins, losses, ties, inconsistent = (counts.get(name, 0) for name in POINTS)
    points = frame["outcome"].drop_nulls().replace_strict(POINTS, return_dtype=pl.Float64)
    low, high, method = interval(points, seed=seed)
    mean = points.mean()
    failed = frame.filter(pl.col("outcome").is_null())["failure"].fill_null("unknown")
    return WinRate(
        judge=key["judge"],
        axis=key["axis"],
        model=key["model_a"],
        other=key["model_b"],
        pairs=len(frame),
        judged=len(points),
        wins=wins,
        losses=losses,
        ties=ties,
        inconsistent=inconsistent,
        failed=len(failed),
        failures=dict(failed.value_counts(sort=True).iter_rows()),
        rate=mean if isinstance(mean, float) else None,
        low=low,
        high=high,
        interval=method,
        p_value=sign_test(wins, losses),
        order=_order(frame, seed),
        difference=_difference(frame, key, seed),
    )


def _order(frame: pl.DataFrame, seed: int) -> Order | None:
    both = frame.select("order_ab", "order_ba").drop_nulls()
    if not len(both):
        return None
    same = (both["order_ab"] == both["order_ba"]).cast(pl.Float64)
    low, high, method = interval(same, seed=seed)
    counts = dict(both.select(pl.format("{}{}", "order_ab", "order_ba").value_counts()).unnest("order_ab").iter_rows())
    first, second = counts.get("AB", 0), counts.get("BA", 0)
    consistent = int(same.sum())
    return Order(
        n=len(both),
        consistent=consistent,
        consistency=consistent / len(both),
        low=low,
        high=high,
        interval=method,
        first=first,
        second=second,
        half=len(both) - consistent - first - second,
    )


def _difference(frame: pl.DataFrame, key: Mapping[str, Any], seed: int) -> Difference | None:
    apart = frame.filter(pl.col("outcome").is_not_null()).select(pl.col("score_a") - pl.col("score_b"))
    known = apart["score_a"].drop_nulls()
    return measure_difference(key["model_a"], key["model_b"], known, seed=seed) if len(known) else None
