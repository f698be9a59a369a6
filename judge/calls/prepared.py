"""No call before its backend is ready, and no start that nobody needs."""

from __future__ import annotations

import asyncio
from typing import Protocol

from judge.backend import Backend, Reply
from judge.errors import FatalError
from judge.prompt import Request

__all__ = ["Prepared", "Startable"]


class Startable(Protocol):
    """A backend that takes long to start, such as an engine that loads a model."""

    async def ready(self) -> None:
        """Start if need be, and wait for it.

        Raises:
            FatalError: It cannot be started.
        """
        ...


class Prepared:
    """Waits for a start outside every deadline; replies that are stored are served without one.

    Args:
        backend: What is called, with its deadline and limits.
        inner: What has to be ready for it.
        stop: When set, a start is waited for no longer.
    """

    def __init__(self, backend: Backend, inner: Startable, *, stop: asyncio.Event | None = None) -> None:
        self._backend = backend
        self._inner = inner
        self._stop = stop or asyncio.Event()
        self._ready = False

    async def complete(self, request: Request) -> Reply:
        if not self._ready:
            await self._wait()
        return await self._backend.complete(request)

    async def _wait(self) -> None:
        starting, stopping = asyncio.ensure_future(self._inner.ready()), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                raise FatalError("the run is being stopped.", code="stopped")
            starting.result()
            self._ready = True
        finally:
            starting.cancel()
            stopping.cancel()
