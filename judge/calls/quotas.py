"""The user's own limits: requests and tokens a minute."""

from __future__ import annotations

from msgspec import Struct

from judge.backend import Reply
from judge.calls.bucket import Bucket, Portion
from judge.calls.tokens import Tokens
from judge.prompt import Request

__all__ = ["Quotas", "Taken"]


class Taken(Struct, frozen=True, kw_only=True, gc=False):
    """What one attempt took.

    Attributes:
        at: When it went out, in seconds of a monotonic clock.
        requests, tokens: Its portion of each quota; None where there is none.
    """

    at: float
    requests: Portion | None = None
    tokens: Portion | None = None


class Quotas:
    """Requests and tokens a minute. Every attempt counts, the refused ones too, as providers count them.

    Tokens are estimated before an attempt and settled by what the server counted; those of a failed attempt stay as
    they were estimated.

    Args:
        rpm, tpm: At least 1; None for no bound.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self._requests = None if rpm is None else Bucket(rpm)
        self._tokens = None if tpm is None else Bucket(tpm)
        self._count = Tokens()

    @property
    def active(self) -> bool:
        """Whether there is any."""
        return self._requests is not None or self._tokens is not None

    def wait_s(self, now: float, request: Request) -> float:
        """Seconds until this request may go out; 0 for at once."""
        requests_s = self._requests.wait_s(now, 1) if self._requests else 0.0
        tokens_s = self._tokens.wait_s(now, self._count.estimate(request)) if self._tokens else 0.0
        return max(requests_s, tokens_s)

    def take(self, now: float, request: Request) -> Taken:
        """An attempt goes out."""
        return Taken(
            at=now,
            requests=self._requests.take(now, 1) if self._requests else None,
            tokens=self._tokens.take(now, self._count.estimate(request)) if self._tokens else None,
        )

    def settle(self, taken: Taken, request: Request, reply: Reply) -> None:
        """It was answered."""
        if self._requests and taken.requests:
            self._requests.settle(taken.requests, reply.attempts)  # a backend may have had to ask in another form
        if self._tokens and taken.tokens and (tokens := self._count.learn(request, reply)) is not None:
            self._tokens.settle(taken.tokens, tokens)
