"""Places for calls in flight: a fifth less after "too many requests" (429), one more with every success."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

__all__ = ["Places"]

_KEPT = 0.8


class Places:
    """A semaphore whose size moves between 1 and the stated number.

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
        self._there = stated
        self._free = asyncio.Semaphore(stated)
        self._shrunk_at = float("-inf")
        self._tried = True

    def take(self) -> Awaitable[object]:
        """Wait for a free place."""
        return self._free.acquire()

    def give_back(self) -> None:
        """Free a place that was taken."""
        if self._there > self.most:
            self._there -= 1
        else:
            self._free.release()

    def grow(self, *, sent: float) -> None:
        """One more, up to the stated number: a call that was sent then is answered."""
        self._tried = self._tried or sent >= self._shrunk_at
        if self.most < self._stated:
            self.most += 1
        if self._there < self.most:
            self._there += 1
            self._free.release()

    async def shrink(self, now: float, *, sent: float) -> None:
        """A fifth less, at least one: a call that was sent then was refused as one too many.

        Once until a call is answered that was sent since the last time. Refusals come at once and answers late: fewer
        calls in flight show only when calls end.
        """
        if not self._tried or sent < self._shrunk_at:
            return
        self._shrunk_at, self._tried = now, False
        self.most = max(1, int(self.most * _KEPT))
        while self._there > self.most and not self._free.locked():
            await self._free.acquire()  # does not wait, as one is free
            self._there -= 1
