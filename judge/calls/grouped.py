"""Writes to disk in groups, beside the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Grouped"]

T = TypeVar("T")


class Grouped(Generic[T]):
    """One thread that writes, in order, all that came in while it wrote what came before.

    Without lingering, nobody is kept waiting for others: a write begins as soon as the one before has ended. So a lone
    call takes no longer than it must, and groups grow by themselves when calls come faster than the disk takes them.

    Args:
        write: Given 1 to `most` items in the order they came; all or none are written. Called in the thread.
        failed: Told in the loop of items that are not written, and of the error.
        written: Told in the loop of those that are.
        linger_s: How long a first item is kept back for others, where nobody waits for it; in seconds.
        most: Items of one write, at least 1.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        *,
        failed: Callable[[Sequence[T], Exception], None],
        written: Callable[[Sequence[T]], None] | None = None,
        linger_s: float = 0.0,
        most: int = 64,
    ) -> None:
        self._write = write
        self._written = written
        self._failed = failed
        self._linger_s = linger_s
        self._most = most
        self._waiting: deque[T] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.Handle | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge-writes")

    def add(self, item: T) -> None:
        """Hand over an item."""
        self._waiting.append(item)
        if self._idle.is_set():
            self._idle.clear()
            self._wait_for_others()

    async def aclose(self) -> None:
        """Wait until everything is written, and end the thread."""
        self._linger_s = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._begin()
        await self._idle.wait()
        self._thread.shutdown()

    def _wait_for_others(self) -> None:
        loop = asyncio.get_running_loop()
        if self._linger_s:
            self._timer = loop.call_later(self._linger_s, self._begin)
        else:  # the other replies of this turn of the loop go with the first
            self._timer = loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._timer = None
        group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        self._thread.submit(self._work, group, asyncio.get_running_loop())

    def _work(self, group: Sequence[T], loop: asyncio.AbstractEventLoop) -> None:
        """In the thread."""
        error = None
        try:
            self._write(group)
        except Exception as exc:  # noqa: BLE001 - told in the loop
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._end, group, error)

    def _end(self, group: Sequence[T], error: Exception | None) -> None:
        if not self._waiting:
            self._idle.set()
        elif self._linger_s and len(self._waiting) < self._most:
            self._wait_for_others()
        else:
            self._begin()
        if error is not None:  # last, as who is told may raise
            self._failed(group, error)
        elif self._written is not None:
            self._written(group)
