"""Intervals by drawing records: the same as drawing them one by one, whatever their order, and none by luck."""

from __future__ import annotations

import numpy as np
import pytest

from judge.statistics.bootstrap import DRAWS, Draws, interval_of, record_weights
from judge.statistics.estimate import Statistic
from judge.statistics.rank import correlate
from judge.statistics.table import AGREEMENT, cohen_kappa, pair_tables

DICE = np.random.default_rng(7)


def labelled(records: int = 60, units: int = 4, agree: float = 0.7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units of a record are alike: all of them are told right, or none."""
    of = np.repeat(np.arange(records), units)
    truth = DICE.integers(0, 2, len(of))
    right = np.repeat(DICE.random(records) < agree, units)
    return of, np.where(right, truth, 1 - truth), truth


def one_by_one(of: np.ndarray, mine: np.ndarray, theirs: np.ndarray, statistic: Statistic) -> np.ndarray:
    """As a book has it: draw records, take all of their units, count."""
    tables = pair_tables(of, mine, theirs, classes=2)
    drawn = DICE.integers(0, len(tables), (DRAWS, len(tables)))
    return np.array([statistic(tables[places].sum(axis=0)).value for places in drawn], dtype=float)


@pytest.mark.parametrize("statistic", [AGREEMENT, cohen_kappa()], ids=["agreement", "kappa"])
def test_it_is_the_interval_of_drawing_records_one_by_one(statistic: Statistic) -> None:
    of, mine, theirs = labelled()
    found = Draws(pair_tables(of, mine, theirs, classes=2)).estimate(statistic)
    low, high = np.percentile(one_by_one(of, mine, theirs, statistic), [2.5, 97.5])
    # The 2.5 % percentile of 2,000 draws is known to about 0.06 of the width.
    width = high - low
    assert found.low == pytest.approx(low, abs=0.15 * width)
    assert found.high == pytest.approx(high, abs=0.15 * width)


def test_units_of_a_record_go_together() -> None:
    of, mine, theirs = labelled()
    together = Draws(pair_tables(of, mine, theirs, classes=2)).estimate(AGREEMENT)
    apart = Draws(pair_tables(np.arange(len(of)), mine, theirs, classes=2)).estimate(AGREEMENT)
    assert together.value == apart.value
    # Four units that are right or wrong together tell as little as one: the interval is twice as wide.
    widths = [one.high - one.low for one in (together, apart)]  # type: ignore[operator]
    assert widths[0] / widths[1] == pytest.approx(2, abs=0.3)


def test_the_same_seed_gives_the_same_and_order_does_not_matter() -> None:
    of, mine, theirs = labelled()
    tables = pair_tables(of, mine, theirs, classes=2)
    first = Draws(tables, seed=3).estimate(cohen_kappa())
    assert Draws(tables[::-1], seed=3).estimate(cohen_kappa()) == first
    assert Draws(tables, seed=4).estimate(cohen_kappa()) != first


def test_every_draw_has_as_many_records_as_there_are() -> None:
    drawn = np.concatenate(list(record_weights(7, 10)))
    assert drawn.shape == (DRAWS, 7)
    assert set(drawn.sum(axis=1)) == {7}
    assert drawn.mean() == 1
    assert abs(drawn.var() - 6 / 7) < 0.05  # of a multinomial of 7 draws of 7: 7 · 1/7 · 6/7


def test_portions_make_no_difference() -> None:
    small, large = (np.concatenate(list(record_weights(5, points))) for points in (5, 3_000_000))
    assert small.shape == large.shape == (DRAWS, 5)


def test_one_record_has_no_interval() -> None:
    found = Draws([[[3.0, 1.0], [0.0, 2.0]]]).estimate(AGREEMENT)
    assert (found.value, found.low, found.high) == (5 / 6, None, None)
    assert found.reason == "one record has no interval"
    assert correlate("pearson", [0, 0, 0], [1, 2, 3], [1, 2, 4]).low is None


def test_an_interval_of_lucky_draws_is_none() -> None:
    # Of two records, one draw in four has the second only, in which both raters gave one class.
    tables = [[[2.0, 0.0], [0.0, 2.0]], [[4.0, 0.0], [0.0, 0.0]]]
    found = Draws(tables).estimate(cohen_kappa())
    assert found.value == 1 and found.low is None
    assert str(found.reason).startswith("undefined in 2")


def test_few_undefined_draws_are_left_out() -> None:
    values = np.linspace(0, 1, DRAWS)
    values[:50] = np.nan
    low, high, reason = interval_of(values)
    assert (low, high) == tuple(np.percentile(values[50:], [2.5, 97.5])) and reason is None


def test_nobody_rated_anything() -> None:
    found = Draws(np.zeros((0, 2, 2))).estimate(AGREEMENT)
    assert found.value is None and found.reason == "no unit was rated by both"
