"""A request -> the same, once it may come in; and one answer to each, whatever happens behind.

A request gets an id, needs a `Host` of ours (else a foreign name may be made to point here), and, where there is a
token, the token:

    Authorization: Bearer TOKEN
    http://judge:TOKEN@127.0.0.1:8080/…       for trainers that can be given an address and nothing else
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import re
import secrets
import time
import traceback
from collections.abc import Collection
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from judge.serve.door import Door
from judge.serve.metrics import Metrics
from judge.serve.refusal import Refusal, as_refusal

__all__ = ["OPEN", "Front"]

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""What needs no token, as those who ask whether a service is alive have none; it tells nothing else."""
_LOG: Final = logging.getLogger("judge.serve")
_ID: Final = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_LINGER_S: Final = 2.0
_PORT: Final = re.compile(rb":\d{1,5}\Z")


class Front:
    """The application behind it sees only requests that may come in.

    Args:
        app: Answers.
        door: Lets requests in, but for those about the service's state.
        hosts: Names that it goes by, without a port; `*` for any.
        token: What clients have to know; None for nothing.
        metrics: Told of each answer.
    """

    def __init__(
        self, app: ASGIApp, *, door: Door, hosts: Collection[str], token: bytes | None, metrics: Metrics
    ) -> None:
        self._app = app
        self._door = door
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._token = token
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"  # the server is told to speak nothing else
        talk = _Talk(scope, receive, send)
        begun = time.monotonic()
        try:
            await self._answer(scope, talk)
        except ClientDisconnect:
            pass  # nobody waits for an answer
        except Exception as exc:  # noqa: BLE001 - a bug of ours is one answer without details, and a line in the log
            await self._excuse(exc, scope, talk)
        self._metrics.answered(_route(scope), talk.status, time.monotonic() - begun)
        _LOG.info("%s %s %s %s", talk.id, scope["method"], _written(scope), talk.status)

    async def _answer(self, scope: Scope, talk: _Talk) -> None:
        try:
            self._check_host(scope)
            if scope["path"] in OPEN:
                await self._app(scope, talk.receive, talk.send)
                return
            self._check_token(scope)
            with self._door.entered():
                await self._app(scope, talk.receive, talk.send)
        except Refusal as refusal:
            await refusal.response()(scope, talk.receive, talk.send)

    async def _excuse(self, error: Exception, scope: Scope, talk: _Talk) -> None:
        _LOG.error("%s %s\n%s", talk.id, _written(scope), "".join(traceback.format_exception(error)))
        if not talk.status:
            await as_refusal(error).response()(scope, talk.receive, talk.send)

    def _check_host(self, scope: Scope) -> None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if b"*" in self._hosts and len(hosts) == 1:
            return
        if len(hosts) != 1 or _PORT.sub(b"", hosts[0]).lower() not in self._hosts:
            message = "Host is not a name of this service."
            hint = "Use the address that judge serve printed, or start it with --allow-host NAME."
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "unknown_host", message, hint=hint)

    def _check_token(self, scope: Scope) -> None:
        if self._token is None:
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or not hmac.compare_digest(_token_in(given[0]), self._token):
            hint = "Send the header Authorization: Bearer TOKEN."
            challenge = {"WWW-Authenticate": "Bearer"}
            raise Refusal(
                HTTPStatus.UNAUTHORIZED, "unauthorized", "The token is missing or wrong.", hint=hint, headers=challenge
            )


class _Talk:
    """One request and its answer.

    An answer that comes before the whole body is the last on its connection. What is still coming is thrown away for a
    moment: a connection that is closed at once takes the answer away from a client that is still sending.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        self.status = 0
        self._unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body"):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.id
            headers["X-Content-Type-Options"] = "nosniff"
            if self._unread:
                headers["Connection"] = "close"
        elif self._unread and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _linger(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while self._unread:
                    await self.receive()


def _token_in(header: bytes) -> bytes:
    """Of `Bearer TOKEN`, or of `Basic …` with the token as its password."""
    scheme, _, rest = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _written(scope: Scope) -> str:
    """The path as it came, in which no line ends."""
    return str(scope["raw_path"].decode("ascii", "backslashreplace"))


def _route(scope: Scope) -> str:
    """The route's own path, or nothing: what a client makes up is no label of a metric."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) if route is not None else ""
