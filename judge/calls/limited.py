"""At most so many calls at once, and no faster than the server and the user let them go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from judge.backend import Backend, Reply
from judge.calls.pace import Pace
from judge.calls.places import Places
from judge.calls.quotas import Quotas, Taken
from judge.calls.waiting import LONGEST_WAIT_S, wait
from judge.errors import FatalError, TransientError
from judge.prompt import Request

__all__ = ["Limited"]

_NAP_S = 0.25
"""Waits end earlier than expected when a reply took fewer tokens than estimated: look again so often."""


class Limited:
    """Bounds the attempts in flight, and how fast they follow each other. Who waits for the next try holds no place.

    Three bounds: places (`places.py`), the pace that the server's refusals teach (`pace.py`), the user's own quotas
    (`quotas.py`). Waiting for them is `queued_s` of a reply, and no part of an attempt's deadline.

    Args:
        backend: What is limited.
        concurrency: Places at the start and at most, at least 1.
        rpm, tpm: Requests and tokens a minute, at least 1; None for no bound.
        stop: When set, no attempt is begun any more: it would be paid for, and might be cut off before its reply.
        throttled: Told +1 when a call begins to wait because others met "too many requests", and -1 when it goes on.
        until_kept: A call that was answered keeps its place until it is `released`, as its reply is in flight until it
            is safe on disk.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        concurrency: int,
        rpm: int | None = None,
        tpm: int | None = None,
        stop: asyncio.Event | None = None,
        throttled: Callable[[int], None] | None = None,
        until_kept: bool = False,
    ) -> None:
        self._backend = backend
        self._until_kept = until_kept
        self._answered: set[str] = set()
        self._stop = stop or asyncio.Event()
        self._throttled = throttled or _tell_nobody
        self._places = Places(concurrency)
        self._pace = Pace()
        self._quotas = Quotas(rpm=rpm, tpm=tpm)
        self._turn = asyncio.Lock()

    async def complete(self, request: Request) -> Reply:
        now = asyncio.get_running_loop().time
        queued = now()
        await self._places.take()
        try:
            waits = self._pace.active or self._quotas.active
            taken = await self._wait_for_turn(request, now) if waits else self._send(request, now())
            reply = await self._complete(request, taken, now)
        except BaseException:
            self._places.give_back()
            raise
        self._answered.add(request.call_id)
        if not self._until_kept:
            self.release(request)
        self._pace.passed()
        self._quotas.settle(taken, request, reply)
        return replace(reply, queued_s=taken.at - queued)

    def release(self, request: Request) -> None:
        """Free the place of a call that was answered; of any other nothing happens."""
        if request.call_id in self._answered:
            self._answered.discard(request.call_id)
            self._places.give_back()

    async def _complete(self, request: Request, taken: Taken, now: Callable[[], float]) -> Reply:
        try:
            reply = await self._backend.complete(request)
        except TransientError as exc:
            if exc.throttled:
                self._slow_down(exc, now(), sent=taken.at)
            raise
        self._places.grow(sent=taken.at)
        return reply

    async def _wait_for_turn(self, request: Request, now: Callable[[], float]) -> Taken:
        slowed = self._pace.active
        self._throttled(+slowed)
        try:
            async with self._turn:  # first come, first served
                while (seconds := self._wait_s(request, now())) > 0 and not self._stop.is_set():
                    await wait(min(seconds, _NAP_S), self._stop)
                return self._send(request, now())
        finally:
            self._throttled(-slowed)

    def _wait_s(self, request: Request, now: float) -> float:
        return max(self._pace.wait_s(now), self._quotas.wait_s(now, request))

    def _send(self, request: Request, now: float) -> Taken:
        if self._stop.is_set():
            raise FatalError("the run is being stopped.", code="stopped")
        self._pace.send(now)
        return self._quotas.take(now, request)

    def _slow_down(self, error: TransientError, now: float, *, sent: float) -> None:
        if self._pace.refused(now, sent=sent, retry_after_s=error.retry_after_s):
            self._places.shrink(now, sent=sent)
        since = self._pace.refused_since
        if since is not None and now - since > LONGEST_WAIT_S:
            message = f"the server has refused every request for {LONGEST_WAIT_S:.0f} s. The last one: {error}"
            raise FatalError(message, code="rate_limit") from error


def _tell_nobody(change: int) -> None:
    """Where nobody shows progress."""
