"""Bytes -> requests: a head that is too long or too slow ends its connection, and so do connections beyond a number.

uvicorn bounds neither of them with httptools, its fast parser: 300 sockets that send a letter a second would stay.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from judge.serve.refusal import error_body

__all__ = ["HEAD_S", "MOST_HEAD_BYTES", "BoundedProtocol"]

HEAD_S: Final = 10.0
"""Seconds from the first byte of a request, or from a new connection, to the end of its head."""
MOST_HEAD_BYTES: Final = 32 * 1024
_OVERHEAD: Final = 4  # of a header's line: a colon, a space, the end of the line


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        most: Connections at a time; what comes then is told to come back.
    """

    def __init__(self, *args: Any, most: int, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._most = most
        self._clock: TimerHandle | None = None
        self._in_head = False
        self._came = 0
        self._read = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self._most:
            told = error_body(
                "too_many_connections", f"There are {self._most:,} connections.", "Keep them and use them."
            )
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, told, "retry-after: 1\r\n")
            return
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:
            self._came += len(data)
            if self._too_long:
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._came, self._read = True, 0, 0
        if self._clock is None:
            self._start_clock()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + _OVERHEAD)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_clock()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are of nobody's use
        """Answer what cannot be read as HTTP."""
        if self._too_long:
            told = error_body("head_too_large", f"The head is longer than {MOST_HEAD_BYTES:,} bytes.")
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, told)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, error_body("not_http", "This cannot be read as HTTP/1.1."))

    @property
    def _too_long(self) -> bool:
        """By what came of it, where it is one endless header, or by what was read, where its end came along."""
        return max(self._came, self._read) > MOST_HEAD_BYTES

    def _count(self, length: int) -> None:
        self._read += length
        if self._too_long:
            raise ValueError("the head is too long")  # the parser hands it to `data_received`, and that to the above

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_slow(self) -> None:
        told = error_body("head_too_slow", f"The head did not come within {HEAD_S:g} s.")
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, told)

    def _refuse(self, status: HTTPStatus, body: bytes, more: str = "") -> None:
        self._stop_clock()
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:  # else it stands within an answer
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n{more}"
            head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()
