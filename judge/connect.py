"""Settings -> Asker: the backend that a judge's name asks for, with its wrappers around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from judge.asking import Asker, Keep
from judge.backend import Backend, Reply
from judge.errors import ConfigError
from judge.journal import Journal
from judge.price import find_facts
from judge.prompt import Request
from judge.purse import Purse
from judge.settings import BASELINE, INSTALL_REMOTE, SERVERS, Settings, litellm_model

if TYPE_CHECKING:
    from judge.backends.litellm import LiteLLM
    from judge.backends.openai_compatible import OpenAICompatible
    from judge.calls.cached import Cached
    from judge.calls.store import Store

__all__ = ["Connection", "connect", "refuse_unusable", "sees_images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A judge that can be asked.

    Attributes:
        notes: What the backend had to do differently, in words for the end of a run; grows.
    """

    asker: Asker
    notes: list[str] = field(default_factory=list)


def refuse_unusable(settings: Settings) -> None:
    """Find out before anything is read or paid whether this judge can be asked.

    Raises:
        ConfigError: Unknown judge, no address, no key, a package that is not installed, a budget without a price.
    """
    if settings.judge == BASELINE:
        return
    named = litellm_model(settings.judge)
    provider, _, model = (settings.judge if named is None else named).partition("/")
    if not (provider and model):
        names = ", ".join([BASELINE, *(f"{name}/MODEL" for name in SERVERS)])
        message = f"no judge is called {settings.judge!r}; there are: {names}, and PROVIDER/MODEL of litellm."
        raise ConfigError(message, hint=f"For the last: {INSTALL_REMOTE}. See: judge doctor")
    if named is None:
        from judge.backends.server import find_server

        find_server(settings.judge, settings.api_base, key_file=settings.key_file, headers=settings.headers)
    else:
        from judge.backends.litellm_setup import check_model, read_secrets

        check_model(named, api_base=settings.api_base, params=settings.model.params)
        read_secrets(settings.key_file, settings.headers)
    _refuse_budget(settings)


def sees_images(settings: Settings) -> bool:
    """Whether images reach a model that is not known to be blind."""
    named = litellm_model(settings.judge)
    if settings.free or find_facts(settings.judge).supports_vision is False:
        return False
    if named is None:
        return True  # a server says itself what its model cannot see
    from judge.backends.litellm_vision import drops_images

    return not drops_images(named, api_base=settings.api_base)


def _refuse_budget(settings: Settings) -> None:
    """A budget is kept by knowing before a call what it may cost."""
    if settings.budget_usd is None:
        return
    if settings.token_price is None:
        hint = "Give it in USD a million tokens: --price IN,OUT, or --price 0,0 where it costs nothing."
        raise ConfigError(f"a budget needs the price of {settings.judge!r}, which is not known.", hint=hint)
    limits = (settings.model.params.get(name) for name in ("max_tokens", "max_completion_tokens"))
    if not any(isinstance(limit, int) for limit in limits):
        raise ConfigError("a budget needs max_tokens, else a reply may cost anything.", hint="--param max_tokens=4096")


@asynccontextmanager
async def connect(
    settings: Settings,
    *,
    journal: Journal | None = None,
    stop: asyncio.Event | None = None,
    throttled: Callable[[int], None] | None = None,
    purse: Purse | None = None,
) -> AsyncIterator[Connection]:
    """Open what a judge needs, in the running loop, and close it at the end.

    Args:
        settings: Which judge.
        journal: Of a run directory; None in the library, where nothing is resumed.
        stop: When set, nothing is sent any more; what is needed then raises a FatalError with the code `stopped`.
        throttled: Told +1 when a call begins to wait because of "too many requests", and -1 when it goes on.
        purse: The budget's money, where several share it, with what was spent before counted; else made here.

    Raises:
        ConfigError: As `refuse_unusable`.
        CacheError: The shared store cannot be opened.
    """
    refuse_unusable(settings)
    async with AsyncExitStack() as stack:
        if settings.free:
            from judge.backends.lexical import Lexical

            yield Connection(asker=_asker(settings, Lexical(), keep=_keep_nothing))
        else:
            yield await _connect_paid(settings, journal, stop, throttled, purse, stack)


async def _connect_paid(
    settings: Settings,
    journal: Journal | None,
    stop: asyncio.Event | None,
    throttled: Callable[[int], None] | None,
    purse: Purse | None,
    stack: AsyncExitStack,
) -> Connection:
    from judge.calls.cached import Cached
    from judge.calls.store import Store

    store = Store(settings.cache) if settings.cache is not None else None
    backend = await _open_backend(settings, stack)
    if store is not None:
        stack.callback(_close_store, store, backend.notes)
    attempts = _attempts(settings, backend, journal, stop, throttled, purse)
    guarded = _guarded(settings, attempts, stop, throttled)
    cached = Cached(guarded, journal=journal, store=store, stop=stop, notes=backend.notes)
    stack.push_async_exit(_ending(cached, settings.timeout_s))
    return Connection(asker=_asker(settings, cached, keep=cached.keep), notes=backend.notes)


async def _open_backend(settings: Settings, stack: AsyncExitStack) -> OpenAICompatible | LiteLLM:
    named = litellm_model(settings.judge)
    if named is None:
        from judge.backends.openai_compatible import OpenAICompatible, open_session
        from judge.backends.server import find_server

        server = find_server(settings.judge, settings.api_base, key_file=settings.key_file, headers=settings.headers)
        session = await stack.enter_async_context(open_session(server))
        return OpenAICompatible(server, session, price=settings.token_price)
    from judge.backends.litellm import LiteLLM

    secrets: dict[str, Any] = {"key_file": settings.key_file, "headers": settings.headers}
    backend = LiteLLM(named, api_base=settings.api_base, price=settings.price, **secrets)
    stack.push_async_callback(backend.aclose)
    return backend


def _close_store(store: Store, notes: list[str]) -> None:
    store.close()
    if store.damaged:
        notes.append(f"{store.damaged} replies of the shared store were damaged and are asked for anew.")


def _ending(cached: Cached, timeout_s: float) -> Callable[..., Awaitable[None]]:
    async def end(kind: type[BaseException] | None, *_: object) -> None:
        """What is under way is paid for: wait for it, unless somebody wants an end now."""
        await cached.drain(timeout_s=0 if kind is asyncio.CancelledError else timeout_s)

    return end


def _attempts(
    settings: Settings,
    backend: Backend,
    journal: Journal | None,
    stop: asyncio.Event | None,
    throttled: Callable[[int], None] | None,
    purse: Purse | None,
) -> Backend:
    """One attempt of a call: in time, told of, in its place, and inside the budget."""
    from judge.calls.deadline import Deadline
    from judge.calls.limited import Limited
    from judge.calls.logged import Logged

    timed = Logged(Deadline(backend, timeout_s=settings.timeout_s))
    bounded = Limited(
        timed,
        concurrency=settings.concurrency,
        rpm=settings.rpm,
        tpm=settings.tpm,
        stop=stop,
        throttled=throttled,
    )
    budget, price = settings.budget_usd, settings.token_price
    if budget is None or price is None:
        return bounded
    from judge.calls.budgeted import Budgeted

    if purse is None:
        purse = Purse(budget)
        purse.count(journal.billed_usd(price) if journal is not None else 0.0)
    return Budgeted(bounded, purse=purse, price=price, journal=journal, stop=stop)


def _guarded(
    settings: Settings, attempts: Backend, stop: asyncio.Event | None, throttled: Callable[[int], None] | None
) -> Backend:
    from judge.calls.careful import Careful
    from judge.calls.retrying import Retrying

    return Careful(Retrying(attempts, max_retries=settings.max_retries, stop=stop, throttled=throttled))


def _asker(settings: Settings, backend: Backend, *, keep: Keep) -> Asker:
    return Asker(
        settings.prompt,
        settings.model,
        backend,
        keep=keep,
        granularity=settings.granularity,
        evidence=settings.evidence,
        samples=settings.samples,
        min_coverage=settings.min_coverage,
        sees_images=sees_images(settings),
    )


def _keep_nothing(request: Request, reply: Reply) -> None:
    """For a judge that is free to ask again."""
