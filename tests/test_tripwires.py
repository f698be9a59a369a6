"""Each tripwire with a policy that trips it, and one that just does not."""

from __future__ import annotations

import pytest
from reward_kit import at, rewards

from judge.rewards.tripwires import Tripwires

NAMES = ["zero_variance", "contentless", "identical", "jump"]
TEXTS = [f"Film {number}: the left wrist is broken." for number in range(10)]


def look(values, groups, traces=TEXTS, tripwires=None):
    return (tripwires or Tripwires()).look(rewards(*values), traces[: len(values)], at(groups))


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_a_healthy_batch_says_nothing(caplog):
    metrics = look([0.1, 0.9, 0.4, 0.6], "aabb")
    assert metrics == dict.fromkeys(NAMES, 0.0)
    assert said(caplog) == []


def test_groups_that_teach_nothing(caplog):
    metrics = look([0.5, 0.5, 0.7, 0.7 + 1e-9, 0.1, 0.9], "aabbcc")
    assert metrics["zero_variance"] == pytest.approx(2 / 3)
    assert said(caplog) == [
        "67% of the groups have the same reward throughout, and teach nothing (judge/zero_variance)"
    ]


def test_half_of_the_groups_is_no_alarm(caplog):
    assert look([0.5, 0.5, 0.1, 0.9], "aabb")["zero_variance"] == 0.5
    assert said(caplog) == []


def test_a_group_of_one_has_no_variance_to_miss():
    assert look([0.5, 0.5], "ab")["zero_variance"] == 0.0


def test_what_failed_is_no_equal_reward():
    assert look([0.5, None, None, None], "aabb")["zero_variance"] == 0.0


@pytest.mark.parametrize(
    "key", ["", " ", ":", "Solution", "Thought process:", "Let's solve this problem step by step.", "解"]
)
def test_master_keys_say_nothing(caplog, key):
    metrics = look([0.1, 0.9, 0.2, 0.8], "aaaa", [key, *TEXTS])
    assert metrics["contentless"] == 0.25
    assert said(caplog) == ["25% of the completions say nothing (judge/contentless)"]


def test_completions_that_are_equal(caplog):
    metrics = look([0.1, 0.9, 0.2, 0.8], "aaaa", [TEXTS[0], TEXTS[0], TEXTS[0], TEXTS[1]])
    assert metrics["identical"] == 0.75
    assert said(caplog) == ["75% of the completions are equal to another one of their group (judge/identical)"]


def test_equal_completions_of_different_questions_are_none():
    assert look([0.1, 0.9], "ab", [TEXTS[0], TEXTS[0]])["identical"] == 0.0


@pytest.mark.parametrize(("last", "jump"), [(0.9, 10.0), (0.1, -10.0)])
def test_a_score_that_jumps(caplog, last, jump):
    # Means of 0.46 and 0.54 by turns are 0.5 ± 0.04, and 0.9 is ten of that above.
    tripwires = Tripwires()
    for mean in (0.46, 0.54) * 3:
        look([mean - 0.1, mean + 0.1], "aa", tripwires=tripwires)
    metrics = look([last - 0.1, last + 0.1], "aa", tripwires=tripwires)
    assert metrics["jump"] == pytest.approx(jump)
    assert said(caplog) == [
        f"the mean reward is {jump:+.1f} standard deviations from that of the last batches (judge/jump)"
    ]


def test_a_score_that_grows_slowly_is_no_jump(caplog):
    tripwires = Tripwires()
    for step in range(30):
        look([0.01 * step, 0.01 * step + 0.2], "aa", tripwires=tripwires)
    assert said(caplog) == []


def test_the_first_batches_have_nothing_to_jump_from(caplog):
    tripwires = Tripwires()
    for mean in (0.1, 0.9, 0.1, 0.9, 0.1):
        assert look([mean, mean + 0.05], "aa", tripwires=tripwires)["jump"] == 0.0


def test_nothing_at_all():
    assert Tripwires().look([], [], []) == dict.fromkeys(NAMES, 0.0)


def test_the_same_metrics_where_all_failed():
    assert [*look([None, None], "aa")] == NAMES
