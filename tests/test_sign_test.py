"""The sign test, by hand and against scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from judge.statistics.sign_test import sign_test


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (5, 0, 2 / 2**5),
        (0, 5, 2 / 2**5),
        (1, 0, 1.0),
        (3, 3, 1.0),
        (4, 1, 2 * 6 / 2**5),  # (C(5,0) + C(5,1)) / 2^5, twice
    ],
)
def test_by_hand(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p, abs=1e-14)


def test_without_a_win_or_a_loss_there_is_none() -> None:
    assert sign_test(0, 0) is None


@given(st.integers(0, 400), st.integers(0, 400))
def test_as_scipy_has_it(wins: int, losses: int) -> None:
    if wins + losses:
        assert sign_test(wins, losses) == pytest.approx(binomtest(wins, wins + losses).pvalue, rel=1e-9, abs=1e-300)


def test_many_pairs() -> None:
    assert sign_test(500_900, 499_100) == pytest.approx(binomtest(500_900, 1_000_000).pvalue, rel=1e-6)
