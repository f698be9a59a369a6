"""HTTP/1.1 to one server, over connections that are kept for the next request.

A request takes 20 µs here and 80 through aiohttp (`benchmarks/clients.py`: `bare`), which was a third of a call. What
we need of a client is little: no redirects, no cookies, one answer that is read whole.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Final

from yarl import URL

from judge.backends.exchange import Exchange, Outbox, Response
from judge.backends.server import Server
from judge.backends.transport import no_tls, unreachable

__all__ = ["Straight"]

_KEPT_S: Final = 30.0
"""How long an idle connection is trusted; servers close theirs sooner or later, without a word to a caller."""


class Straight:
    """Sends requests to one server, each over a connection that is idle, or else over a new one.

    Args:
        server: Where; its key and headers go with every request.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._url = URL(server.api_base)
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._idle: list[Exchange] = []
        self._open: set[Exchange] = set()
        told = {"Host": _host(self._url), "Content-Type": "application/json", "Accept-Encoding": "identity"}
        self._headers = _lines({**told, "Accept": "application/json", **server.sent_headers})
        self._heads: dict[tuple[str, str], bytes] = {}
        self._outbox = Outbox()

    async def send(self, method: str, path: str, body: bytes = b"") -> Response:
        """Send one request and read the whole response.

        Args:
            method: Such as `POST`.
            path: What follows the server's address, such as `/chat/completions`.
            body: JSON.

        Raises:
            TransientError: No server is there, or no response came that can be read.
            FatalError: TLS cannot be trusted.
        """
        exchange = self._kept() or await self._connect()
        head = self._heads.get((method, path)) or self._head(method, path)
        return await exchange.send(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    def _head(self, method: str, path: str) -> bytes:
        """All but the length; there are two: of completions, and of models."""
        head = f"{method} {self._url.raw_path.rstrip('/')}{path} HTTP/1.1\r\n{self._headers}".encode()
        self._heads[method, path] = head
        return head

    async def aclose(self) -> None:
        """Close every connection."""
        for exchange in list(self._open):
            exchange.close()
        await asyncio.sleep(0)  # the loop closes what was aborted in its next turn

    def _kept(self) -> Exchange | None:
        """The connection that was used last: the others may become too old."""
        while self._idle:
            exchange = self._idle.pop()
            if exchange.usable and exchange.idle_s < _KEPT_S:
                return exchange
            exchange.close()
        return None

    async def _connect(self) -> Exchange:
        loop = asyncio.get_running_loop()
        host, port = self._url.raw_host or "", self._url.port or 0
        try:
            _, exchange = await loop.create_connection(self._exchange, host, port, ssl=self._tls)
        except ssl.SSLError as exc:
            raise no_tls(exc, self._server.api_base) from exc
        except OSError as exc:
            raise unreachable(exc, self._server.api_base) from exc
        self._open.add(exchange)
        return exchange

    def _exchange(self) -> Exchange:
        return Exchange(self._server.api_base, self._outbox, self._idle.append, self._forget)

    def _forget(self, exchange: Exchange) -> None:
        self._open.discard(exchange)
        with suppress(ValueError):
            self._idle.remove(exchange)


def _host(url: URL) -> str:
    """Of the `Host` header; the port only where it is not the scheme's own."""
    host = f"[{url.raw_host}]" if ":" in (url.raw_host or "") else url.raw_host
    return f"{host}" if url.is_default_port() else f"{host}:{url.port}"


def _lines(headers: dict[str, str]) -> str:
    """Headers as they are sent; of two with one name in different letters the later one, which is the user's."""
    last = {name.lower(): (name, value) for name, value in headers.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in last.values())
