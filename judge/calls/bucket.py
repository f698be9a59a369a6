"""So many a minute, as a steady stream. Arithmetic only: whoever asks brings the time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Bucket", "Portion"]

_MINUTE_S = 60.0
_BURST_S = 1.0
_ROUNDING = 1e-9


@dataclass(slots=True, kw_only=True)
class Portion:
    """What one request took.

    Attributes:
        at: When it was sent.
        amount: What it took: an estimate, and what it really was once that is known.
        counted: Whether that was less than a minute ago.
    """

    at: float
    amount: float
    counted: bool = True


class Bucket:
    """Never more than `per_minute` in any 60 seconds, and no more at once than one second's share.

    Providers count by the minute, in windows that nobody tells us, so the bound holds for every window. Within it the
    stream is steady: a minute's share at once and then silence would meet the provider's shorter limits.

    An amount above the share of a second goes out when the bucket is full, and what follows waits for it. An amount
    above that of a minute goes out when nothing else did for a minute. Times are seconds of one monotonic clock.

    Args:
        per_minute: At least 1.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._rate = per_minute / _MINUTE_S
        self._most = max(1.0, self._rate * _BURST_S)
        self._level = self._most
        self._filled_at = float("-inf")
        self._sent: deque[Portion] = deque()
        self._total = 0.0

    def wait_s(self, now: float, amount: float) -> float:
        """Seconds until so much may go out, as far as is known by now; 0 for at once."""
        self._fill(now)
        missing = min(amount, self._most) - self._level
        wait_s = missing / self._rate if missing > _ROUNDING else 0.0
        if self._sent and self._total + amount > self._per_minute + _ROUNDING:
            wait_s = max(wait_s, self._sent[0].at + _MINUTE_S - now)
        return wait_s

    def take(self, now: float, amount: float) -> Portion:
        """So much goes out."""
        self._fill(now)
        portion = Portion(at=now, amount=amount)
        self._sent.append(portion)
        self._total += amount
        self._level -= amount
        return portion

    def settle(self, portion: Portion, amount: float) -> None:
        """What was taken is known to be so much."""
        more = amount - portion.amount
        portion.amount = amount
        self._level -= more
        if portion.counted:
            self._total += more

    def _fill(self, now: float) -> None:
        self._level = min(self._most, self._level + self._rate * (now - self._filled_at))
        self._filled_at = now
        while self._sent and self._sent[0].at + _MINUTE_S <= now:  # as in `wait_s`, to the last bit
            gone = self._sent.popleft()
            gone.counted = False
            self._total -= gone.amount
