"""Who may talk to the page: only who knows its address, and only from the page itself.

A server on loopback is open to every program of this machine and, through a browser, to every site that is visited.
So each request needs the random word of the address, a `Host` that is ours (a foreign name may be made to point here),
and, where a browser tells it, an `Origin` that is ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guard"]

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer. No text of a record can run: scripts are our file only, and none may write HTML."""


class Guard:
    """An application behind `/TOKEN/`; every other request is answered 403.

    Args:
        app: Sees paths without the token.
        token: ASCII.
        port: That the server listens on.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the server is told to speak nothing else
            return
        given, _, rest = scope["path"].removeprefix("/").partition("/")
        app: ASGIApp = PlainTextResponse("Forbidden: use the address that judge label printed.\n", 403)
        if hmac.compare_digest(given.encode(), self._token) and self._is_ours(scope):
            app = self._app
            scope = {**scope, "path": f"/{rest}", "raw_path": None}
        await app(scope, receive, _hardened(send))

    def _is_ours(self, scope: Scope) -> bool:
        hosts, origins = list(_headers(scope, b"host")), list(_headers(scope, b"origin"))
        return len(hosts) == 1 and hosts[0] in self._hosts and self._origins.issuperset(origins)


def _headers(scope: Scope, name: bytes) -> Iterator[bytes]:
    return (value for key, value in scope["headers"] if key.lower() == name)


def _hardened(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending
