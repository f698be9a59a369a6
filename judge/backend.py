"""Request -> Reply: the contract of everything that answers."""

from __future__ import annotations

from typing import Annotated, Protocol, TypeAlias

from msgspec import Meta, Struct

from judge.prompt import Request

__all__ = ["Backend", "BackendFactory", "Reply"]


_Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**40)]


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """What a backend answered, unparsed. A struct: wrappers copy it, and a dataclass takes 20 times as long.

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
        probabilities: Of each of the request's labels, in [0, 1], before sampling; they may sum to less than 1. None
            where no labels were asked for.
    """

    text: str
    model: str | None = None
    finish_reason: str | None = None
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    cached_tokens: _Count | None = None
    cost_usd: float | None = None
    latency_s: float = 0.0
    queued_s: float = 0.0
    attempts: int = 1
    cached: bool = False
    probabilities: dict[str, float] | None = None


class Backend(Protocol):
    """Answers requests. Wrappers (`judge.calls`) keep this contract and add one thing each."""

    async def complete(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            TransientError: Another try may succeed.
            RejectedError: The same request will be refused again; `FatalError`: and so will every other.
        """
        ...


class BackendFactory(Protocol):
    """What another package registers in the entry point group `judge.backends`, under the name of a provider.

    It is called in plain code, more than once, and before anything is read: first to find out whether this judge can
    be asked, then for every connection. So it looks at what it needs (a key, a file) and opens nothing; that is for the
    first `complete`. The backend may have more than `complete`:

    - `async def aclose(self) -> None`: called once at the end, in the loop that called `complete`.
    - `notes: list[str]`: what it had to do differently, in words for the end of a run; it may grow.
    - `sees_images: bool`: it reads `request.probes.record.image`. Without it, records with an image are refused.

    Args:
        model: What follows the provider in `--judge PROVIDER/MODEL`, such as `any` of `echo/any`.
        api_base: `--api-base`, or `PROVIDER_API_BASE` of the environment; None where neither is given.

    Raises:
        ConfigError: This judge cannot be asked; says what is missing.
    """

    def __call__(self, model: str, *, api_base: str | None) -> Backend: ...
