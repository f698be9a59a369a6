"""Strengths against an independent maximum of the likelihood, against closed forms, and where there are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from judge.statistics.bradley_terry import connected, expected_wins, fit, groups_apart, groups_in_order, information

HALVES = st.integers(0, 40).map(lambda n: n / 2)


def tables(least=2, most=6):
    shapes = st.integers(least, most).map(lambda n: (n, n))
    whole = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=HALVES))
    return whole.map(lambda wins: wins * (1 - np.eye(len(wins))))


def likeliest(wins):
    """By another method, on another form of the likelihood, with the first strength held at 0."""

    def loss(rest):
        strengths = np.concatenate([[0.0], rest])
        apart = strengths[:, None] - strengths[None, :]
        slope = wins / (1 + np.exp(apart))
        # Of -Σ w_ij · log(1 / (1 + e^(θ_j - θ_i))), and its slope.
        return float((wins * np.logaddexp(0, -apart)).sum()), (slope.sum(0) - slope.sum(1))[1:]

    start = np.zeros(len(wins) - 1)
    found = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5_000})
    strengths = np.concatenate([[0.0], found.x])
    return strengths - strengths.mean()


@settings(max_examples=150)
@given(tables())
def test_the_likeliest_strengths_are_found(wins):
    assume(connected(wins))
    strengths = fit(wins)
    assert abs(strengths.sum()) < 1e-9
    assert strengths == pytest.approx(likeliest(wins), abs=1e-6)
    # At a maximum each model won as often as was to be expected.
    expected = expected_wins(strengths, wins + wins.T)
    assert expected.sum(1) == pytest.approx(wins.sum(1), abs=1e-6)


@pytest.mark.parametrize(("won", "lost"), [(1, 1), (3, 1), (7.5, 2.5), (1e6, 0.5), (0.5, 1e6)])
def test_of_two_models_it_is_half_the_log_of_the_odds(won, lost):
    wins = np.array([[0.0, won], [lost, 0.0]])
    assert fit(wins) == pytest.approx([0.5 * math.log(won / lost), 0.5 * math.log(lost / won)], abs=1e-9)


def test_whole_steps_would_overshoot():
    """Found by trying tables of very unequal numbers: Newton's whole steps end where nothing can be solved any more."""
    wins = np.array([[0, 260889, 0, 0], [0, 0, 1.5, 0], [0, 183848, 0, 7], [33380.5, 0, 0, 0]])
    strengths = fit(wins)
    assert expected_wins(strengths, wins + wins.T).sum(1) == pytest.approx(wins.sum(1), abs=1e-4)


def test_three_in_a_chain_by_hand():
    # Nothing joins 0 and 2 but 1, so each gap is the log of the odds of its own pair: ln 3 and ln 2.
    wins = np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 4.0], [0.0, 2.0, 0.0]])
    found = fit(wins)
    assert found[0] - found[1] == pytest.approx(math.log(3))
    assert found[1] - found[2] == pytest.approx(math.log(2))


@settings(max_examples=50)
@given(tables(3, 5), st.randoms(use_true_random=False), st.sampled_from([0.5, 3.0, 100.0]))
def test_names_and_numbers_of_pairs_are_free(wins, dice, scale):
    assume(connected(wins))
    order = list(range(len(wins)))
    dice.shuffle(order)
    assert fit(wins[np.ix_(order, order)] * scale) == pytest.approx(fit(wins)[order], abs=1e-7)
    # Every win a loss: the same the other way round.
    assert fit(wins.T) == pytest.approx(-fit(wins), abs=1e-7)


def test_many_tables_at_once_are_as_each_alone():
    dice = np.random.default_rng(0)
    wins = dice.integers(1, 9, size=(20, 4, 4)) * (1 - np.eye(4))
    assert np.allclose(fit(wins), [fit(one) for one in wins], atol=1e-9)
    assert fit(np.zeros((0, 4, 4))).shape == (0, 4)


def test_information_is_the_curvature_of_the_likelihood():
    wins = np.array([[0.0, 5.0, 2.0], [3.0, 0.0, 6.0], [1.0, 2.0, 0.0]])
    at, step = np.array([0.3, -0.1, -0.2]), 1e-4
    played = wins + wins.T

    def slope(strengths):
        return wins.sum(1) - expected_wins(strengths, played).sum(1)

    moved = [(slope(at - step * axis) - slope(at + step * axis)) / (2 * step) for axis in np.eye(3)]
    assert information(at, played) == pytest.approx(np.array(moved), abs=1e-6)


def test_there_are_strengths_only_where_each_leads_to_each():
    ring = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert connected(ring)
    assert not connected(ring * np.array([[1], [1], [0]]))  # the last beats nobody any more
    both = np.stack([ring, ring * 0])
    assert connected(both).tolist() == [True, False]


def long_chain(n):
    """Each beats the next, and the last beats the first."""
    return np.roll(np.eye(n), 1, axis=1)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 9, 17, 33])
def test_a_chain_of_any_length_is_followed(n):
    assert connected(long_chain(n))
    broken = long_chain(n)
    broken[-1, 0] = 0
    assert not connected(broken)
    assert groups_in_order(broken) == [[place] for place in range(n)]


def test_groups_without_a_pair_between_them():
    wins = np.zeros((5, 5))
    wins[0, 2] = wins[2, 0] = wins[3, 1] = 1
    assert groups_apart(wins) == [[0, 2], [1, 3], [4]]


def test_groups_of_which_one_won_all():
    # 1 and 3 beat each other, and every one of the rest; 0 and 2 beat each other.
    wins = np.zeros((4, 4))
    wins[1, 3] = wins[3, 1] = wins[0, 2] = wins[2, 0] = 2
    wins[1, 0] = wins[3, 2] = 1
    assert groups_apart(wins) == [[0, 1, 2, 3]]
    assert groups_in_order(wins) == [[1, 3], [0, 2]]
