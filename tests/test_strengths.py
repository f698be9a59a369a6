"""Strengths of models from outcomes by record: intervals, draws without any, and the reasons why there are none."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest

from judge.statistics import strengths
from judge.statistics.strengths import Strengths, estimate_strengths

Row = tuple[str, str, str, float]


def games(rows: list[Row]) -> pl.DataFrame:
    schema = {**dict.fromkeys(("record_id", "model_a", "model_b"), pl.String), "points": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def estimate(rows: list[Row], seed: int = 0) -> Strengths:
    models = sorted({name for row in rows for name in row[1:3]})
    return estimate_strengths(games(rows), models, seed=seed)


def drawn(records: int, seed: int = 0) -> list[Row]:
    """Pairs of three models, of which each is stronger than the next by 1."""
    dice = random.Random(seed)
    true = {"a": 1.0, "b": 0.0, "c": -1.0}
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    return [
        (f"r{n}", one, two, float(dice.random() < 1 / (1 + math.exp(true[two] - true[one]))))
        for n in range(records)
        for one, two in pairs
    ]


def test_a_chain_by_hand() -> None:
    # a : b 3 to 1, b : c 4 to 2 of which two are ties: 3 wins, 1 loss, 2 halves -> 4 to 2. Gaps ln 3 and ln 2, so
    # a = (2 · ln 3 + ln 2)/3, b = a - ln 3, c = b - ln 2.
    rows: list[Row] = [(f"r{n}", "a", "b", points) for n, points in enumerate([1.0, 1.0, 1.0, 0.0])]
    rows += [(f"s{n}", "c", "b", 1 - points) for n, points in enumerate([1.0, 1.0, 1.0, 0.0, 0.5, 0.5])]
    found = estimate(rows)
    top = (2 * math.log(3) + math.log(2)) / 3
    assert [(one.model, one.rank, one.n) for one in found.ranked] == [("a", 1, 4), ("b", 2, 10), ("c", 3, 6)]
    expected = [top, top - math.log(3), top - math.log(6)]
    assert [one.strength for one in found.ranked] == pytest.approx(expected)
    assert sum(one.strength for one in found.ranked) == pytest.approx(0)
    assert found.reason is None and found.draws == 2000


def test_equal_models_share_a_rank() -> None:
    rows: list[Row] = [("r1", "a", "b", 0.5), ("r2", "b", "c", 0.5), ("r3", "c", "a", 0.5)]
    assert [one.rank for one in estimate(rows).ranked] == [1, 1, 1]


def test_the_truth_is_in_the_intervals_and_the_seed_decides() -> None:
    found = estimate(drawn(400))
    for one, true in zip(found.ranked, (1.0, 0.0, -1.0), strict=True):
        assert one.low is not None and one.high is not None
        assert one.low < true < one.high and one.low < one.strength < one.high
        assert one.high - one.low < 0.5
    assert found == estimate(drawn(400))
    assert found != estimate(drawn(400), seed=1)
    assert (found.interval, found.draws_without) == ("bootstrap", 0)


def test_standard_errors_and_draws_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    by_draws = estimate(drawn(2_000))
    monkeypatch.setattr(strengths, "MANY_RECORDS", 1_999)
    by_errors = estimate(drawn(2_000))
    assert (by_errors.interval, by_errors.draws) == ("normal", 0)
    for one, other in zip(by_draws.ranked, by_errors.ranked, strict=True):
        assert one.strength == other.strength
        # Of 2,000 draws the ends of an interval of width 0.2 are known to about 0.005.
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.01)


@pytest.mark.parametrize("many", [20_000, 1])
def test_the_pairs_of_a_record_are_drawn_together(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pairs nine times over in each record are no more evidence: taken alone, intervals would be a third."""
    monkeypatch.setattr(strengths, "MANY_RECORDS", many)
    once = estimate(drawn(200))
    often = estimate([row for row in drawn(200) for _ in range(9)])
    for one, other in zip(once.ranked, often.ranked, strict=True):
        assert (other.strength, other.n) == (pytest.approx(one.strength), 9 * one.n)
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-6)


def test_draws_without_strengths_are_counted() -> None:
    # a lost to b in 1 of 10 records, and that one is in no draw with probability 0.9^10 = 0.349: 697 of 2,000, sd 21.
    rows: list[Row] = [(f"r{n}", "a", "b", float(n > 0)) for n in range(10)]
    found = estimate(rows)
    assert abs(found.draws_without - 697) < 85
    assert found.interval is None and found.ranked[0].low is None
    assert found.ranked[0].strength == pytest.approx(math.log(9) / 2)
    # 0.8^20 and its like: with 5 of 25 lost, (0.8)^25 = 0.4 % of the draws have none, few enough to be left out.
    few = estimate([(f"r{n}", "a", "b", float(n >= 5)) for n in range(25)])
    assert 0 < few.draws_without < 30 and few.interval == "bootstrap"


def test_one_record_has_no_interval() -> None:
    found = estimate([("r", "a", "b", 0.5), ("r", "b", "c", 0.5)])
    assert [one.low for one in found.ranked] == [None] * 3
    assert found.interval is None


def test_ties_alone_are_strengths_too() -> None:
    rows: list[Row] = [(f"r{n}", one, two, 0.5) for n in range(5) for one, two in (("a", "b"), ("b", "c"))]
    found = estimate(rows)
    assert (found.interval, found.draws_without) == ("bootstrap", 0)
    assert [(one.strength, one.low, one.high) for one in found.ranked] == [(0.0, 0.0, 0.0)] * 3


def test_groups_without_a_pair_between_them_are_named() -> None:
    found = estimate([("r", "a", "b", 0.5), ("r", "c", "d", 0.5)])
    assert found.ranked == ()
    assert found.reason == "no judged pair joins these groups: {a, b} | {c, d}"


def test_a_group_that_won_everything_is_named() -> None:
    rows: list[Row] = [("r1", "a", "b", 0.5), ("r1", "b", "c", 1.0), ("r2", "c", "d", 0.0), ("r3", "c", "d", 1.0)]
    found = estimate(rows)
    assert found.ranked == ()
    assert found.reason == "perfectly separated: {a, b} won every pair with the others ({a, b} > {c, d})"


def test_nothing_judged_is_a_reason_too() -> None:
    found = estimate_strengths(games([]), ["a", "b", "c"])
    assert found.reason == "no judged pair joins these groups: {a} | {b} | {c}"
