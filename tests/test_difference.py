"""Paired differences by hand: which records are shared, which pairs are compared, how many records would tell."""

from __future__ import annotations

import math
import random
from pathlib import Path

import polars as pl
import pytest

from judge import difference
from judge.aggregate import interval
from judge.difference import Difference, find_differences

Rows = list[tuple[str, str | None, float | None]]


def table(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"record_id": pl.String, "model": pl.String, "trace_score": pl.Float64}, orient="row"
    )


def only(rows: Rows) -> Difference:
    (found,) = find_differences(table(rows))
    return found


def test_a_pair_by_hand() -> None:
    found = only(
        [
            *(("r1", "low", 0.2), ("r1", "high", 0.5), ("r2", "high", 0.4), ("r2", "low", 0.3)),
            *(("r3", "high", 0.9), ("r3", "low", 0.7)),
            *(("r4", "high", 0.9), ("r5", "low", None), ("r5", "high", 1.0), ("r6", None, 0.5)),  # shared by no two
        ]
    )
    assert (found.model, found.other, found.n) == ("high", "low", 3)
    # 0.3, 0.1, 0.2: mean 0.2, sd 0.1; (2.8 · 0.1/0.2)² = 1.96.
    assert found.mean == pytest.approx(0.2)
    assert found.needed == 2
    # Of three values 1/27 of the draws are thrice the lowest, and 1/27 thrice the highest: both are reached.
    assert (found.low, found.high) == pytest.approx((0.1, 0.3))
    assert (found.interval, found.separated) == ("bootstrap", True)


def test_several_traces_of_an_id_count_as_their_mean() -> None:
    # r1: (0.2 + 0.6 + 1.0)/3 - 0.5 = 0.1; r2: 0.5 - 0.2 = 0.3. The mean of the two ids, not of the four traces.
    found = only(
        [
            *(("r1", "a", 0.2), ("r1", "a", 0.6), ("r1", "a", 1.0), ("r2", "a", 0.5)),
            *(("r1", "b", 0.5), ("r2", "b", 0.2)),
        ]
    )
    assert (found.model, found.n) == ("a", 2)
    assert found.mean == pytest.approx(0.2)


def test_the_number_that_would_tell_is_rounded_up() -> None:
    # d = 0.5, -0.3: mean 0.1, sd 0.8/√2; (2.8/0.1)² · 0.32 = 250.88.
    found = only([("r1", "a", 0.8), ("r1", "b", 0.3), ("r2", "a", 0.3), ("r2", "b", 0.6)])
    assert found.mean == pytest.approx(0.1)
    assert (found.needed, found.separated) == (251, False)


def test_that_many_records_tell_in_four_runs_of_five() -> None:
    """d of mean 0.2 and sd 1 needs (2.8/0.2)² = 196 records; 1,000 runs of them are separated in 80 %, ± 4 errors."""
    dice = random.Random(0)
    hits = 0
    for _ in range(1000):
        draws = [dice.gauss(0.2, 1) for _ in range(196)]
        mean = math.fsum(draws) / 196
        sd = math.sqrt(math.fsum((draw - mean) ** 2 for draw in draws) / 195)
        hits += mean - 1.96 * sd / 14 > 0
    assert difference._needed(0.2, 1.0) == 196
    assert 750 <= hits <= 850


@pytest.mark.parametrize(
    ("one", "other"), [((0.5, 0.7), (0.5, 0.7)), ((0.5, 0.7), (0.7, 0.5)), ((0.1 + 0.2, 0.5), (0.5, 0.3))]
)
def test_no_difference_needs_no_number(one: tuple[float, float], other: tuple[float, float]) -> None:
    rows: Rows = [
        (f"r{n}", model, value) for model, values in (("a", one), ("b", other)) for n, value in enumerate(values)
    ]
    found = only(rows)
    assert found.mean == pytest.approx(0)
    assert (found.needed, found.separated) == (None, False)


def test_a_difference_that_does_not_vary_is_separated_and_needs_no_number() -> None:
    found = only([("r1", "a", 0.75), ("r1", "b", 0.5), ("r2", "a", 0.5), ("r2", "b", 0.25)])
    assert (found.mean, found.low, found.high, found.needed, found.separated) == (0.25, 0.25, 0.25, None, True)


def test_one_common_record_has_no_interval() -> None:
    found = only([("r1", "a", 0.5), ("r1", "b", 0.25)])
    assert (found.n, found.low, found.high, found.interval, found.needed) == (1, None, None, None, None)
    assert not found.separated


def test_without_common_records_or_a_second_model_there_is_none() -> None:
    assert find_differences(table([])) == []
    assert find_differences(table([("r1", "a", 0.5), ("r2", "a", 0.5), ("r1", None, 0.1)])) == []
    assert find_differences(table([("r1", "a", 0.5), ("r2", "b", 0.5)])) == []


@pytest.mark.parametrize("models", [2, 3, 4, 5, 6])
def test_every_pair_of_four_else_each_against_the_best(models: int) -> None:
    rows: Rows = [(f"r{n}", f"m{model}", 0.1 * model) for n in range(3) for model in range(models)]
    found = [(one.model, one.other) for one in find_differences(table(rows))]
    assert len(found) == (models * (models - 1) // 2 if models <= 4 else models - 1)
    assert found[0] == (f"m{models - 1}", f"m{models - 2}")
    assert models <= 4 or {model for model, _ in found} == {f"m{models - 1}"}
    assert all(one > other for one, other in found)


def test_the_sign_is_that_of_the_shared_records() -> None:
    """Better over all its records, worse on those that both have."""
    found = only([("r1", "a", 0.25), ("r1", "b", 0.5), ("r2", "a", 1.0), ("r3", "a", 1.0)])
    assert (found.model, found.other, found.mean) == ("a", "b", -0.25)


def test_portions_of_a_file_give_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1)
    # Dyadic scores: sums are exact in whatever order.
    rows: Rows = [(f"r{n}", model, dice.randrange(65) / 64) for n in range(200) for model in ("a", "b", "c") * 2]
    whole = find_differences(table(rows))
    table(rows).write_parquet(tmp_path / "scores.parquet", row_group_size=50)
    monkeypatch.setattr(difference, "_HELD_AT_ONCE", 100)
    parts = find_differences(pl.scan_parquet(tmp_path / "scores.parquet"))
    assert [(one.model, one.other, one.mean, one.n) for one in parts] == [
        (one.model, one.other, one.mean, one.n) for one in whole
    ]
    assert [one.needed for one in parts] == [one.needed for one in whole]


def test_the_interval_is_that_of_the_differences_in_the_order_of_the_ids() -> None:
    dice = random.Random(2)
    ids = [f"r{n:02d}" for n in range(40)]
    values = {(r, model): dice.random() for r in ids for model in "ab"}
    rows: Rows = [(r, model, value) for (r, model), value in values.items()]
    forwards, shuffled = (find_differences(table(given), seed=3) for given in (rows, dice.sample(rows, len(rows))))
    assert forwards == shuffled
    (found,) = forwards
    apart = pl.Series([values[r, found.model] - values[r, found.other] for r in ids])
    assert (found.low, found.high, found.interval) == interval(apart, seed=3)
