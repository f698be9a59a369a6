"""A wall-clock limit around every attempt."""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from judge.backend import Backend, Reply
from judge.errors import TransientError
from judge.prompt import Request

__all__ = ["Deadline"]

_SHORTEST_S = 0.001
"""What the loop's clock can tell; a shorter wait would be none."""


class Deadline:
    """Ends an attempt at its deadline, whatever the server is doing.

    A client's own read timeout starts anew with every byte: a server that drips one byte every half second is never
    timed out by it. All attempts have as long, so they end in the order in which they began, and one alarm does for
    all: a timer an attempt, as `asyncio.timeout` has, takes as long as two of our wrappers.

    Args:
        backend: What is limited.
        timeout_s: Seconds that one attempt may take.
    """

    def __init__(self, backend: Backend, *, timeout_s: float) -> None:
        self._backend = backend
        self._timeout_s = timeout_s
        self._begun: dict[asyncio.Task[object], float] = {}  # the earliest first
        self._alarm: asyncio.TimerHandle | None = None

    async def complete(self, request: Request) -> Reply:
        task = asyncio.current_task()
        assert task is not None
        cancelled_before, begun = task.cancelling(), time.monotonic()
        self._begun[task] = begun
        if self._alarm is None:
            self._wait(self._timeout_s)
        try:
            reply = await self._backend.complete(request)
        except BaseException as exc:
            if self._ended(task, cancelled_before) and isinstance(exc, asyncio.CancelledError):
                message = f"no reply within {self._timeout_s:g} s (--timeout)."
                raise TransientError(message, code="timeout") from exc
            raise
        self._ended(task, cancelled_before)
        return replace(reply, latency_s=time.monotonic() - begun)

    def _wait(self, seconds: float) -> None:
        self._alarm = asyncio.get_running_loop().call_later(max(_SHORTEST_S, seconds), self._ring)

    def _ring(self) -> None:
        """End the attempts whose time is over, and wait for the end of the next."""
        self._alarm = None
        for task, begun in list(self._begun.items()):
            left_s = begun + self._timeout_s - time.monotonic()
            if left_s > 0:
                self._wait(left_s)
                return
            del self._begun[task]
            task.cancel()

    def _ended(self, task: asyncio.Task[object], cancelled_before: int) -> bool:
        """Forget an attempt; whether its deadline, and nobody else, has cancelled it."""
        if self._begun.pop(task, None) is not None:
            return False
        return task.uncancel() <= cancelled_before
