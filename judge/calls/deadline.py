"""A wall-clock limit around every attempt."""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from judge.backend import Backend, Reply
from judge.errors import TransientError
from judge.prompt import Request

__all__ = ["Deadline"]


class Deadline:
    """Ends an attempt at its deadline, whatever the server is doing.

    A client's own read timeout starts anew with every byte: a server that drips one byte every half second is never
    timed out by it.

    Args:
        backend: What is limited.
        timeout_s: Seconds that one attempt may take.
    """

    def __init__(self, backend: Backend, *, timeout_s: float) -> None:
        self._backend = backend
        self._timeout_s = timeout_s

    async def complete(self, request: Request) -> Reply:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._backend.complete(request)
        except TimeoutError as exc:
            message = f"no reply within {self._timeout_s:g} s (--timeout)."
            raise TransientError(message, code="timeout") from exc
        return replace(reply, latency_s=time.monotonic() - started)
