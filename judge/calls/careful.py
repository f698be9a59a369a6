"""A careful first call, and no call at all to a provider that is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from copy import copy

from judge.backend import Backend, Reply
from judge.errors import BackendError, FatalError, TransientError
from judge.prompt import Request

__all__ = ["Careful"]

_FAILED_AT_START = 3
_FAILED_IN_A_ROW = 20
_REFUSE_S = 5.0
"""Longer than any run takes to end; short enough for a service or a trainer whose provider comes back."""


class Careful:
    """Finds out with few calls what every call would find out.

    Until one call is answered they go out one by one: a wrong key, an unknown model or a server that is not there is
    met once and not as often as there are places. They need not wait for that where a server says of itself that it has
    the model for us: a first answer takes as long as any. When the provider is down (3 calls in a row failed at the
    start, 20 later, each after all its retries), calls that have not begun are refused; those under way go on. After
    five seconds it begins anew, carefully.

    Args:
        backend: What is called; its retries are one call.
        serves: Asks at no cost whether the model is there, and ours to use; never raises.
    """

    def __init__(self, backend: Backend, *, serves: Callable[[], Awaitable[bool]] | None = None) -> None:
        self._backend = backend
        self._serves = serves
        self._known = asyncio.Event()  # not while a call that others wait for is under way
        self._known.set()
        self._asked = self._open = self._answered = False
        self._failed_in_a_row = 0
        self._fatal: FatalError | None = None
        self._refused_until = 0.0

    def complete(self, request: Request) -> Coroutine[None, None, Reply]:
        self._forget()
        return self._call(request) if self._answered or self._open else self._wait_to_call(request)

    async def _wait_to_call(self, request: Request) -> Reply:
        while not self._known.is_set():  # all wake when one call has an end, and the first of them may be the next
            await self._known.wait()
        if self._answered or self._open or self._fatal is not None:
            return await self._call(request)
        self._known.clear()
        try:
            if self._serves is None or self._asked:
                return await self._call(request)
            calling = await self._begin(request, self._serves())
        finally:
            self._known.set()
        return await calling

    async def _begin(self, request: Request, serving: Awaitable[bool]) -> asyncio.Task[Reply]:
        """Send a call that others wait for, until it is answered or its server says that it is there."""
        self._asked = True
        calling, asking = asyncio.ensure_future(self._call(request)), asyncio.ensure_future(serving)
        try:
            await asyncio.wait((calling, asking), return_when=asyncio.FIRST_COMPLETED)
            self._open = asking.done() and asking.result()
            if not self._open:
                await asyncio.wait((calling,))
        except asyncio.CancelledError:
            calling.cancel()
            raise
        finally:
            asking.cancel()
        return calling

    async def _call(self, request: Request) -> Reply:
        if self._fatal is not None:
            raise copy(self._fatal)  # one object would gather the traceback of every refused call
        try:
            reply = await self._backend.complete(request)
        except FatalError as exc:
            self._refuse(exc)
            raise
        except TransientError as exc:
            self._count(exc)
            raise
        except BackendError:
            self._answered, self._failed_in_a_row = True, 0  # a refusal of this one request is an answer too
            raise
        self._answered, self._failed_in_a_row = True, 0
        return reply

    def _count(self, error: TransientError) -> None:
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= (_FAILED_IN_A_ROW if self._answered else _FAILED_AT_START):
            message = f"the provider is down: {self._failed_in_a_row} calls in a row failed. The last one: {error}"
            self._refuse(FatalError(message, code="provider_down"))

    def _refuse(self, error: FatalError) -> None:
        self._fatal, self._refused_until = error, time.monotonic() + _REFUSE_S

    def _forget(self) -> None:
        if self._fatal is not None and time.monotonic() > self._refused_until:
            self._fatal, self._failed_in_a_row = None, 0
            self._asked = self._open = self._answered = False
