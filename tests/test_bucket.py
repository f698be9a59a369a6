"""A quota by the minute: never exceeded in any window, steady, and nobody hangs. Time is a number here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.calls.bucket import Bucket


def send_all(bucket: Bucket, amounts: list[float], *, begin: float = 0.0) -> list[tuple[float, float]]:
    """When each goes out, one after the other as soon as it may."""
    at, sent = begin, []
    for amount in amounts:
        while (wait_s := bucket.wait_s(at, amount)) > 0:
            at += wait_s
        bucket.take(at, amount)
        sent.append((at, amount))
    return sent


def most_in_a_minute(sent: list[tuple[float, float]]) -> float:
    """Over all windows of 60 s, the end excluded; the fullest begins with something sent."""
    return max(sum(amount for at, amount in sent if begin <= at < begin + 60 - 1e-6) for begin, _ in sent)


@pytest.mark.parametrize("per_minute", [1, 2, 7, 60, 600, 1000])
def test_never_more_than_stated_in_any_minute_and_hardly_less(per_minute: int) -> None:
    sent = send_all(Bucket(per_minute), [1.0] * (3 * per_minute + 1))
    assert most_in_a_minute(sent) == per_minute
    # What comes after three minutes' worth goes out when they are over.
    assert sent[-1][0] == pytest.approx(180, abs=1.01)


@given(st.integers(1, 1000), st.lists(st.floats(0.5, 500), min_size=1, max_size=60))
def test_amounts_of_all_sizes(per_minute: int, amounts: list[float]) -> None:
    """None hangs, and only an amount that is above the quota by itself exceeds it, alone in its minute."""
    sent = send_all(Bucket(per_minute), amounts)
    assert [amount for _, amount in sent] == amounts
    assert most_in_a_minute(sent) <= max(per_minute, *amounts) * (1 + 1e-6)


def test_the_stream_is_steady() -> None:
    """600 a minute: a second's share of 10 at once, then one each 0.1 s; not 600 at once and a minute of silence."""
    at = [at for at, _ in send_all(Bucket(600), [1.0] * 100)]
    assert at[9] == 0
    assert at[10:] == pytest.approx([0.1 * n for n in range(1, 91)])


def test_a_pause_does_not_save_up_for_a_rush() -> None:
    bucket = Bucket(600)
    send_all(bucket, [1.0] * 10)
    at = [at for at, _ in send_all(bucket, [1.0] * 20, begin=45.0)]
    assert at[9] == 45
    assert at[-1] == pytest.approx(46)


def test_a_large_amount_goes_out_when_the_bucket_is_full_and_the_next_waits_for_it() -> None:
    """6,000 a minute are 100 a second: 1,000 take the ten seconds after them."""
    sent = send_all(Bucket(6000), [50.0, 1000.0, 10.0])
    assert [at for at, _ in sent] == pytest.approx([0.0, 0.5, 0.5 + 9.1])


def test_an_amount_above_the_quota_goes_out_alone() -> None:
    sent = send_all(Bucket(100), [1.0, 250.0, 1.0])
    assert [at for at, _ in sent][1] == pytest.approx(60)
    assert [at for at, _ in sent][2] >= 120


def test_what_was_less_than_estimated_is_given_back() -> None:
    bucket = Bucket(6000)
    portion = bucket.take(0.0, 1000.0)
    assert bucket.wait_s(0.0, 100) == pytest.approx(10.0)  # 100 there, 1,000 taken: 1,000 are missing to be full again
    bucket.settle(portion, 300.0)
    assert bucket.wait_s(0.0, 100) == pytest.approx(3.0)


def test_what_was_more_than_estimated_counts_in_its_minute() -> None:
    bucket = Bucket(6000)
    portion = bucket.take(0.0, 1000.0)
    bucket.settle(portion, 5950.0)
    # 50 of the minute are left, for which it is 1 s too early per 100; 51 must wait for the minute's end.
    assert bucket.wait_s(59.6, 50) == 0
    assert bucket.wait_s(59.6, 51) == pytest.approx(0.4)
    assert bucket.wait_s(60.0, 51) == 0
    bucket.settle(portion, 20_000.0)  # by now that is nobody's minute any more
    bucket.take(400.0, 10.0)
    assert bucket.wait_s(400.5, 50) == 0
