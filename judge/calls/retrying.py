"""Transport errors are tried again here, and nowhere else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from msgspec.structs import replace
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from judge.backend import Backend, Reply
from judge.calls.waiting import LONGEST_WAIT_S, wait
from judge.errors import BackendError, FatalError, TransientError
from judge.prompt import Request

__all__ = ["Retrying"]

_BACKOFF = wait_random_exponential(multiplier=0.25, max=30)
_JITTER_S = 0.5


class Retrying:
    """Tries again what may succeed: full-jitter backoff, and never earlier than the server asked for.

    Args:
        backend: What is retried.
        max_retries: Further attempts after the first, 0 or more. Answers "too many requests" do not count.
        stop: When set, nobody waits any more for the next try, which then finds out that there is none.
        throttled: Told +1 when a call begins to wait because of "too many requests", and -1 when it goes on.

    Raises:
        FatalError: The server asks everybody to wait longer than ten minutes: a resume is for that.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        max_retries: int,
        stop: asyncio.Event | None = None,
        throttled: Callable[[int], None] | None = None,
    ) -> None:
        self._backend = backend
        self._stop = stop or asyncio.Event()
        self._max_retries = max_retries
        self._throttled = throttled or _tell_nobody

    async def complete(self, request: Request) -> Reply:
        try:
            return await self._backend.complete(request)
        except TransientError as exc:  # tenacity is entered only now: it costs more than a local call does
            _refuse_long_wait(exc)
            return await self._retry(request, exc)

    async def _retry(self, request: Request, first: TransientError) -> Reply:
        attempts = _Attempts(self._max_retries)
        failed = iter([first])

        async def attempt() -> Reply:
            for error in failed:
                raise error
            return await self._try(request)

        async def sleep(seconds: float) -> None:
            self._throttled(+attempts.throttled)
            try:
                await wait(seconds, self._stop)
            finally:
                self._throttled(-attempts.throttled)

        policy = AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            stop=attempts.used_up,
            wait=attempts.wait_s,
            sleep=sleep,
            reraise=True,
        )
        try:
            reply: Reply = await policy(attempt)
        except BackendError as exc:
            exc.attempts = attempts.sent + (not isinstance(exc, TransientError))
            raise
        return replace(reply, attempts=attempts.sent + reply.attempts)

    async def _try(self, request: Request) -> Reply:
        try:
            return await self._backend.complete(request)
        except TransientError as exc:
            _refuse_long_wait(exc)
            raise


def _refuse_long_wait(error: TransientError) -> None:
    if error.throttled and error.retry_after_s is not None and error.retry_after_s > LONGEST_WAIT_S:
        message = f"the server asks to wait {error.retry_after_s:,.0f} s, which is longer than judge waits: {error}"
        raise FatalError(message, code="rate_limit", hint="Resume then.") from error


class _Attempts:
    """What one call has used up."""

    def __init__(self, max_retries: int) -> None:
        self._max_retries = max_retries
        self._counted = 0
        self._told_s = 0.0
        self._next_s = 0.0
        self.sent = 0
        self.throttled = False

    def used_up(self, state: RetryCallState) -> bool:
        error = _error(state)
        self.sent += 1
        self.throttled = error.throttled
        self._counted += not error.throttled
        return self._counted > self._max_retries or max(self._told_s, error.retry_after_s or 0) > LONGEST_WAIT_S

    def wait_s(self, state: RetryCallState) -> float:
        error = _error(state)
        backoff_s = float(_BACKOFF(state))
        if error.retry_after_s is not None:
            # On top, not instead: callers that were told the same time must not come back at the same time.
            backoff_s = error.retry_after_s + random.uniform(0, min(_JITTER_S, backoff_s + 0.05))
        self._told_s += self._next_s
        self._next_s = backoff_s if error.throttled or error.retry_after_s is not None else 0.0
        return backoff_s


def _tell_nobody(change: int) -> None:
    """Where nobody shows progress."""


def _error(state: RetryCallState) -> TransientError:
    outcome = state.outcome
    error = outcome.exception() if outcome is not None else None
    assert isinstance(error, TransientError)  # the policy retries nothing else
    return error
