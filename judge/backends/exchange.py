"""One connection to a server: a request goes out, its response comes back, and then the next.

POST /v1/chat/completions HTTP/1.1 … -> Response(status=200, headers={"content-type": …}, body=b"{…}")
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Final, cast

import httptools
import msgspec

from judge.errors import BackendError, TransientError

__all__ = ["MOST_BYTES", "Exchange", "Response", "too_large"]

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a response; what is longer is no reply to a request of ours."""
_MOST_HEAD: Final = 64 * 1024


class Response(msgspec.Struct, frozen=True, gc=False):
    """What a server answered; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outbox:
    """What is sent within one turn of the loop goes out together, in the next.

    A server on the same machine is woken by the first request, and finds the others. It would be done with each of them
    before we have the next one ready, and to wake it takes time: together they make 3 % more calls a second.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, transport: asyncio.Transport, request: bytes) -> None:
        """Send a whole request over a connection, unless that is closed first."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append((transport, request))

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport, request in waiting:
            if not transport.is_closing():
                transport.write(request)


class Exchange(asyncio.Protocol):
    """One connection, and at most one request on it at a time.

    Args:
        address: Of the server, for errors.
        kept: Told when the connection may carry another request.
        gone: Told when it cannot any more.
    """

    def __init__(
        self, address: str, outbox: Outbox, kept: Callable[[Exchange], None], gone: Callable[[Exchange], None]
    ) -> None:
        self._address = address
        self._outbox = outbox
        self._kept = kept
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None
        self._idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def idle_s(self) -> float:
        """Seconds since the last response was whole."""
        return self._loop.time() - self._idle_since

    async def send(self, request: bytes) -> Response:
        """Send a whole request and wait for the whole response.

        Raises:
            TransientError: None came, or none that can be read: `connection`, `bad_response`.
        """
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._received = 0
        self._headed = self._endless = False
        self._waiting = waiting = self._loop.create_future()
        if self._transport is not None and self.usable:
            self._outbox.put(self._transport, request)
        else:
            self.close(self._broken("closed by the server"))
        try:
            response: Response = await waiting
        except asyncio.CancelledError:  # what would still come is no answer to the next request
            self.close()
            raise
        return response

    def close(self, error: TransientError | None = None) -> None:
        """End the connection; whoever waits for a response gets the error."""
        waiting, self._waiting = self._waiting, None
        if self._transport is not None:
            self._transport.abort()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error or self._broken("closed here"))

    # What the loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a response, or of what nobody has asked for."""
        if self._waiting is None:
            self.close()
            return
        self._received += len(data)
        if self._received > (MOST_BYTES + _MOST_HEAD if self._headed else _MOST_HEAD + len(data)):
            self.close(too_large())
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            why = str(exc) if isinstance(exc, httptools.HttpParserError) else "it changes the protocol"
            self.close(TransientError(f"the server's answer is not HTTP ({why}).", code="bad_response"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more; for a response without a length, this is its end."""
        self._transport = None
        self._gone(self)
        if self._waiting is None:
            return
        if exc is None and self._headed and self._endless:
            self._finish()
        else:
            self.close(self._broken("reset by the server" if exc else "closed by the server"))

    # What the parser says.

    def on_message_begin(self) -> None:
        """A response begins; a second one was not asked for."""
        if self._waiting is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """All headers are known."""
        self._headed = self._parser.get_status_code() >= 200
        self._endless = not self._headers.keys() & {"content-length", "transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """The response is whole; of a 1xx, the real one follows."""
        if self._headed and self._waiting is not None:
            self._finish()
        self._headers = {}

    def _finish(self) -> None:
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        if waiting.done():  # cancelled; it closes the connection itself
            return
        try:
            body = _inflated(bytes(self._body), self._headers.get("content-encoding", "identity").lower())
        except BackendError as exc:
            waiting.set_exception(exc)
        else:
            waiting.set_result(Response(self._parser.get_status_code(), self._headers, body))
        if self._parser.should_keep_alive() and not self._endless:
            self._idle_since = self._loop.time()
            self._kept(self)
        else:
            self.close()

    def _broken(self, how: str) -> TransientError:
        return TransientError(f"{self._address}: the connection broke ({how}).", code="connection")


def too_large() -> TransientError:
    """The error of a response that has no end in sight."""
    return TransientError(f"the server sent more than {MOST_BYTES >> 20} MiB.", code="bad_response")


def _inflated(body: bytes, encoding: str) -> bytes:
    """A body that was sent compressed although nobody had asked for that; gateways do."""
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise TransientError(f"the server's reply is compressed as {encoding[:20]!r}.", code="bad_response")
    inflating = zlib.decompressobj(wbits=47)  # zlib or gzip, as the bytes say
    try:
        inflated = inflating.decompress(body, MOST_BYTES)
    except zlib.error as exc:
        raise TransientError(f"the server's reply is not {encoding}: {exc}.", code="bad_response") from exc
    if inflating.unconsumed_tail:
        raise too_large()
    if not inflating.eof:
        raise TransientError("the server's compressed reply is cut.", code="bad_response")
    return inflated
