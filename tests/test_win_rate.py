"""Win rates and what the order did, by hand and from recorded judgements of real models and people."""

from __future__ import annotations

import json
from collections import Counter

import polars as pl
import pytest
from preference_kit import DATA, llmbar, pandalm, read, said, table

from judge.aggregate import interval
from judge.errors import ConfigError
from judge.win_rate import WinRate, list_models, measure_win_rates, turn


def rates(preferences: pl.DataFrame, models: list[str] | None = None) -> list[WinRate]:
    models = models or list_models(preferences)
    return measure_win_rates(turn(preferences, models), models)


def only(*answers: str, models: list[str] | None = None) -> WinRate:
    (found,) = rates(table(*(said(f"r{n}", one) for n, one in enumerate(answers))), models)
    return found


def test_a_rate_by_hand() -> None:
    # Twice won, once lost, one tie, one won by whoever stands first, one by the second, a tie in one order, two failed.
    found = only("AA", "AA", "BB", "tt", "AB", "BA", "At", "A-", "-B")
    assert (found.pairs, found.judged, found.failed) == (9, 7, 2)
    assert (found.wins, found.losses, found.ties, found.inconsistent) == (2, 1, 1, 3)
    assert found.rate == pytest.approx((2 + 0.5 * 1 + 0.5 * 3) / 7)
    assert found.failures == {"truncated": 2}
    assert found.p_value == 1.0  # 2 to 1: (1 + 3 + 3)/8 and its mirror image
    assert (found.low, found.high, found.interval) == interval(pl.Series([1.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5]))
    order = found.order
    assert order is not None
    assert (order.n, order.consistent, order.first, order.second, order.half) == (7, 4, 1, 1, 1)
    assert order.consistency == pytest.approx(4 / 7)
    assert (order.low, order.high, order.interval) == interval(pl.Series([1.0] * 4 + [0.0] * 3))


def test_the_first_and_the_second_are_what_was_shown() -> None:
    """`AB` is A when A stood first, and B when B did; turning the models round changes nothing of it."""
    for models in (["m", "n"], ["n", "m"]):
        order = only("AB", "AB", "BA", "tA", models=models).order
        assert order is not None
        assert (order.first, order.second, order.half) == (2, 1, 1)


def test_turning_the_models_round_turns_the_rate() -> None:
    answers = ("AA", "AA", "BB", "tt", "AB", "A-")
    one, other = only(*answers), only(*answers, models=["n", "m"])
    assert (other.model, other.other) == ("n", "m")
    assert (other.wins, other.losses) == (one.losses, one.wins)
    assert other.rate == pytest.approx(1 - (one.rate or 0))
    assert other.order == one.order


def test_a_pair_is_one_pair_whoever_is_named_first() -> None:
    preferences = table(
        said("r1", "AA", score_a=0.9, score_b=0.5), said("r2", "AB", a="n", b="m", score_a=0.1, score_b=0.2)
    )
    turned = turn(preferences, ["m", "n"])
    # Shown second was m, as B, and said was A: that is n. With m first it was B, m as well: the other way round.
    assert turned.select("model_a", "order_ab", "order_ba", "outcome", "score_a", "score_b").rows() == [
        ("m", "A", "A", "A", 0.9, 0.5),
        ("m", "A", "B", "inconsistent", 0.2, 0.1),
    ]
    (found,) = rates(preferences)
    assert (found.model, found.judged, found.rate) == ("m", 2, 0.75)
    assert found.difference is not None
    assert found.difference.mean == pytest.approx((0.4 + 0.1) / 2)


def test_scores_of_a_pair_that_was_not_judged_are_in_no_difference() -> None:
    other_units = said("r2", "--", score_a=0.9, score_b=0.1, failure="units_differ")
    (found,) = rates(table(said("r1", "--", score_a=0.5, score_b=0.25, outcome="A", failure=None), other_units))
    assert found.difference is not None
    assert (found.difference.n, found.difference.mean, found.failures) == (1, 0.25, {"units_differ": 1})


def test_all_failed_is_no_rate() -> None:
    found = only("A-", "--")
    assert (found.rate, found.low, found.p_value, found.order, found.failed) == (None, None, None, None, 2)


def test_one_pair_has_no_interval() -> None:
    found = only("AA")
    assert (found.rate, found.low, found.high, found.interval, found.p_value) == (1.0, None, None, None, 1.0)


def test_a_question_that_was_answered_twice_is_refused() -> None:
    twice = table(said("r1", "AA"), said("r1", "BB", a="n", b="m"))
    with pytest.raises(
        ConfigError, match=r"j has two preferences between the same models on 'overall' of the record 'r1'"
    ):
        turn(twice, ["m", "n"])


@pytest.mark.parametrize("subset", ["natural", "adv_neighbor"])
def test_recorded_judges_are_as_consistent_as_was_counted(subset: str) -> None:
    """LLMBar: each judge of `right` against `wrong`, so that a win is a pair that was right in both orders."""
    found = rates(llmbar(subset), ["right", "wrong"])
    path = DATA / "llmbar" / "recomputed_statistics.json"
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert len(found) == 7
    for rate in found:
        counted = expected[f"{subset}|{rate.judge}"]
        unread = llmbar(subset).filter(judge=rate.judge)
        neither = unread.filter(pl.col("order_ab").is_null() & pl.col("order_ba").is_null())
        assert rate.pairs == counted["n"]
        assert rate.wins == counted["correct_both"]
        assert rate.order is not None
        # Counted there as the same answer too: two that could not be read.
        assert rate.order.consistent + len(neither) == counted["consistent"]
        assert rate.order.n == rate.judged == rate.pairs - rate.failed
        assert rate.order.consistent == rate.wins + rate.losses + rate.ties


def test_gpt_4_on_the_natural_pairs() -> None:
    """GPT-4 with CoT: 90 of 100 right both times, one wrong both times, nine decided by the order: (90 + 4.5)/100."""
    found = {rate.judge: rate for rate in rates(llmbar("natural"), ["right", "wrong"])}["GPT-4|CoT"]
    assert (found.wins, found.losses, found.inconsistent, found.rate) == (90, 1, 9, 0.945)
    assert found.order is not None and found.order.consistency == 0.91
    assert found.order.first + found.order.second == 9


def test_people_who_compare_five_models() -> None:
    """PandaLM: the counts of each annotator and pair of models, straight from the file."""
    counted: Counter[tuple[str, str, str, int]] = Counter()
    for row in read("pandalm/testset.jsonl"):
        for judge in ("annotator1", "annotator2", "annotator3"):
            first, second = row["cmp_key"].split("_")
            counted[(judge, first, second, row[judge])] += 1
    found = rates(pandalm())
    assert len(found) == 3 * 10  # ten pairs of five models
    for rate in found:
        one, turned = ((rate.judge, rate.model, rate.other), (rate.judge, rate.other, rate.model))
        assert rate.wins == counted[(*one, 1)] + counted[(*turned, 2)]
        assert rate.losses == counted[(*one, 2)] + counted[(*turned, 1)]
        assert rate.ties == counted[(*one, 0)] + counted[(*turned, 0)]
        assert rate.order is None and rate.inconsistent == 0
    assert sum(rate.judged for rate in found) == 3 * 506
