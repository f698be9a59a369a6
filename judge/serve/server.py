"""The application -> a server, until it is told to end and nobody waits any more.

Told to end, it lets nobody in any more and says so (`/readyz` and every new request get 503), answers those who are in,
and then goes away. Told once more, it goes at once.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp

from judge.serve.connection import BoundedProtocol
from judge.serve.door import Door
from judge.web.server import PlainServer

__all__ = ["Ending"]

_TOLD_S: Final = 1.0
"""Seconds that those who ask meanwhile are told so, before the address is gone."""
_CLOSING_S: Final = 2
_IDLE_S: Final = 75
"""Longer than clients keep a connection that they do not use: they would send into one that is being closed."""


class Ending(PlainServer):
    """The server of one service.

    Args:
        app: Of `build_app`.
        door: Of the service.
        patience_s: Seconds that requests under way may still take once it is told to end.
        connections: At a time.
    """

    def __init__(self, app: ASGIApp, *, door: Door, patience_s: float, connections: int) -> None:
        protocol: dict[str, Any] = {"http": partial(BoundedProtocol, most=connections), "timeout_keep_alive": _IDLE_S}
        super().__init__(app, **protocol, timeout_graceful_shutdown=_CLOSING_S, date_header=False)
        self._door = door
        self._patience_s = patience_s
        self._closing: asyncio.Task[None] | None = None

    @property
    def answered_all(self) -> bool:
        """Whether everybody who was let in has an answer."""
        return self._door.inside == 0

    def end(self) -> None:
        if self._closing is not None:
            self.should_exit = self.force_exit = True
            return
        self._door.close()
        self._closing = asyncio.ensure_future(self._empty())

    async def _empty(self) -> None:
        await asyncio.sleep(_TOLD_S)
        await asyncio.wait([asyncio.ensure_future(self._door.emptied())], timeout=self._patience_s)
        self.should_exit = True
