"""Means, their numbers and their intervals: by hand, and against the exact distribution of a bootstrap mean."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from judge import aggregate
from judge.aggregate import MANY_RECORDS, drawn_means, interval, summarise
from judge.table import table_schemas

SCHEMA = table_schemas({"knowledge": "checklist"})["scores"]


def scores(*rows: dict[str, Any]) -> pl.DataFrame:
    whole = [{name: row.get(name) for name in SCHEMA} | {"judge": row.get("judge", "j")} for row in rows]
    return pl.DataFrame(whole, schema=SCHEMA, orient="row")


def row_of(summary: pl.DataFrame, measure: str, **where: object) -> dict[str, Any]:
    found = summary.filter(
        pl.col("measure") == measure, *(pl.col(name).eq_missing(value) for name, value in where.items())
    )
    return found.row(0, named=True)


# Means and numbers


def test_means_are_over_what_is_not_null_with_n_and_n_failed() -> None:
    summary = summarise(
        scores(
            {"model": "m", "trace_score": 0.5, "knowledge_correctness": 1.0, "answer": "A", "answer_correct": True},
            {"model": "m", "trace_score": 0.0, "knowledge_correctness": None, "answer": None, "answer_correct": False},
            {"model": "m", "trace_score": 1.0, "knowledge_correctness": 0.5, "answer": "C", "answer_correct": None},
            {"model": "m", "trace_score": None, "failure": "timeout", "answer": "A", "answer_correct": True},
        ),
        ("knowledge",),
    )
    # (½ + 0 + 1)/3; the failed one is not in it.
    assert shown(row_of(summary, "trace_score")) == ("m", "j", 0.5, 3, 1)
    assert shown(row_of(summary, "knowledge_correctness")) == ("m", "j", 0.75, 2, 1)
    # Of three records with a reference answer two are right, the failed one among them: the answer needs no judge.
    assert shown(row_of(summary, "answer_correct")) == ("m", "j", 2 / 3, 3, 1)
    assert shown(row_of(summary, "answered")) == ("m", "j", 0.75, 4, 1)
    nothing = row_of(summary, "knowledge_score")
    assert shown(nothing) == ("m", "j", None, 0, 1)
    assert (nothing["low"], nothing["high"], nothing["interval"]) == (None, None, None)


def shown(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["model"], row["judge"], row["mean"], row["n"], row["n_failed"]


def test_columns_measures_and_groups_come_in_order() -> None:
    summary = summarise(
        scores(
            {"model": "z", "trace_score": 1.0},
            {"model": None, "trace_score": 0.5},
            {"model": "a", "trace_score": 0.0},
            {"model": "z", "trace_score": 0.0, "judge": "other"},
            {"model": "z", "trace_score": 0.0},
        ),
        ("knowledge",),
    )
    assert summary.columns == ["model", "judge", "measure", "mean", "low", "high", "interval", "n", "n_failed"]
    groups = summary.select("model", "judge").unique(maintain_order=True).rows()
    # Of first appearance; a trace without a model is a group of its own, and judges are never mixed.
    assert groups == [("z", "j"), (None, "j"), ("a", "j"), ("z", "other")]
    assert summary["measure"].to_list()[:8] == [
        *("knowledge_grounding", "knowledge_correctness", "knowledge_score"),
        *("trace_grounding", "trace_correctness", "trace_score", "answer_correct", "answered"),
    ]
    assert [row_of(summary, "trace_score", model=model, judge=judge)["mean"] for model, judge in groups] == [
        *(0.5, 0.5),
        *(0.0, 0.0),
    ]
    assert row_of(summary, "trace_score", model=None)["n"] == 1


def test_of_nothing_there_is_nothing_and_the_columns_are_the_same() -> None:
    empty = summarise(scores(), ("knowledge",))
    assert empty.height == 0
    assert empty.schema == summarise(scores({"model": "m", "trace_score": 1.0}), ("knowledge",)).schema


# The bootstrap


@pytest.mark.parametrize(("n", "ones"), [(10, 3), (40, 30), (200, 20), (1000, 500)])
def test_the_interval_of_a_two_valued_sample_is_that_of_the_binomial(n: int, ones: int) -> None:
    """The mean of n draws with replacement is Binomial(n, k/n)/n exactly.

    A percentile of 2,000 draws has a standard error of √(0.025 · 0.975/2000) = 0.0035 in probability: four of them
    either way, and a seed with less luck is not seen here, as the seed is fixed.
    """
    low, high, method = interval(pl.Series([1.0] * ones + [0.0] * (n - ones)))
    assert method == "bootstrap"
    assert low is not None
    assert high is not None
    assert quantile(n, ones / n, 0.025 - 0.014) <= low * n <= quantile(n, ones / n, 0.025 + 0.014)
    assert quantile(n, ones / n, 0.975 - 0.014) <= high * n <= quantile(n, ones / n, 0.975 + 0.014)


def quantile(n: int, p: float, share: float) -> int:
    """The least k with P(X ≤ k) ≥ share, for X of Binomial(n, p)."""
    below = 0.0
    for k in range(n + 1):
        below += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(p)
            + (n - k) * math.log1p(-p)
        )
        if below >= share:
            return k
    return n


def test_the_interval_of_many_values_is_close_to_the_normal_one() -> None:
    values = pl.Series([(index * 0.618033988749895) % 1 for index in range(3000)])
    low, high, _ = interval(values)
    mean, sd = values.mean(), values.std(ddof=0)
    assert isinstance(mean, float)
    assert isinstance(sd, float)
    half = 1.96 * sd / math.sqrt(3000)
    # The end of a percentile interval has a standard error of 0.0035/φ(1.96) = 0.06 deviations: 3 % of half.
    assert low == pytest.approx(mean - half, abs=0.12 * half)
    assert high == pytest.approx(mean + half, abs=0.12 * half)


def test_2000_draws_by_their_count() -> None:
    """All draws that are made are used: portions are cut so that their number stays 2,000."""
    for n in (2, 7, 1999, 2001, 5000, 20_000):
        assert len(drawn_means(pl.DataFrame({"value": [0.0, 1.0] * (n // 2) + [0.0] * (n % 2)}))) == 2_000


def test_portions_are_different_draws() -> None:
    means = drawn_means(pl.DataFrame({"value": [(index * 0.618033988749895) % 1 for index in range(20_000)]}))
    assert means["value"].n_unique() > 1_900


def test_a_draw_is_of_whole_rows() -> None:
    means = drawn_means(pl.DataFrame({"one": [0.0, 0.25, 0.5], "other": [1.0, 0.75, 0.5]}), seed=3)
    assert (means["one"] + means["other"]).to_list() == pytest.approx([1.0] * 2_000)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = pl.Series([(index * 0.618033988749895) % 1 for index in range(50)])
    assert interval(values, seed=5) == interval(values, seed=5)
    assert interval(values) == interval(values, seed=0)
    assert interval(values, seed=5) != interval(values, seed=6)
    rows = scores(*[{"model": "m", "trace_score": value} for value in values])
    first, again = summarise(rows, ("knowledge",), seed=7), summarise(rows, ("knowledge",), seed=7)
    assert first.equals(again)
    measured = row_of(first, "trace_score")
    assert (measured["low"], measured["high"], measured["interval"]) == interval(values, seed=7)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_fewer_than_two_values_have_no_interval(values: list[float]) -> None:
    assert interval(pl.Series(values, dtype=pl.Float64)) == (None, None, None)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_values_that_do_not_vary_have_an_interval_of_no_width(value: float) -> None:
    assert interval(pl.Series([value] * 30)) == (value, value, "bootstrap")
    assert interval(pl.Series([value] * (MANY_RECORDS + 1))) == (value, value, "normal")


def test_above_20_000_values_the_interval_is_the_normal_one_and_says_so() -> None:
    # 10,001 ones of 20,002: mean ½, sd² = n/4/(n − 1).
    n = 20_002
    low, high, method = interval(pl.Series([0.0, 1.0] * (n // 2)))
    half = 1.96 * math.sqrt(n / 4 / (n - 1)) / math.sqrt(n)
    assert method == "normal"
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
    assert interval(pl.Series([0.0, 1.0] * 10_000))[2] == "bootstrap"  # 20,000 are not above it


def test_an_interval_stays_inside_what_was_measured() -> None:
    low, high, _ = interval(pl.Series([0.2, 0.9]))
    # Of two values 1/4 of the draws are twice the lower and 1/4 twice the higher: both ends are reached.
    assert (low, high) == pytest.approx((0.2, 0.9))


# Tables that are too long for memory


def many_models(models: int, records: int) -> pl.DataFrame:
    rows = range(models * records)
    values = [(row * 0.618033988749895) % 1 for row in rows]
    frame = pl.DataFrame({"model": [f"m{row % models}" for row in rows], "trace_score": values, "judge": "j"})
    return pl.concat([scores(), frame], how="diagonal")


@pytest.mark.parametrize("held", [1, 100, 250, 10**6])
def test_portions_of_a_file_give_what_the_whole_frame_gives(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = many_models(7, 50)
    expected = summarise(whole, ("knowledge",))
    whole.write_parquet(tmp_path / "scores.parquet", row_group_size=64)
    monkeypatch.setattr(aggregate, "_HELD_AT_ONCE", held)
    assert summarise(pl.scan_parquet(tmp_path / "scores.parquet"), ("knowledge",)).equals(expected)
    assert expected["model"].unique(maintain_order=True).to_list() == [f"m{model}" for model in range(7)]
    alone = whole.filter(model="m3")["trace_score"]
    measured = row_of(expected, "trace_score", model="m3")
    assert (measured["low"], measured["high"], measured["interval"]) == interval(alone)


def test_a_group_of_many_records_draws_only_for_measures_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The method goes by the n of each measure, and what is drawn from is read alone."""
    monkeypatch.setattr(aggregate, "MANY_RECORDS", 40)
    whole = many_models(2, 41).with_columns(
        knowledge_score=pl.when(pl.int_range(pl.len()) < 60).then("trace_score"),
    )
    summary = summarise(whole, ("knowledge",))
    mine = whole.filter(model="m1")
    many, few = (row_of(summary, name, model="m1") for name in ("trace_score", "knowledge_score"))
    assert (many["n"], many["interval"], few["n"], few["interval"]) == (41, "normal", 30, "bootstrap")
    assert (many["low"], many["high"]) == pytest.approx(interval(mine["trace_score"])[:2])
    assert (few["low"], few["high"]) == interval(mine["knowledge_score"].drop_nulls())[:2]
