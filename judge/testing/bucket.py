"""A token bucket on a monotonic clock: the rate limit of a provider."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Lets `rate` requests a second pass, and as many at once after a quiet second.

    Args:
        clock: Seconds; a test may pass its own.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: float | None = None
        self._filled_at = clock()

    def wait_s(self, rate: float) -> float:
        """Take a token and return 0, or leave all and return the seconds until the next one."""
        now, most = self._clock(), max(1.0, rate)
        # The bucket starts full, and the rate may change between two calls.
        had = most if self._tokens is None else self._tokens
        self._tokens = min(most, had + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return 0.0
