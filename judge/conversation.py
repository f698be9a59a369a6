"""Request -> Heard: ask, check, ask again where the reply was unusable. What a reply says is its reader's business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

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
        return await self._settle(await self._ask(request, read), read)

    async def hold_all(self, requests: Sequence[Request], read: Read[T]) -> list[Heard[T]]:
        """Ask several things at the same time; what came of them is in their order.

        Raises:
            FatalError, CacheError: As `hold`; the first error ends the rest.
        """
        if self._begin is None or len(requests) < 2:
            return await together([self.hold(request, read) for request in requests])
        begun = [(request, self._begin(request)) for request in requests]
        return await _Hearing(begun, partial(self._hear, read), partial(self._settle, read=read)).all()

    async def _ask(self, request: Request, read: Read[T]) -> Heard[T]:
        """Ask once."""
        try:
            reply = await self._backend.complete(request)
        except BackendError as exc:
            return _unanswered(request, exc)
        return self._hear(read, request, reply)

    def _hear(self, read: Read[T], request: Request, reply: Reply) -> Heard[T]:
        value, error = read(request, reply)
        failure = error.code if error else None
        call = Call(call_id=request.call_id, reply=reply, attempts=reply.attempts, failure=failure)
        if error is None:
            self._keep(request, reply)
        return Heard(request=request, calls=(call,), value=value, error=error)

    async def _settle(self, heard: Heard[T], read: Read[T]) -> Heard[T]:
        """Ask again as long as that helps."""
        while _is_unsettled(heard):
            again = await self._ask(self._next_ask(heard), read)
            heard = replace(again, calls=(*heard.calls, *again.calls))
        return heard

    def _next_ask(self, heard: Heard[T]) -> Request:
        request, error = heard.request, heard.error
        # Once: a model that is lost without the schema too is better held to it.
        plain = isinstance(error, LostInSpaceError) and not request.plain
        again = replace(request, ask=request.ask + 1, plain=plain)
        return self._complain(again, error.faults) if isinstance(error, OffMenuError) else again


class _Hearing(Generic[T]):
    """First asks that are under way at the same time.

    Each reply is heard, and kept, when it comes. There is no task for each, as that takes as long as a call to a fast
    server does; re-asks, which are few, have one.

    Args:
        begun: The requests, and their replies to be.
        hear: What a reply says.
        settle: Asks again as long as that helps.
    """

    def __init__(
        self,
        begun: Sequence[tuple[Request, asyncio.Future[Reply]]],
        hear: Callable[[Request, Reply], Heard[T]],
        settle: Callable[[Heard[T]], Coroutine[None, None, Heard[T]]],
    ) -> None:
        self._begun = begun
        self._hear = hear
        self._settle = settle
        self._heard: dict[int, Heard[T]] = {}
        self._tasks: list[asyncio.Task[Heard[T]]] = []
        self._all: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def all(self) -> list[Heard[T]]:
        """What came of all of them; the first error ends the rest."""
        for place, (_, asked) in enumerate(self._begun):
            asked.add_done_callback(partial(self._land, place))
        try:
            await self._all
        finally:
            for _, asked in self._begun:
                asked.cancel()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
        return [self._heard[place] for place in range(len(self._begun))]

    def _land(self, place: int, asked: asyncio.Future[Reply]) -> None:
        """A first ask has an end."""
        if self._is_over(asked):
            return
        request, error = self._begun[place][0], asked.exception()
        try:
            heard = self._hear(request, asked.result()) if error is None else _unanswered(request, error)
        except BaseException as exc:  # noqa: BLE001 - raised where all are waited for
            self._all.set_exception(exc)
            return
        if not _is_unsettled(heard):
            self._add(place, heard)
            return
        task = asyncio.get_running_loop().create_task(self._settle(heard))
        self._tasks.append(task)
        task.add_done_callback(partial(self._end, place))

    def _end(self, place: int, task: asyncio.Task[Heard[T]]) -> None:
        """The last re-ask has an end."""
        if self._is_over(task):
            return
        if (error := task.exception()) is not None:
            self._all.set_exception(error)
        else:
            self._add(place, task.result())

    def _is_over(self, waiting: asyncio.Future[Any]) -> bool:
        """Whether nobody waits any more: then what came of it, an error too, is nobody's."""
        if waiting.cancelled():
            self._all.cancel()
        elif self._all.done():
            waiting.exception()
        return self._all.done()

    def _add(self, place: int, heard: Heard[T]) -> None:
        self._heard[place] = heard
        if len(self._heard) == len(self._begun):
            self._all.set_result(None)


def _unanswered(request: Request, error: BaseException) -> Heard[Any]:
    """What came of an ask that has no reply.

    Raises:
        FatalError, CacheError: To go on would pay for what fails again, or cannot be kept.
        BaseException: Every error that is not a backend's.
    """
    if not isinstance(error, BackendError) or isinstance(error, FatalError | CacheError):
        raise error
    call = Call(call_id=request.call_id, reply=None, attempts=error.attempts, failure=error.code)
    return Heard(request=request, calls=(call,), value=None, error=error, stage="ask")


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
