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
_MOST = 64


class Grouped(Generic[T]):
    """One thread that writes, in order, all that came in while it wrote what came before.

    Nobody is kept waiting for others: a write begins as soon as the one before has ended. So a lone call takes no
    longer than it must, and groups grow by themselves when calls come faster than the disk takes them.

    Args:
        write: Given 1 to 64 items in the order they came; all or none are written. Called in the thread.
        linger_s: How long a first item is kept back for others, where nobody waits for it; in seconds.
    """

    def __init__(self, write: Callable[[Sequence[T]], None], *, linger_s: float = 0.0) -> None:
        self._write = write
        self._linger_s = linger_s
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge-writes")

    def put(self, item: T) -> asyncio.Future[None]:
        """Hand over an item; what comes back is done when it is written, and has the error when it could not be."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, written))
        if self._idle.is_set():
            self._idle.clear()
            # Without lingering, the other replies of this turn of the loop go with it.
            loop.call_later(self._linger_s, self._begin)
        return written

    async def aclose(self) -> None:
        """Wait until everything is written, and end the thread."""
        await self._idle.wait()
        self._thread.shutdown()

    def _begin(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
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
        if self._waiting:
            self._begin()
        else:
            self._idle.set()
