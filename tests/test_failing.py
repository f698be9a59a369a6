"""What a failure becomes: never 0 by itself, and an outage stops the step."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_kit import at, rewards

from judge.errors import ConfigError, RewardError
from judge.rewards.failing import FailureRule, Failures, settle

FOUR = rewards(0.8, 0.6, None, 0.4, 0.1, None)
GROUPS = at("aaaabb")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FailureRule(on_failure="none"), [0.8, 0.6, None, 0.4, 0.1, None]),
        (FailureRule(on_failure="constant", constant=0.25), [0.8, 0.6, 0.25, 0.4, 0.1, 0.25]),
        (FailureRule(on_failure="group_mean"), [0.8, 0.6, pytest.approx(0.6), 0.4, 0.1, 0.1]),
        (FailureRule(on_failure="drop_group"), [None] * 6),
    ],
    ids=lambda given: getattr(given, "on_failure", ""),
)
def test_one_of_a_group_fails(rule, expected):
    assert settle(FOUR, GROUPS, rule) == expected


def test_a_group_without_a_failure_is_not_dropped():
    assert settle(rewards(0.8, None, 0.4, 0.2), at("aabb"), FailureRule(on_failure="drop_group")) == [
        *(None, None),
        *(0.4, 0.2),
    ]


def test_raise_says_how_many_and_why():
    with pytest.raises(RewardError, match=r"2 of 6 judgements failed: timeout \(2\)\. Why: timeout\."):
        settle(FOUR, GROUPS, FailureRule(on_failure="raise"))


def test_the_usual_rule_is_the_mean_of_the_group():
    assert FailureRule() == FailureRule(on_failure="group_mean", max_failure_rate=0.2)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.floats(0, 1)), min_size=1), st.floats(0, 1))
def test_a_filled_in_failure_has_no_advantage(given, usual):
    groups, values = [group for group, _ in given], [value for _, value in given]
    settled = settle(rewards(*values), groups, FailureRule(), usual=usual)
    for group in set(groups):
        mean = fmean(value for value, its in zip(settled, groups, strict=True) if its == group)
        for before, after, its in zip(values, settled, groups, strict=True):
            if its == group and before is None:
                assert after == pytest.approx(mean)
    assert [after for before, after in zip(values, settled, strict=True) if before is not None] == [
        value for value in values if value is not None
    ]


def test_where_a_whole_group_failed_the_mean_of_the_batch():
    assert settle(rewards(0.8, 0.4, None, None), at("aabb"), FailureRule()) == [0.8, 0.4, *[pytest.approx(0.6)] * 2]


def test_where_a_whole_batch_failed_the_mean_of_the_last_ones():
    failures = Failures(FailureRule())
    failures.watch(rewards(0.2, 0.4))
    assert failures.usual == pytest.approx(0.3)
    assert settle(rewards(None, None), at("aa"), FailureRule(), usual=failures.usual) == [pytest.approx(0.3)] * 2


def test_where_nothing_was_ever_judged_the_step_ends():
    assert Failures(FailureRule()).usual is None
    with pytest.raises(
        RewardError, match=r"all 2 judgements of the first batch failed: off_menu \(2\)\. Why: off_menu"
    ):
        settle(rewards(None, None, why="off_menu"), at("aa"), FailureRule())


@pytest.mark.parametrize("on_failure", ["none", "constant", "drop_group"])
def test_other_rules_need_no_mean(on_failure):
    rule = FailureRule(on_failure=on_failure)
    assert settle(rewards(None, None), at("aa"), rule) == [0.5 if on_failure == "constant" else None] * 2


def test_no_failure_passes_every_rule():
    for on_failure in ("none", "raise", "group_mean", "constant", "drop_group"):
        assert settle(rewards(0.1, 0.9), at("ab"), FailureRule(on_failure=on_failure)) == [0.1, 0.9]


# How many there may be


def watch(failures: Failures, failed: int, of: int) -> None:
    failures.watch(rewards(*[1.0] * (of - failed), *[None] * failed))


def test_as_many_as_allowed_pass_and_one_more_does_not():
    failures = Failures(FailureRule(max_failure_rate=0.2))
    watch(failures, 4, 20)
    with pytest.raises(
        RewardError, match=r"5 of the last 21 judgements failed, more than max_failure_rate = 0\.2: timeout"
    ):
        watch(failures, 1, 1)


def test_a_few_samples_say_nothing():
    failures = Failures(FailureRule(max_failure_rate=0.2))
    watch(failures, 19, 19)
    with pytest.raises(RewardError, match="20 of the last 20"):
        watch(failures, 1, 1)


def test_it_looks_over_several_batches():
    """A failure in every batch of four is a quarter, though no batch by itself says enough."""
    failures = Failures(FailureRule(max_failure_rate=0.2))
    for _ in range(4):
        watch(failures, 1, 4)
    with pytest.raises(RewardError, match="5 of the last 20"):
        watch(failures, 1, 4)


def test_what_is_long_past_is_forgotten():
    failures = Failures(FailureRule(max_failure_rate=0.2))
    watch(failures, 51, 256)  # 19.9 %
    watch(failures, 0, 256)
    watch(failures, 51, 256)  # with those of before it would be a fifth of 512
    with pytest.raises(RewardError, match="52 of the last 256"):
        watch(failures, 1, 1)


def test_of_a_large_batch_all_counts():
    """Its first half, too: the last 256 of it are fine."""
    with pytest.raises(RewardError, match="256 of the last 512"):
        Failures(FailureRule(max_failure_rate=0.2)).watch(rewards(*[None] * 256, *[1.0] * 256))


def test_after_it_has_stopped_a_step_it_counts_afresh():
    failures = Failures(FailureRule(max_failure_rate=0.2))
    with pytest.raises(RewardError):
        watch(failures, 20, 20)
    watch(failures, 0, 20)


def test_all_may_fail():
    failures = Failures(FailureRule(max_failure_rate=1))
    for _ in range(30):
        watch(failures, 20, 20)


def test_a_failure_is_told_in_the_log(caplog):
    Failures(FailureRule()).watch(rewards(0.5, None))
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 2 judgements failed: timeout (1). Why: timeout."
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"on_failure": "zero"},
            "on_failure is 'zero'; it must be one of none, raise, group_mean, constant, drop_group",
        ),
        ({"max_failure_rate": 1.1}, "max_failure_rate is 1.1; it must be between 0 and 1"),
        ({"max_failure_rate": math.nan}, "max_failure_rate is nan"),
        ({"constant": math.nan}, "constant is nan; it must be finite"),
    ],
)
def test_a_rule_that_cannot_be(given, said):
    with pytest.raises(ConfigError, match=said):
        FailureRule(**given)
