"""At most so many calls at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from judge.backend import Backend, Reply
from judge.errors import FatalError
from judge.prompt import Request

__all__ = ["Limited"]


class Limited:
    """Bounds the attempts in flight; one that waits for its next try holds no place.

    Args:
        backend: What is limited.
        concurrency: Places, at least 1.
        stop: When set, no attempt is begun any more: it would be paid for, and might be cut off before its reply.
    """

    def __init__(self, backend: Backend, *, concurrency: int, stop: asyncio.Event | None = None) -> None:
        self._backend = backend
        self._stop = stop or asyncio.Event()
        self._places = asyncio.Semaphore(concurrency)

    async def complete(self, request: Request) -> Reply:
        queued = time.monotonic()
        async with self._places:
            if self._stop.is_set():
                raise FatalError("the run is being stopped.", code="stopped")
            waited_s = time.monotonic() - queued
            reply = await self._backend.complete(request)
        return replace(reply, queued_s=waited_s)
