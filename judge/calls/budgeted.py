"""No call is begun that could pass the budget."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from judge.backend import Backend, Reply
from judge.errors import BackendError, CacheError, FatalError, RejectedError
from judge.journal.journal import Journal
from judge.price import Price
from judge.prompt import Request
from judge.purse import Purse

__all__ = ["Budgeted", "most_written"]

_BYTES_PER_TOKEN = 3
_FRAME_TOKENS = 64
"""What a server's chat template adds."""
_IMAGE_MARGIN = 2
"""Models cut images into tokens in their own ways; the estimate is of one of them."""
_LOOK_AGAIN_S = 0.1
_UNSENT = frozenset({"stopped", "unreachable"})
_UNBILLED = frozenset({"rate_limit", "http_409", "http_425", "http_500", "http_501", "http_503", "http_529"})


class Budgeted:
    """Sets money aside for every attempt before it is sent, and settles it to the true cost after the reply.

    An attempt is reserved at the most that it may cost: a token for every 3 bytes of the prompt, or more where a reply
    has told so, and all the tokens that it may write. Where that does not fit, it waits for what is under way, which
    costs less as a rule; with nothing under way, the budget is reached.

    Of an attempt that failed, the reservation comes back where the server said no (4xx, 429, 500, 503) or was never
    reached. Where it may have computed an answer that was lost (a timeout, a dropped connection, an error of a gateway,
    an unusable body, our own end), it counts as spent; and a reply without usage costs what was reserved for it.

    The pledge of an attempt that was answered is taken back by the commit of its reply, which whoever wraps this does.

    Args:
        backend: What is limited.
        purse: What is spent; may be shared.
        price: Of the judge's tokens.
        journal: Keeps reservations as pledges, so that the next session counts what this one may have lost; None
            outside a run.
        stop: When set, nobody waits any more.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        purse: Purse,
        price: Price,
        journal: Journal | None = None,
        stop: asyncio.Event | None = None,
    ) -> None:
        self._backend = backend
        self._purse = purse
        self._price = price
        self._journal = journal
        self._stop = stop or asyncio.Event()
        self._settled = asyncio.Event()
        self._tokens_per_byte = 1 / _BYTES_PER_TOKEN

    async def complete(self, request: Request) -> Reply:
        usd = self._most_usd(request)
        await self._reserve(usd)
        spent: float | None = None  # unknown, until we know better
        pledge = self._pledge(usd)
        try:
            reply = await self._backend.complete(request)
            spent = reply.cost_usd
        except BackendError as exc:
            if _is_unbilled(exc):
                spent = 0.0
                self._redeem(pledge)
            raise
        finally:
            self._settle(usd, spent)
        if spent is not None:
            self._redeem(pledge, request.call_id)
        self._learn(request, reply)
        return reply

    def _pledge(self, usd: float) -> int | None:
        try:
            return self._journal.pledge(usd) if self._journal is not None else None
        except CacheError:
            self._settle(usd, 0.0)  # nothing was sent; else others would wait for it for ever
            self._stop.set()
            raise

    async def _reserve(self, usd: float) -> None:
        while (taken := self._purse.reserve(usd)) != "taken":
            if self._stop.is_set():
                raise FatalError("the run is being stopped.", code="stopped")
            if taken == "empty":
                raise self._reached(usd)
            with suppress(TimeoutError):  # another process that shares the purse tells us nothing
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._settled.wait()

    def _redeem(self, pledge: int | None, answered: str | None = None) -> None:
        """At once, or with the commit of the reply to the call that was answered."""
        if self._journal is None or pledge is None:
            return
        if answered is None:
            self._journal.redeem(pledge)
        else:
            self._journal.redeem_by_reply(pledge, answered)

    def _settle(self, usd: float, spent: float | None) -> None:
        self._purse.settle(usd, spent_usd=usd if spent is None else spent)
        self._settled.set()
        self._settled = asyncio.Event()

    def _reached(self, usd: float) -> FatalError:
        spent, budget = self._purse.spent_usd, self._purse.budget_usd
        message = f"the budget of ${budget:g} is reached: ${spent:.6g} spent, and the next call may cost ${usd:.6g}."
        return FatalError(message, code="budget", hint="Raise --budget to go on.")

    def _most_usd(self, request: Request) -> float:
        prompt = _FRAME_TOKENS + round(self._tokens_per_byte * _bytes(request)) + _image_tokens(request)
        return self._price.cost_usd(prompt, most_written(request)) or 0.0

    def _learn(self, request: Request, reply: Reply) -> None:
        """Other scripts, and digits, have more tokens a byte than English."""
        seen = ((reply.prompt_tokens or 0) - _image_tokens(request)) / _bytes(request)
        self._tokens_per_byte = max(self._tokens_per_byte, seen)


def most_written(request: Request) -> int:
    """Tokens that a request lets a judge write; 0 where it sets no limit."""
    if request.labels:
        return 1
    limits = [request.params.get(name) for name in ("max_tokens", "max_completion_tokens")]
    return max((limit for limit in limits if isinstance(limit, int)), default=0)


def _image_tokens(request: Request) -> int:
    return sum(_IMAGE_MARGIN * image.tokens for image in request.images)


def _bytes(request: Request) -> int:
    return sum(len(text.encode()) for text in (request.system, request.user, request.schema))


def _is_unbilled(error: BackendError) -> bool:
    """Whether the server surely computed nothing for it: it said no, or never heard of it."""
    if error.code in _UNSENT or error.code in _UNBILLED:
        return True
    return isinstance(error, RejectedError)
