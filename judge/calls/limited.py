"""At most so many calls at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from judge.backend import Backend, Reply
from judge.prompt import Request

__all__ = ["Limited"]


class Limited:
    """Bounds the attempts in flight; one that waits for its next try holds no place.

    Args:
        backend: What is limited.
        concurrency: Places, at least 1.
    """

    def __init__(self, backend: Backend, *, concurrency: int) -> None:
        self._backend = backend
        self._places = asyncio.Semaphore(concurrency)

    async def complete(self, request: Request) -> Reply:
        queued = time.monotonic()
        async with self._places:
            waited_s = time.monotonic() - queued
            reply = await self._backend.complete(request)
        return replace(reply, queued_s=waited_s)
