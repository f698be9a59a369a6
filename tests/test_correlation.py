"""Rank correlation: Spearman's by hand, ties, groups, and what has none."""

from __future__ import annotations

import math

import polars as pl
import pytest

from judge.cautions.correlation import correlate_ranks


def rho(one: list[float | None], other: list[float | None], groups: list[str | None] | None = None) -> float | None:
    frame = pl.DataFrame(
        {"one": one, "other": other, "group": groups or ["g"] * len(one)},
        schema_overrides={"group": pl.String},
        strict=False,
    )
    found = correlate_ranks(frame, "one", "other", within=["group"])
    return None if found is None else found.rho


def test_spearman_by_hand() -> None:
    # Without ties 1 - 6·Σd²/(n·(n² - 1)): ranks 1 2 3 4 5 against 2 1 4 3 5, Σd² = 4, so 1 - 24/120.
    assert rho([10, 20, 30, 40, 50], [0.2, 0.1, 0.4, 0.3, 0.9]) == pytest.approx(0.8)
    # Only order counts: 1, 2, 3, 4, 5 in another scale, and backwards.
    assert rho([1, 2, 4, 8, 16], [1.0, 10.0, 11.0, 12.0, 13.0]) == pytest.approx(1)
    assert rho([1, 2, 4, 8, 16], [5.0, 4.0, 3.0, 2.0, 1.0]) == pytest.approx(-1)


def test_ties_share_the_mean_of_their_ranks() -> None:
    # Ranks 1, 2.5, 2.5, 4, 5 and 1.5, 1.5, 3, 4.5, 4.5. Around 3: -2, -.5, -.5, 1, 2 and -1.5, -1.5, 0, 1.5, 1.5.
    # Products 3 + .75 + 0 + 1.5 + 3 = 8.25; squares 4 + .25 + .25 + 1 + 4 = 9.5 and 4 · 2.25 = 9.
    assert rho([1, 2, 2, 3, 4], [0, 0, 1, 2, 2]) == pytest.approx(8.25 / math.sqrt(9.5 * 9))


def test_a_difference_between_groups_is_no_correlation() -> None:
    """Two models, one long and good, one short and bad; within each there is none: +1 -1 -1 +1 gives 0."""
    lengths = [1.0, 1.0, 2.0, 2.0, 101.0, 101.0, 102.0, 102.0]
    scores = [0.1, 0.2, 0.1, 0.2, 0.8, 0.9, 0.8, 0.9]
    assert rho(lengths, scores) == pytest.approx(0.8, abs=0.05)
    assert rho(lengths, scores, ["a"] * 4 + ["b"] * 4) == pytest.approx(0)
    # And a null is a group of its own.
    assert rho(lengths, scores, ["a"] * 4 + [None] * 4) == pytest.approx(0)


def test_groups_are_pooled_and_a_group_of_one_says_nothing() -> None:
    # Three rows each: u = -1/4, 0, 1/4. In a: 1/16 + 0 + 1/16 = 1/8, v likewise; in b v = 0, -1/4, 1/4: 0 + 0 + 1/16.
    # Squares are 1/8 in every group: (1/8 + 1/16)/(1/8 + 1/8).
    one, other = [1.0, 2, 3, 10, 20, 30, 5], [1.0, 2, 3, 0.5, 0.1, 0.9, 0]
    assert rho(one, other, ["a"] * 3 + ["b"] * 3 + ["alone"]) == pytest.approx(0.75)


def test_nulls_are_left_out() -> None:
    assert rho([1, 2, None, 3, 4, 5], [1, 2, 9, 3, 4, None]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("one", "other"), [([], []), ([1, 2, 3], [1, 2, 3]), ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]), ([None] * 9, [1.0] * 9)]
)
def test_too_few_or_no_variation_is_none(one: list[float | None], other: list[float | None]) -> None:
    assert rho(one, other) is None


def test_the_interval_and_its_distance_from_0() -> None:
    found = correlate_ranks(
        pl.DataFrame({"one": range(103), "other": [n if n % 2 else 103 - n for n in range(103)], "g": "g"}),
        "one",
        "other",
        within=["g"],
    )
    assert found is not None
    error = math.sqrt(1.06 / 100)  # 103 rows, one group
    assert found.n == 103
    assert found.z == pytest.approx(math.atanh(found.rho) / error)
    assert math.atanh(found.high) - math.atanh(found.rho) == pytest.approx(1.96 * error)
    assert math.atanh(found.rho) - math.atanh(found.low) == pytest.approx(1.96 * error)
