"""Writes to disk in groups, beside the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Generic, TypeVar

__all__ = ["Grouped"]

T = TypeVar("T")


class Grouped(Generic[T]):
    """One thread that writes, in order, all that came in while it wrote what came before.

    Without lingering, nobody is kept waiting for others: a write begins as soon as the one before has ended. So a lone
    call takes no longer than it must, and groups grow by themselves when calls come faster than the disk takes them.

    Args:
        write: Given 1 to `most` items in the order they came; all or none are written. Called in the thread.
        linger_s: How long a first item is kept back for others, where nobody waits for it; in seconds.
        most: Items of one write, at least 1.
    """

    def __init__(self, write: Callable[[Sequence[T]], None], *, linger_s: float = 0.0, most: int = 64) -> None:
        self._write = write
        self._linger_s = linger_s
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge-writes")

    def put(self, item: T) -> asyncio.Future[None]:
        """Hand over an item; what comes back is done when it is written, and has the error when it could not be."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, written))
        if self._idle.is_set():
            self._idle.clear()
            self._wait_for_others()
        return written

    async def aclose(self) -> None:
        """Wait until everything is written, and end the thread."""
        self._linger_s = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._begin()
        await self._idle.wait()
        self._thread.shutdown()

    def _wait_for_others(self) -> None:
        # Without lingering, the other replies of this turn of the loop go with the first.
        self._timer = asyncio.get_running_loop().call_later(self._linger_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._thread, self._write, [item for item, _ in group])
        writing.add_done_callback(lambda done: self._end([written for _, written in group], done))

    def _end(self, group: Sequence[asyncio.Future[None]], writing: asyncio.Future[None]) -> None:
        error = writing.exception()
        for written in group:
            if written.done():  # nobody waits for it any more
                continue
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(copy(error))  # one object would gather the traceback of everybody
        if not self._waiting:
            self._idle.set()
        elif self._linger_s and len(self._waiting) < self._most:
            self._wait_for_others()
        else:
            self._begin()
