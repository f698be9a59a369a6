"""How much of the variance of scores is noise: the numbers of a textbook's formulas, by hand."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest

from judge.trust.variance import split_variance


def table(*records: list[float | None]) -> pl.DataFrame:
    rows = [(line, value) for line, values in enumerate(records, start=1) for value in values]
    return pl.DataFrame(rows, schema={"line": pl.Int64, "value": pl.Float64}, orient="row")


def test_by_hand() -> None:
    """Three records of two asks: (1, 3), (5, 7), (9, 11), in tenths.

    Within: each has 2, so MS_within = 6/3 = 2. Means 2, 6, 10 about 6: MS_between = 2·(16 + 0 + 16)/2 = 32.
    Between = (32 − 2)/2 = 15; share = 2/17. Enough: 9·2/15 = 1.2, so 2 asks. In tenths squared.
    """
    found = split_variance(table([0.1, 0.3], [0.5, 0.7], [0.9, 1.1]))
    assert (found.records, found.asks, found.clipped) == (3, 6, False)
    assert found.noise == pytest.approx(0.02) and found.between == pytest.approx(0.15)
    assert found.share == pytest.approx(2 / 17) and found.enough == 2
    assert found.standard_error == pytest.approx(math.sqrt(0.02 / 3))
    assert found.low is not None and found.high is not None and found.low <= 2 / 17 <= found.high


def test_of_unequal_numbers_of_asks() -> None:
    """(0, 2), (3, 3, 6), (8, 8, 8, 8) in tenths: N = 9, m_0 = (9 − 29/9)/2 = 26/9.

    Within: 2 + 6 + 0 over 1 + 2 + 3 = 8/6. Means 1, 4, 8; ȳ = (2 + 12 + 32)/9 = 46/9.
    Between: 2·(37/9)² + 3·(10/9)² + 4·(26/9)² = (2738 + 300 + 2704)/81 = 5742/81, over 2: MS_between = 35.444…
    (35.444… − 1.333…) / (26/9) = 11.807…
    """
    found = split_variance(table([0.0, 0.2], [0.3, 0.3, 0.6], [0.8] * 4))
    assert found.noise == pytest.approx(8 / 6 / 100)
    assert found.between == pytest.approx((5742 / 162 - 8 / 6) / (26 / 9) / 100)


def test_what_is_alike_is_cut_at_0_and_said() -> None:
    """Means 0.5 and 0.5: MS_between = 0, so the estimate is below 0."""
    found = split_variance(table([0.4, 0.6], [0.6, 0.4]))
    assert (found.between, found.clipped, found.share, found.enough) == (0.0, True, 1.0, None)
    # So it is in every draw: of any two of these three, noise is all of the variance or nearly so.
    found = split_variance(table([0.4, 0.6], [0.6, 0.4], [0.5, 0.55]))
    assert found.low is not None and found.high is not None and 0.0 <= found.low <= found.high <= 1.0


def test_without_any_variance_there_is_no_share() -> None:
    found = split_variance(table([0.5, 0.5], [0.5, 0.5]))
    assert (found.noise, found.between, found.share, found.low, found.enough) == (0.0, 0.0, None, None, 1)
    assert not found.clipped


def test_a_record_that_was_scored_once_tells_nothing() -> None:
    whole = split_variance(table([0.1, 0.3], [0.5, 0.7], [0.9, 1.1]))
    assert split_variance(table([0.1, 0.3], [0.5, 0.7, None], [0.9, 1.1], [0.2, None], [0.9])) == whole
    alone = split_variance(table([0.1, 0.3], [0.5]))
    assert (alone.records, alone.asks, alone.noise, alone.share, alone.standard_error) == (1, 2, None, None, None)
    assert split_variance(table()).records == 0


def test_enough_is_the_least_number() -> None:
    """Of equal parts: noise/9 against between is a tenth, and noise/8 is more. Rounding makes no tenth ask of nine."""
    dice = random.Random(0)
    for _ in range(50):
        found = split_variance(
            table(*[[dice.random() * 0.4 + base, dice.random() * 0.4 + base] for base in (0, 0.3, 0.6)])
        )
        if not found.noise or not found.between:
            continue
        assert found.enough is not None
        shares = [found.noise / k / (found.between + found.noise / k) for k in (found.enough, found.enough - 1) if k]
        assert shares[0] <= 0.1 + 1e-9 and (len(shares) == 1 or shares[1] > 0.1)


def test_the_estimate_is_unbiased_and_its_interval_covers() -> None:
    """Between 0.04 and noise 0.01, so a fifth is noise: 200 samples of 40 records, four asks each."""
    dice = random.Random(1)
    found = []
    for _ in range(200):
        centres = [dice.gauss(0.5, 0.2) for _ in range(40)]
        found.append(split_variance(table(*[[dice.gauss(centre, 0.1) for _ in range(4)] for centre in centres])))
    assert sum(one.noise or 0 for one in found) / 200 == pytest.approx(0.01, rel=0.03)
    assert sum(one.between or 0 for one in found) / 200 == pytest.approx(0.04, rel=0.05)
    # A 95 % percentile interval of 40 records covers a little less often than it says.
    covered = sum((one.low or 0) <= 0.2 <= (one.high or 0) for one in found) / 200
    assert 0.85 <= covered <= 0.99
