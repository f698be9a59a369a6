"""How fast a server lets us ask, learnt from what it refuses. Arithmetic only: whoever asks brings the time.

Until a server says "too many requests" (429) to more than one in twenty, only those wait that it says it to. From then
on, for all calls together:

    pause      until the server's Retry-After is over; without one, 0.25 s, doubled with each refusal in a row
    ramp       from a tenth of the rate to all of it within the length of the pause, at most 1 s: what has waited does
               not come back at once
    approach   from 0.8 of what went through before to all of it. In 2 s, or in eight times the Retry-After: to find out
               whether more is let through by now costs a pause, and is tried the more seldom, the longer that is (2 s
               where nothing went through, so that nothing is known)
    search     twice as fast with every second, until the next refusal, or until there is nothing left to wait for

A limit is found within a few refusals, held at the price of a few more, and followed when it moves. Places alone (see
`places.py`) cannot do that: with calls of 5 ms, even one at a time is 200 a second.
"""

from __future__ import annotations

from math import inf

__all__ = ["Pace"]

_KEPT = 0.8
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 30.0
_LONGEST_RAMP_S = 1.0
_RAMP_BEGINS = 0.1
_SHORTEST_APPROACH_S = 2.0
_LONGEST_APPROACH_S = 120.0
_PAUSES_AN_APPROACH = 8
_DOUBLED_IN_S = 1.0
_AT_FIRST = 10.0
"""Requests a second, at least, after the first refusal: it may come before enough was sent to be measured."""
_SLOWEST = 1 / 60
_FASTEST = 10_000.0
"""Requests a second; nobody sends as many, so whoever may do so has nothing to wait for."""
_BURST_S = 0.1
"""A busy machine wakes up late; what is missed within this time is made up for."""
_TOLERATED = 0.05
"""Share of refusals: some servers refuse now and then whatever the rate, and slower calls would not help."""
_ONE_SILENCE_S = 600.0


class Pace:
    """One rate for all calls. Times are seconds of one monotonic clock, rates are requests a second.

    Attributes:
        refused_since: The first refusal since something was answered; None when nothing was refused since.
    """

    def __init__(self) -> None:
        self.refused_since: float | None = None
        self._meter = _Meter()
        self._peak: float | None = None
        self._measured = False
        self._told_s = _FIRST_PAUSE_S
        self._pause_s = 0.0
        self._refused_in_a_row = 0
        self._refused_at = self._cut_at = self._open_at = self._filled_at = -inf
        self._first_sent: float | None = None
        self._level = 0.0

    @property
    def active(self) -> bool:
        """Whether refusals hold us back."""
        return self._peak is not None

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may go out, as far as is known by now; 0 for at once."""
        if self._peak is None or now < self._open_at:
            return 0.0 if self._peak is None else self._open_at - now
        rate = self._rate(now, self._peak)
        if rate > _FASTEST:
            self._peak = None
            return 0.0
        self._level = min(max(1.0, rate * _BURST_S), self._level + rate * (now - self._filled_at))
        self._filled_at = now
        return max(0.0, 1 - self._level) / rate

    def send(self, now: float) -> None:
        """A request goes out."""
        self._meter.send(now)
        self._level -= 1
        if self._first_sent is None:
            self._first_sent = now

    def passed(self) -> None:
        """A request was answered."""
        self.refused_since = None

    def refused(self, now: float, *, sent: float, retry_after_s: float | None) -> bool:
        """A request that went out at `sent` was one too many.

        Returns:
            Whether that slows down all; a few among many do not.
        """
        self._meter.refuse()
        if self.refused_since is None or now - self._refused_at > _ONE_SILENCE_S:
            self.refused_since = now
        self._refused_at = now
        if sent < self._cut_at:  # it was under way when we slowed down; only the time that it names is new
            self._open_at = max(self._open_at, now + (retry_after_s or 0.0))
        elif self._meter.refused_share > _TOLERATED:
            self._told_s = retry_after_s or _FIRST_PAUSE_S
            self._cut(now, sent)
            self._pause(now, retry_after_s)
            return True
        return False

    def _cut(self, now: float, sent: float) -> None:
        # The very first after a pause says that the pause was too short, and little of the rate.
        self._measured = sent != self._first_sent
        if self._peak is None:
            self._peak = max(_AT_FIRST, self._meter.rate(now))
        else:
            let_through = self._meter.rate(now) if self._measured and now - self._cut_at >= 1 else inf
            self._peak = max(_SLOWEST, min(self._peak * self._growth(now), let_through))
        self._refused_in_a_row = 0 if self._measured else self._refused_in_a_row
        self._cut_at, self._first_sent = now, None

    def _pause(self, now: float, retry_after_s: float | None) -> None:
        doubled_s = _FIRST_PAUSE_S * 2 ** min(self._refused_in_a_row, 16)
        self._pause_s = retry_after_s or min(_LONGEST_PAUSE_S, doubled_s)
        self._refused_in_a_row += 1
        self._open_at = self._filled_at = now + self._pause_s
        self._level = 0.0

    def _rate(self, now: float, peak: float) -> float:
        ramp_s = min(self._pause_s, _LONGEST_RAMP_S)
        return peak * self._growth(now) * min(1.0, _RAMP_BEGINS + (now - self._open_at) / ramp_s)

    def _growth(self, now: float) -> float:
        """What is allowed by now, as a multiple of the peak."""
        open_s = max(0.0, now - self._open_at)
        told_s = self._told_s if self._measured else 0.0
        approach_s = min(_LONGEST_APPROACH_S, max(_SHORTEST_APPROACH_S, _PAUSES_AN_APPROACH * told_s))
        if open_s < approach_s:
            return _KEPT + (1 - _KEPT) * open_s / approach_s
        return float(2 ** min(64.0, (open_s - approach_s) / _DOUBLED_IN_S))


class _Meter:
    """What was sent and refused in the last one to two seconds."""

    def __init__(self) -> None:
        self._begun = -inf
        self._sent = self._sent_before = 0
        self._refused = self._refused_before = 0

    def send(self, now: float) -> None:
        age_s = now - self._begun
        if age_s >= 1:
            self._sent_before, self._refused_before = (self._sent, self._refused) if age_s < 2 else (0, 0)
            self._sent = self._refused = 0
            self._begun = self._begun + 1 if age_s < 2 else now
        self._sent += 1

    def refuse(self) -> None:
        self._refused += 1

    @property
    def refused_share(self) -> float:
        """Of what was sent; refusals of what was sent before that may make it more than 1."""
        return (self._refused + self._refused_before) / max(1, self._sent + self._sent_before)

    def rate(self, now: float) -> float:
        """Requests a second that were not refused."""
        let_through = self._sent + self._sent_before - self._refused - self._refused_before
        seconds = now - self._begun + (1 if self._sent_before else 0)
        return max(0, let_through) / max(1.0, seconds)
