"""Settings -> Asker: the backend that a judge's name asks for, with its wrappers around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from judge.asking import Asker, Keep
from judge.backend import Backend, Reply
from judge.errors import ConfigError
from judge.journal import Journal
from judge.prompt import Request
from judge.settings import BASELINE, INSTALL_REMOTE, SERVERS, Settings

if TYPE_CHECKING:
    from judge.backends.litellm import LiteLLM
    from judge.backends.openai_compatible import OpenAICompatible
    from judge.calls.cached import Cached
    from judge.calls.store import Store

__all__ = ["Connection", "connect", "refuse_unusable"]


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
        ConfigError: Unknown judge, no address, no key, or a package that is not installed.
    """
    if settings.judge == BASELINE:
        return
    provider, _, model = settings.judge.partition("/")
    if not (provider and model):
        names = ", ".join([BASELINE, *(f"{name}/MODEL" for name in SERVERS)])
        message = f"no judge is called {settings.judge!r}; there are: {names}, and PROVIDER/MODEL of litellm."
        raise ConfigError(message, hint=f"For the last: {INSTALL_REMOTE}. See: judge doctor")
    if provider in SERVERS:
        from judge.backends.server import find_server

        find_server(settings.judge, settings.api_base)
    else:
        from judge.backends.litellm_setup import check_model

        check_model(settings.judge, api_base=settings.api_base, params=settings.model.params)


@asynccontextmanager
async def connect(
    settings: Settings,
    *,
    journal: Journal | None = None,
    stop: asyncio.Event | None = None,
    throttled: Callable[[int], None] | None = None,
) -> AsyncIterator[Connection]:
    """Open what a judge needs, in the running loop, and close it at the end.

    Args:
        settings: Which judge.
        journal: Of a run directory; None in the library, where nothing is resumed.
        stop: When set, nothing is sent any more; what is needed then raises a FatalError with the code `stopped`.
        throttled: Told +1 when a call begins to wait because of "too many requests", and -1 when it goes on.

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
            yield await _connect_paid(settings, journal, stop, throttled, stack)


async def _connect_paid(
    settings: Settings,
    journal: Journal | None,
    stop: asyncio.Event | None,
    throttled: Callable[[int], None] | None,
    stack: AsyncExitStack,
) -> Connection:
    from judge.calls.cached import Cached
    from judge.calls.store import Store

    store = Store(settings.cache) if settings.cache is not None else None
    backend = await _open_backend(settings, stack)
    if store is not None:
        stack.callback(_close_store, store, backend.notes)
    guarded = _guarded(settings, backend, stop, throttled)
    cached = Cached(guarded, journal=journal, store=store, stop=stop, notes=backend.notes)
    stack.push_async_exit(_ending(cached, settings.timeout_s))
    return Connection(asker=_asker(settings, cached, keep=cached.keep), notes=backend.notes)


async def _open_backend(settings: Settings, stack: AsyncExitStack) -> OpenAICompatible | LiteLLM:
    if settings.judge.partition("/")[0] in SERVERS:
        from judge.backends.openai_compatible import OpenAICompatible, open_session
        from judge.backends.server import find_server

        server = find_server(settings.judge, settings.api_base)
        return OpenAICompatible(server, await stack.enter_async_context(open_session(server)))
    from judge.backends.litellm import LiteLLM

    backend = LiteLLM(settings.judge, api_base=settings.api_base)
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


def _guarded(
    settings: Settings, backend: Backend, stop: asyncio.Event | None, throttled: Callable[[int], None] | None
) -> Backend:
    from judge.calls.careful import Careful
    from judge.calls.deadline import Deadline
    from judge.calls.limited import Limited
    from judge.calls.retrying import Retrying

    bounded = Limited(Deadline(backend, timeout_s=settings.timeout_s), concurrency=settings.concurrency, stop=stop)
    return Careful(Retrying(bounded, max_retries=settings.max_retries, stop=stop, throttled=throttled))


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
        texts_only=settings.free,
    )


def _keep_nothing(request: Request, reply: Reply) -> None:
    """For a judge that is free to ask again."""
