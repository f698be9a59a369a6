"""The rate that refusals teach: by the numbers, and then with retries and places around it against limits of all kinds.

Time is virtual throughout, so it may be asserted. `fastest` is how long a client would take that knows the limit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile

import pytest
from virtual_time import Answering, ask_all, bucket, run, untold, window

from judge.calls.careful import Careful
from judge.calls.limited import Limited
from judge.calls.pace import Pace
from judge.calls.retrying import Retrying
from judge.errors import FatalError


def sending(pace: Pace, begin: float) -> Iterator[float]:
    """When requests go out from then on, where one always waits to."""
    at = begin
    while True:
        while (wait_s := pace.wait_s(at)) > 1e-9:
            at += wait_s
        pace.send(at)
        yield at


def sent_until(pace: Pace, begin: float, end: float) -> list[float]:
    return list(takewhile(lambda at: at < end, sending(pace, begin)))


def refused_at(at: float, *, per_s: int = 100, retry_after_s: float | None = None) -> Pace:
    """A pace that sent so many a second for three seconds, and then had so many of the last refused that it counts."""
    pace = Pace()
    for n in range(3 * per_s):
        pace.send(at - 3 + (n + 1) / per_s)
    while not pace.refused(at, sent=at, retry_after_s=retry_after_s):
        pass
    return pace


def test_nobody_waits_before_the_first_refusal() -> None:
    pace = Pace()
    for n in range(10_000):
        assert pace.wait_s(n / 1e6) == 0
        pace.send(n / 1e6)
    assert not pace.active


def test_a_few_refusals_among_many_slow_nobody_down() -> None:
    """200 were sent in the last two seconds: ten of them may be refused, whatever the rate."""
    pace = Pace()
    for n in range(300):
        pace.send(n / 100)
    slowed = [pace.refused(3.0, sent=2.99, retry_after_s=5.0) for _ in range(12)]
    assert slowed.index(True) == 10
    assert slowed.count(True) == 1  # the twelfth was under way when we slowed down


@pytest.mark.parametrize(("retry_after_s", "pause_s"), [(3.0, 3.0), (0.01, 0.01), (None, 0.25), (0.0, 0.25)])
def test_a_refusal_is_a_pause_for_all(retry_after_s: float | None, pause_s: float) -> None:
    pace = refused_at(10.0, retry_after_s=retry_after_s)
    assert pace.active
    assert pace.wait_s(10.0) == pytest.approx(pause_s)
    assert sent_until(pace, 10.0, 12.0 + pause_s)[0] >= 10 + pause_s


def test_after_a_pause_the_rate_is_a_fifth_less_and_comes_back() -> None:
    """100/s less 11 refusals in 2 s, 94.5/s, were let through. The ramp is over after 0.25 s; in 2 s the approach goes
    from 0.8 to 1.0 of it."""
    per_second = Counter(int(at - 10.25) for at in sent_until(refused_at(10.0), 10.0, 14.25))
    # First second: 0.85 of it, 80, less what the ramp takes: about 0.45 of 0.25 s, or 8. Second: 0.95 of it, 90.
    assert 65 <= per_second[0] <= 80
    assert 87 <= per_second[1] <= 93
    # Then it doubles each second: the integral of 94.5 × 2^t over a second is 94.5 / ln 2 = 136, and twice that.
    assert 131 <= per_second[2] <= 142
    assert 262 <= per_second[3] <= 284


def test_what_has_waited_does_not_come_back_at_once() -> None:
    sent = sent_until(refused_at(10.0, retry_after_s=5.0), 10.0, 16.0)
    # The ramp takes a second. 76/s × (0.1 + t) for 0.1 s is 76 × (0.01 + 0.005) = 1.1 requests, without it 8.
    assert len([at for at in sent if at < 15.1]) <= 2
    assert 25 <= len(sent) <= 50  # 76 × (0.1 + 0.5) = 46 in the whole second, 76 without


def test_a_rate_that_grows_beyond_everybody_ends() -> None:
    pace = refused_at(10.0)
    # 10,000 is 94.5 × 2^6.7: the approach of 2 s, and 6.7 s more.
    assert pace.wait_s(10.25 + 2 + 6.5) >= 0
    assert pace.active
    pace.wait_s(10.25 + 2 + 6.8)
    assert not pace.active


def test_a_longer_pause_is_tried_more_seldom() -> None:
    """Eight times the Retry-After of 2 s: after 15 s it is still no faster than before."""
    sent = sent_until(refused_at(10.0, retry_after_s=2.0), 10.0, 27.0)
    assert len([at for at in sent if 26 <= at < 27]) <= 100


def test_refusals_of_what_was_under_way_are_one() -> None:
    """50 refusals of the same moment must not be a cut by 0.8 to the 50th."""
    once, often = refused_at(10.0), refused_at(10.0)
    for _ in range(50):
        often.refused(10.01, sent=9.99, retry_after_s=None)
    assert len(sent_until(once, 10.1, 12.0)) == len(sent_until(often, 10.1, 12.0))


def test_a_later_retry_after_of_what_was_under_way_counts() -> None:
    pace = refused_at(10.0, retry_after_s=1.0)
    pace.refused(10.01, sent=9.99, retry_after_s=4.0)
    assert pace.wait_s(10.01) == pytest.approx(4.0)


def test_refusals_in_a_row_without_a_time_double_the_pause() -> None:
    pace, at, pauses = refused_at(0.0), 0.0, list[float]()
    for _ in range(12):
        pauses.append(pace.wait_s(at))
        at = next(sending(pace, at))
        pace.refused(at, sent=at, retry_after_s=None)
    assert pauses[:4] == pytest.approx([0.25, 0.5, 1.0, 2.0])
    assert max(pauses) == pytest.approx(30)


def test_a_rate_that_nobody_used_says_nothing() -> None:
    """5/s were asked for while the rate grew to thousands: after the next refusal it is not thousands."""
    pace = refused_at(10.0)
    for n in range(8 * 5):
        pace.wait_s(10.25 + n / 5)
        pace.send(10.25 + n / 5)
    assert pace.refused(18.3, sent=18.05, retry_after_s=1.0)
    # What was sent in the last one to two seconds, without the one refused: 4 to 5 a second.
    assert len(sent_until(pace, 18.3, 21.3)) <= 2 * 5


def test_whoever_is_refused_for_long_is_not_slow_for_long() -> None:
    pace, at = refused_at(0.0, retry_after_s=1.0), 0.0
    for _ in range(60):
        at = next(sending(pace, at))
        pace.refused(at, sent=at, retry_after_s=1.0)
    # A pause of 1 s, one request a second on a ramp of 1 s, 2 s of approach, then doubling: 1 + 2 + 4 + 8 in 4 s.
    assert len(sent_until(pace, at, at + 8)) >= 12


def test_it_is_known_since_when_nothing_is_answered() -> None:
    pace = refused_at(10.0)
    pace.refused(20.0, sent=19.0, retry_after_s=None)
    assert pace.refused_since == 10
    pace.passed()
    assert pace.refused_since is None
    pace.refused(30.0, sent=29.0, retry_after_s=None)
    assert pace.refused_since == 30
    pace.refused(10_000.0, sent=9_999.0, retry_after_s=None)  # nobody asked for hours, so nobody was refused
    assert pace.refused_since == 10_000


# Against servers, with retries and places.


def calls(server: Answering, *, places: int = 256) -> Careful:
    return Careful(Retrying(Limited(server, concurrency=places), max_retries=0))


def check(server: Answering, count: int, *, fastest: float, slower: float, requests: float, places: int = 256) -> None:
    """All were answered, within `slower` times the fastest and with so many requests for each."""
    took = run(ask_all(calls(server, places=places), count, workers=places))
    assert len(server.answered) == count
    assert took <= slower * fastest
    assert len(server.sent) <= requests * count


@pytest.mark.parametrize("told", [float, math.ceil, untold])
@pytest.mark.parametrize("way_s", [0.002, 0.1])
def test_a_storm(told, way_s) -> None:
    """200 at once and 200/s after that, 256 askers, 1,500 requests: 6.5 s at best."""
    server = Answering(bucket(lambda _: 200.0, told=told), way_s=way_s)
    check(server, 1500, fastest=6.5, slower=1.35 if told is math.ceil else 1.15, requests=1.2)


@pytest.mark.parametrize("told", [float, math.ceil, untold])
@pytest.mark.parametrize("seconds", [1, 2])
def test_a_window_that_refuses_until_it_ends(seconds: int, told) -> None:
    """60 in a window. A pause of whole seconds wastes what the next window would have let through, hence the 1.4."""
    check(Answering(window(60, seconds, told=told)), 1200, fastest=20.0 * seconds, slower=1.4, requests=1.1, places=64)


def test_a_window_of_a_minute() -> None:
    """600 a minute: 3,000 are there at the begin of the fifth minute, at best."""
    check(Answering(window(600, 60)), 3000, fastest=240.0, slower=1.1, requests=1.1, places=64)


def test_slow_answers() -> None:
    """10/s and 5 s an answer: 50 in flight are needed, and refusals come long before answers do. 99 s + 5 s at best."""
    check(Answering(bucket(lambda _: 10.0), takes_s=5.0), 1000, fastest=104.0, slower=1.2, requests=1.3, places=128)


def test_a_server_that_refuses_now_and_then() -> None:
    """One in fifty, whatever the rate: it is still asked as fast as 64 places allow, which is 64 each 0.02 s."""
    server = Answering()
    server.refuses = lambda _: 0.1 if len(server.sent) % 50 == 0 else None
    check(server, 6400, fastest=2.0, slower=2.5, requests=1.03, places=64)


def test_a_limit_of_calls_in_flight() -> None:
    """10 at once and 1 s an answer: 10/s at best."""
    server = Answering(takes_s=1.0)
    server.refuses = lambda _: 0.0 if len(server.sent) - len(server.answered) - len(server.refused) > 10 else None
    check(server, 600, fastest=60.0, slower=1.7, requests=1.3, places=64)


@pytest.mark.parametrize(("told", "seconds"), [(float, 6), (untold, 6), (math.ceil, 12)])
def test_a_limit_that_is_lifted(told, seconds: int) -> None:
    """50/s for ten seconds, then none. Eight times faster after 2 s of approach and 3 s to double thrice; with a
    Retry-After of a second the approach takes 8 s."""
    server = Answering(bucket(lambda at: 50.0 if at < 10 else 1e6, told=told))
    run(ask_all(calls(server, places=64), 8000, workers=64))
    per_second = Counter(int(at) for at in server.answered)
    assert per_second[8] < 100
    assert min(second for second, answered in per_second.items() if answered >= 400) <= 10 + seconds
    assert len(server.sent) <= 1.05 * 8000


def test_a_limit_that_is_lowered() -> None:
    """500/s for five seconds, then 50/s: 3,000 by then, and 500 more in 10 s."""
    server = Answering(bucket(lambda at: 500.0 if at < 5 else 50.0))
    check(server, 3500, fastest=15.0, slower=1.4, requests=1.15, places=64)
    late = [at for at in server.refused if at > 8]
    assert len(late) <= 0.1 * 50 * (max(server.answered) - 8)


@pytest.mark.parametrize("wait_s", [0.0, 1.0, 20.0])
def test_nine_minutes_of_nothing_but_refusals(wait_s: float) -> None:
    """Nobody fails, few ask, and all is well soon after."""
    through = bucket(lambda _: 200.0)
    server = Answering(lambda at: wait_s if at < 540 else through(at))
    took = run(ask_all(calls(server), 1500))
    assert len(server.answered) == 1500
    assert len([at for at in server.refused if at < 540]) <= 540 / max(1, wait_s)
    assert took <= 540 + 30 + 15 + 6.5  # the longest pause, the search for the rate, and the storm's own time


@pytest.mark.parametrize("wait_s", [0.0, 1.0, 45.0])
def test_ten_minutes_of_nothing_but_refusals_end_the_run(wait_s: float) -> None:
    server = Answering(lambda at: None if at < 5 else wait_s)

    async def main() -> None:
        with pytest.raises(
            FatalError, match=r"the server has refused every request for 600 s\. The last one: busy"
        ) as told:
            await ask_all(calls(server, places=16), 100_000, workers=16)
        assert told.value.code == "rate_limit"

    run(main())
    assert 600 <= server.refused[-1] - server.refused[0] <= 720


def test_refusals_among_answers_may_go_on_for_ever() -> None:
    server = Answering(bucket(lambda _: 1.0))
    took = run(ask_all(calls(server, places=8), 800, workers=8))
    assert took > 700
    assert server.refused[0] < 20
    assert server.refused[-1] > 620


def test_a_server_that_never_refuses_is_never_waited_for() -> None:
    server = Answering()
    took = run(ask_all(calls(server, places=64), 6400, workers=64))
    # 64 at a time and 0.02 s each, half more at most; the first one alone.
    assert took <= (6400 / 64 + 1) * 0.03
