"""The nearest steps that never fall, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from judge.statistics.isotonic import fit_steps

_POINTS = st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 1)), min_size=1, max_size=40)


@given(_POINTS)
def test_as_scikit_learn_at_the_points_between_and_beyond(points: list[tuple[int, float]]) -> None:
    x, y = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    asked = np.linspace(-6, 6, 49)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(asked)
    assert fit_steps(x, y)(asked) == pytest.approx(theirs, abs=1e-9)


def test_what_falls_is_pooled() -> None:
    # 0.9 and 0.3 at 1 and 2 fall: together 0.6. 0.7 stays, as 0.6 <= 0.7.
    steps = fit_steps([0, 1, 2, 3], [0.1, 0.9, 0.3, 0.7])
    assert steps.at == (0, 1, 2, 3)
    assert steps.to == pytest.approx((0.1, 0.6, 0.6, 0.7))


def test_a_judge_who_says_yes_or_no_gets_the_share_of_either() -> None:
    # Of 4 times "no", 1 was raised; of 2 times "yes", 1 was.
    assert fit_steps([0, 0, 0, 0, 1, 1], [0, 0, 1, 0, 1, 0])([0, 1]) == pytest.approx([0.25, 0.5])


def test_a_judge_who_is_right_the_wrong_way_round_is_levelled() -> None:
    assert fit_steps([0, 0, 1, 1], [1, 1, 0, 0])([0, 0.5, 1]) == pytest.approx([0.5, 0.5, 0.5])
