"""Request -> Reply: the contract of everything that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from judge.prompt import Request

__all__ = ["Backend", "Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a backend answered, unparsed.

    Attributes:
        text: The judge's text, verbatim.
        model: The model that says it answered; None when the server does not say.
        finish_reason: Why it stopped: `stop`, `length`, `content_filter`, or the server's own word.
        prompt_tokens, completion_tokens, cached_tokens: As the server counted them; None when it did not.
            `cached_tokens` are prompt tokens that the server had already read.
        cost_usd: What this reply cost now; 0 for a stored one, None when the price is not known.
        latency_s: From sending the successful attempt to its last byte, in seconds.
        queued_s: Waiting for a free place before that, in seconds.
        attempts: Requests sent for it, the failed ones included; 0 for a stored one.
        cached: It was stored, and nothing was sent.
    """

    text: str
    model: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float = 0.0
    queued_s: float = 0.0
    attempts: int = 1
    cached: bool = False


class Backend(Protocol):
    """Answers requests. Wrappers (`judge.calls`) keep this contract and add one thing each."""

    async def complete(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            TransientError: Another try may succeed.
            RejectedError: The same request will be refused again; `FatalError`: and so will every other.
        """
        ...
