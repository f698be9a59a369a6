"""What a probe's reply is worth: expectations by hand, and what is no distribution is an error and never a number."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.backend import Reply
from judge.distribution import read_correctness, read_level, read_presence
from judge.errors import MalformedReplyError, OffMenuError, ReplyError


def told(*probabilities: float, text: str = "1", **more: object) -> Reply:
    """A reply with the probabilities of 0, 1 and 2."""
    return Reply(text=text, finish_reason="length", probabilities=dict(zip("012", probabilities, strict=True)), **more)


@pytest.mark.parametrize(
    ("probabilities", "presence", "correctness"),
    [
        # p_present = P(1)/2 + P(2); p_correct = P(2).
        ((1.0, 0.0, 0.0), (0, 0.0), (-1, 0.0)),
        ((0.0, 1.0, 0.0), (1, 0.5), (0, 0.0)),
        ((0.0, 0.0, 1.0), (2, 1.0), (1, 1.0)),
        ((0.05, 0.15, 0.80), (2, 0.875), (1, 0.80)),
        ((0.5, 0.3, 0.2), (0, 0.35), (-1, 0.2)),
        ((0.3, 0.5, 0.2), (1, 0.45), (0, 0.2)),
        # 0.8 of all is on the labels: shares 1/8, 1/4, 5/8; 1/8 + 5/8.
        ((0.1, 0.2, 0.5), (2, 0.75), (1, 0.625)),
        # Half of all is enough.
        ((0.125, 0.125, 0.25), (2, 0.625), (1, 0.5)),
        # Ties: the lower.
        ((0.4, 0.4, 0.2), (0, 0.4), (-1, 0.2)),
        ((0.2, 0.4, 0.4), (1, 0.6), (0, 0.4)),
        ((0.4, 0.2, 0.4), (0, 0.5), (-1, 0.4)),
        ((0.25, 0.25, 0.25), (0, 0.5), (-1, 1 / 3)),
    ],
)
def test_by_hand(probabilities: tuple[float, ...], presence: tuple[int, float], correctness: tuple[int, float]) -> None:
    assert read_presence(told(*probabilities)) == (presence[0], pytest.approx(presence[1]))
    assert read_correctness(told(*probabilities)) == (correctness[0], pytest.approx(correctness[1]))


def told_of(probabilities: dict[str, float], text: str | None = None) -> Reply:
    """A reply with the probabilities of these levels; the first is said where nothing else is."""
    return Reply(text=next(iter(probabilities)) if text is None else text, probabilities=probabilities)


@pytest.mark.parametrize(
    ("probabilities", "level", "expected"),
    [
        ({"1": 0.0, "3": 0.0, "5": 1.0}, 5, 5.0),
        # 0.1 + 1.8 + 1.5.
        ({"1": 0.1, "3": 0.6, "5": 0.3}, 3, 3.4),
        # What is expected need not be near what is likeliest: 0.45 · 1 + 0.1 · 3 + 0.45 · 5; of equals the lower.
        ({"1": 0.45, "3": 0.1, "5": 0.45}, 1, 3.0),
        # 0.8 of all is on the levels: (0.2 · 2 + 0.6 · 4) / 0.8.
        ({"2": 0.2, "4": 0.6}, 4, 3.5),
        # Half of all is enough: (0.1 · 0 + 0.4 · 9) / 0.5.
        ({"0": 0.1, "9": 0.4}, 9, 7.2),
        ({str(level): 0.1 for level in range(10)}, 0, 4.5),
    ],
)
def test_a_level_by_hand(probabilities: dict[str, float], level: int, expected: float) -> None:
    assert read_level(told_of(probabilities), (*probabilities,)) == (level, pytest.approx(expected))


@given(
    st.sets(st.integers(0, 9), min_size=2)
    .map(sorted)
    .flatmap(lambda levels: st.tuples(st.just(levels), st.tuples(*[st.floats(0, 1)] * len(levels)).filter(sum))),
    st.floats(0.51, 1),
)
def test_what_is_expected_is_between_the_levels_whatever_is_elsewhere(
    drawn: tuple[list[int], tuple[float, ...]], on_levels: float
) -> None:
    levels, parts = drawn
    shares = [part / sum(parts) for part in parts]
    likely = {str(level): on_levels * share for level, share in zip(levels, shares, strict=True)}
    level, expected = read_level(told_of(likely), (*likely,))
    assert levels[0] <= expected <= levels[-1]
    assert likely[str(level)] == max(likely.values())
    assert expected == pytest.approx(sum(level * share for level, share in zip(levels, shares, strict=True)))


def test_rounding_leads_to_no_level_below_the_lowest() -> None:
    """Divided and added up, these come to 6.999999999999999, and a score below 0."""
    assert read_level(told_of({"7": 0.7530249514534855, "8": 1.8886261584893562e-16}), ("7", "8")) == (7, 7.0)


@given(st.lists(st.floats(1e-3, 1), min_size=3, max_size=3), st.floats(0.5, 1))
def test_all_is_in_its_range_and_how_much_is_elsewhere_does_not_matter(parts: list[float], on_labels: float) -> None:
    shares = [part / sum(parts) for part in parts]
    presence, p_present = read_presence(told(*(0.999 * share for share in shares)))
    assert 0 <= p_present <= 1
    assert shares[presence] == max(shares)
    assert p_present == pytest.approx(shares[1] / 2 + shares[2])
    correctness, p_correct = read_correctness(told(*(0.51 * share for share in shares)))
    assert (correctness, 0 <= p_correct <= 1) == (presence - 1, True)
    assert p_correct == pytest.approx(shares[2])
    again = read_presence(told(*(1e-9 + on_labels * share for share in shares)))
    assert again[1] == pytest.approx(p_present, abs=1e-6)


def test_a_raised_unit_grounds_a_quarter_at_least() -> None:
    """What the lower bound of a score rests on: over a grid of all distributions, and a point at the bound."""
    parts = [(one, other, 40 - one - other) for one, other in itertools.product(range(41), repeat=2)]
    raised = [read_presence(told(*(part / 40 for part in three))) for three in parts if three[2] >= 0]
    assert min(p_present for presence, p_present in raised if presence) > 0.25
    assert max(p_present for presence, p_present in raised if not presence) <= 0.5
    hair = 1e-9
    assert read_presence(told(0.5 - hair, 0.5 + hair, 0.0)) == (1, pytest.approx(0.25))


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (told(0.2, 0.2, 0.0999), ReplyError, "low_probability"),
        (told(0.0, 0.0, 0.0), ReplyError, "low_probability"),
        (told(1.0, 0.0, 0.0, text="yes"), OffMenuError, "off_menu"),
        (told(1.0, 0.0, 0.0, text="3"), OffMenuError, "off_menu"),
        (told(1.0, 0.0, 0.0, text="12"), OffMenuError, "off_menu"),
        (told(1.0, 0.0, 0.0, text="1."), OffMenuError, "off_menu"),
        # A word, and little on the labels: the complaint may help, so it comes first.
        (told(0.0, 0.1, 0.0, text="The"), OffMenuError, "off_menu"),
        (told(1.0, 0.0, 0.0, text=""), MalformedReplyError, "empty"),
        (told(1.0, 0.0, 0.0, text=" \n"), MalformedReplyError, "empty"),
        (told(math.nan, 0.5, 0.5), MalformedReplyError, "bad_logprobs"),
        (told(math.inf, 0.5, 0.5), MalformedReplyError, "bad_logprobs"),
        (told(-0.1, 0.5, 0.6), MalformedReplyError, "bad_logprobs"),
        (told(1.1, 0.0, 0.0), MalformedReplyError, "bad_logprobs"),
        (told(0.6, 0.6, 0.0), MalformedReplyError, "bad_logprobs"),
        (Reply(text="1", probabilities={"0": 0.5, "1": 0.5}), MalformedReplyError, "bad_logprobs"),
        (Reply(text="1", probabilities={}), MalformedReplyError, "bad_logprobs"),
        (Reply(text="1"), MalformedReplyError, "bad_logprobs"),
        (Reply(text="", finish_reason="refusal"), ReplyError, "refusal"),
        (Reply(text="1", finish_reason="content_filter", probabilities={"0": 1.0}), ReplyError, "refusal"),
    ],
)
def test_what_is_no_distribution_is_an_error(reply: Reply, kind: type[ReplyError], code: str) -> None:
    for read in (read_presence, read_correctness):
        with pytest.raises(ReplyError) as caught:
            read(reply)
        assert (type(caught.value), caught.value.code) == (kind, code)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        # A level of no scale, and one of another scale.
        (told_of({"1": 0.5, "5": 0.5}, text="2"), "off_menu"),
        (told_of({"1": 0.5, "5": 0.5}, text="0"), "off_menu"),
        (told_of({"1": 0.25, "5": 0.2499}), "low_probability"),
        (told_of({"1": 0.9}), "bad_logprobs"),
        (told_of({"1": 0.9, "5": math.nan}), "bad_logprobs"),
        (told_of({"1": 0.9, "5": 0.2}), "bad_logprobs"),
        (told_of({"1": 0.9, "5": 0.1}, text=""), "empty"),
    ],
)
def test_what_is_no_distribution_over_levels_is_an_error(reply: Reply, code: str) -> None:
    with pytest.raises(ReplyError) as caught:
        read_level(reply, ("1", "5"))
    assert caught.value.code == code
    assert code not in ("off_menu", "low_probability") or "digits 1, 5" in str(caught.value)


def test_white_space_around_a_digit_is_none_of_it() -> None:
    assert read_presence(told(0.0, 0.0, 1.0, text=" 2\n")) == (2, 1.0)


def test_an_empty_reply_says_who_cannot_be_probed() -> None:
    with pytest.raises(MalformedReplyError, match="A model that thinks before it answers cannot be probed"):
        read_presence(told(1.0, 0.0, 0.0, text=""))


def test_rounding_over_1_is_no_fault() -> None:
    assert read_presence(told(0.0, 0.0005, 1.0)) == (2, pytest.approx(1.0, abs=1e-3))
