"""Places for calls in flight: a fifth less after "too many requests" (429), one more with every success."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Places"]

_KEPT = 0.8


class Places:
    """As many calls at a time as there are places: between 1 and the stated number. First come, first served.

    Only a 429 takes places away: a timeout or a 5xx says nothing of how much a server lets through. Times are seconds
    of one monotonic clock.

    Args:
        stated: Places at the start, and at most.

    Attributes:
        most: Places there are now; calls that were begun before it shrank may still be more.
    """

    def __init__(self, stated: int) -> None:
        self.most = stated
        self._stated = stated
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()  # empty while a place is free
        self._shrunk_at = float("-inf")
        self._tried = True

    async def take(self) -> None:
        """Wait for a free place."""
        if self._taken < self.most:
            self._taken += 1
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        try:
            await given
        except asyncio.CancelledError:
            if not given.cancelled():  # it was given one meanwhile
                self.give_back()
            raise

    def give_back(self) -> None:
        """Free a place that was taken."""
        self._taken -= 1
        self._give()

    def grow(self, *, sent: float) -> None:
        """One more, up to the stated number: a call that was sent then is answered."""
        self._tried = self._tried or sent >= self._shrunk_at
        if self.most < self._stated:
            self.most += 1
            self._give()

    def shrink(self, now: float, *, sent: float) -> None:
        """A fifth less, at least one: a call that was sent then was refused as one too many.

        Once until a call is answered that was sent since the last time. Refusals come at once and answers late: fewer
        calls in flight show only when calls end.
        """
        if self._tried and sent >= self._shrunk_at:
            self._shrunk_at, self._tried = now, False
            self.most = max(1, int(self.most * _KEPT))

    def _give(self) -> None:
        """Free places to those who wait; who went away meanwhile gets none."""
        while self._waiting and self._taken < self.most:
            given = self._waiting.popleft()
            if not given.done():
                self._taken += 1
                given.set_result(None)
