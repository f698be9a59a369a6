"""Server -> a session: what carries requests to it, straight or through the proxy of the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from judge.backends.exchange import Response
from judge.backends.server import Server
from judge.backends.transport import proxy_for

__all__ = ["Session", "open_session"]


class Session(Protocol):
    """Carries requests to one server."""

    async def send(self, method: str, path: str, body: bytes = b"") -> Response:
        """Send one request and read the whole response; see `Straight.send`."""

    async def aclose(self) -> None:
        """Close every connection."""


@asynccontextmanager
async def open_session(server: Server) -> AsyncIterator[Session]:
    """A session with this server, of the loop that it is opened in."""
    session = _session(server)
    try:
        yield session
    finally:
        await session.aclose()


def _session(server: Server) -> Session:
    proxy = proxy_for(server.api_base)
    if proxy is None:
        from judge.backends.straight import Straight

        return Straight(server)
    from judge.backends.proxied import Proxied  # aiohttp takes 0.4 s to import

    return Proxied(server, proxy)
