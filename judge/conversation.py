"""Request -> Heard: ask, check, ask again where the reply was unusable. What a reply says is its reader's business."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from judge.backend import Backend, Reply
from judge.errors import (
    BackendError,
    CacheError,
    FatalError,
    JudgeError,
    LostInSpaceError,
    MalformedReplyError,
    OffMenuError,
    ReplyError,
    TruncatedReplyError,
)
from judge.outcome import Call, Failure
from judge.prompt import Request
from judge.verdict import Verdict, failed_verdict
from judge.working import together

__all__ = ["Answer", "Complain", "Conversation", "Heard", "Keep", "failures_of", "unusable"]

_MAX_REASKS = 2
T = TypeVar("T")
Keep: TypeAlias = Callable[[Request, Reply], None]
Complain: TypeAlias = Callable[[Request, Sequence[str]], Request]
Begin: TypeAlias = Callable[[Request], asyncio.Future[Reply]]
"""A backend's `complete` that does not wait; what comes back may be cancelled, or be given an error."""
Read: TypeAlias = Callable[[Request, Reply], tuple[T | None, ReplyError | None]]
"""What a reply says, as far as it can be used, and why not all of it can."""


class Heard(Struct, Generic[T], frozen=True, kw_only=True):
    """What came of one request and its re-asks.

    Attributes:
        request: As it was asked last.
        calls: All asks.
        value: What can be used of the last reply; None where nothing can.
        error: Why it is not whole; None where it is.
        stage: `ask` where no reply came, else `reply`.
    """

    request: Request
    calls: tuple[Call, ...]
    value: T | None
    error: JudgeError | None
    stage: str = "reply"

    @property
    def call_id(self) -> str:
        """The last ask."""
        return self.request.call_id


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """What is known at last of the units of one request."""

    verdicts: Sequence[Verdict]
    calls: Sequence[Call] = ()
    failures: Sequence[Failure] = ()


class Conversation:
    """Asks, and asks again at most twice where a reply cannot be used (contract §7).

    Args:
        backend: Answers requests, with caching, retries, limits and deadline already around it.
        keep: Given every reply that could be used; only those may be stored for other runs.
        complain: Adds to a request what was wrong with the last reply.
    """

    def __init__(self, backend: Backend, *, keep: Keep, complain: Complain) -> None:
        self._backend = backend
        self._begin: Begin | None = getattr(backend, "begin", None)
        self._keep = keep
        self._complain = complain

    async def hold(self, request: Request, read: Read[T]) -> Heard[T]:
        """Ask one thing.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept.
        """
        return await self._settle(await self._hear(request, self._backend.complete(request), read), read)

    async def hold_all(self, requests: Sequence[Request], read: Read[T]) -> list[Heard[T]]:
        """Ask several things at the same time, and hear of them in their order.

        Raises:
            FatalError, CacheError: As `hold`, as soon as one of them is met.
        """
        if self._begin is None or len(requests) == 1:
            return await together([self.hold(request, read) for request in requests])
        heard = await self._hear_all(requests, [self._begin(request) for request in requests], read)
        if not any(map(_is_unsettled, heard)):
            return heard
        return await together([self._settle(one, read) for one in heard])

    async def _hear_all(
        self, requests: Sequence[Request], begun: Sequence[asyncio.Future[Reply]], read: Read[T]
    ) -> list[Heard[T]]:
        """What came of the first asks, without a task for each: those take as long as a call to a fast server does."""

        def look(asked: asyncio.Future[Reply]) -> None:
            error = None if asked.cancelled() else asked.exception()
            if isinstance(error, FatalError | CacheError):
                for other in begun:
                    if not other.done():
                        other.set_exception(error)

        for asked in begun:
            asked.add_done_callback(look)
        try:
            return [await self._hear(request, asked, read) for request, asked in zip(requests, begun, strict=True)]
        finally:  # whoever asks may have gone away
            for asked in begun:
                asked.cancel()

    async def _hear(self, request: Request, asked: Awaitable[Reply], read: Read[T]) -> Heard[T]:
        """What came of one ask."""
        try:
            reply = await asked
        except (FatalError, CacheError):  # to go on would pay for what fails again, or cannot be kept
            raise
        except BackendError as exc:
            call = Call(call_id=request.call_id, reply=None, attempts=exc.attempts, failure=exc.code)
            return Heard(request=request, calls=(call,), value=None, error=exc, stage="ask")
        value, error = read(request, reply)
        failure = error.code if error else None
        call = Call(call_id=request.call_id, reply=reply, attempts=reply.attempts, failure=failure)
        if error is None:
            self._keep(request, reply)
        return Heard(request=request, calls=(call,), value=value, error=error)

    async def _settle(self, heard: Heard[T], read: Read[T]) -> Heard[T]:
        """Ask again as long as that helps."""
        while _is_unsettled(heard):
            request = self._next_ask(heard)
            again = await self._hear(request, self._backend.complete(request), read)
            heard = replace(again, calls=(*heard.calls, *again.calls))
        return heard

    def _next_ask(self, heard: Heard[T]) -> Request:
        request, error = heard.request, heard.error
        # Once: a model that is lost without the schema too is better held to it.
        plain = isinstance(error, LostInSpaceError) and not request.plain
        again = replace(request, ask=request.ask + 1, plain=plain)
        return self._complain(again, error.faults) if isinstance(error, OffMenuError) else again


def _is_unsettled(heard: Heard[T]) -> bool:
    """Whether the reply cannot be used, and another might."""
    worth = isinstance(heard.error, MalformedReplyError | TruncatedReplyError | OffMenuError)
    return worth and heard.request.ask < _MAX_REASKS


def unusable(heard: Heard[T]) -> list[Verdict]:
    """The units of a request of whose last reply nothing can be used."""
    code, last = heard.error.code if heard.error else "", heard.request
    return [failed_verdict(unit, sample=last.sample, failure=code, call_id=last.call_id) for unit in last.probes.asked]


def failures_of(
    request: Request, verdicts: Sequence[Verdict], error: JudgeError | None, stage: str = "reply"
) -> list[Failure]:
    """The failures of the units of one request that have no verdict, one for each axis."""
    failed = [verdict for verdict in verdicts if verdict.failure]
    if not failed:
        return []
    record = request.probes.record
    by_axis = {one.axis: [verdict for verdict in failed if verdict.axis == one.axis] for one in failed}
    return [
        Failure(
            line=record.line,
            record_id=record.id,
            stage=stage,
            error=units[0].failure or "",
            message=str(error),
            axis=axis,
            unit_ids=tuple(verdict.unit_id for verdict in units),
        )
        for axis, units in by_axis.items()
    ]
