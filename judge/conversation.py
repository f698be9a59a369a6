"""Request -> Heard: ask, check, ask again where the reply was unusable. What a reply says is its reader's business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

__all__ = ["Answer", "Complain", "Conversation", "Heard", "Keep", "failures_of", "unusable"]

_MAX_REASKS = 2
T = TypeVar("T")
Keep: TypeAlias = Callable[[Request, Reply], None]
Complain: TypeAlias = Callable[[Request, Sequence[str]], Request]
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
        self._keep = keep
        self._complain = complain

    async def hold(self, request: Request, read: Read[T]) -> Heard[T]:
        """Ask one thing.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept.
        """
        calls: list[Call] = []
        while True:
            try:
                reply = await self._backend.complete(request)
            except (FatalError, CacheError):  # to go on would pay for what fails again, or cannot be kept
                raise
            except BackendError as exc:
                calls.append(Call(call_id=request.call_id, reply=None, attempts=exc.attempts, failure=exc.code))
                return Heard(request=request, calls=tuple(calls), value=None, error=exc, stage="ask")
            value, error = read(request, reply)
            failure = error.code if error else None
            calls.append(Call(call_id=request.call_id, reply=reply, attempts=reply.attempts, failure=failure))
            if error is None:
                self._keep(request, reply)
            if error is None or request.ask == _MAX_REASKS or not _worth_another_ask(error):
                return Heard(request=request, calls=tuple(calls), value=value, error=error)
            request = self._next_ask(request, error)

    def _next_ask(self, request: Request, error: ReplyError) -> Request:
        # Once: a model that is lost without the schema too is better held to it.
        plain = isinstance(error, LostInSpaceError) and not request.plain
        again = replace(request, ask=request.ask + 1, plain=plain)
        return self._complain(again, error.faults) if isinstance(error, OffMenuError) else again


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


def _worth_another_ask(error: ReplyError) -> bool:
    return isinstance(error, MalformedReplyError | TruncatedReplyError | OffMenuError)
