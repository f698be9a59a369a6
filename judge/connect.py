"""Settings -> Asker: the backend that a judge's name asks for, with its wrappers around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from judge.asking import Asker
from judge.backend import Backend, Reply
from judge.conversation import Complain, Conversation, Keep
from judge.journal.journal import Journal
from judge.journal.other import OtherJournal
from judge.judge_name import litellm_model
from judge.prompt import Request
from judge.purse import Purse
from judge.settings import Settings
from judge.usable import refuse_unusable, sees_images

if TYPE_CHECKING:
    from judge.backends.litellm import LiteLLM
    from judge.backends.openai_compatible import OpenAICompatible
    from judge.backends.plugged import Plugged
    from judge.backends.vllm_engine import VLLMEngine
    from judge.calls.cached import Cached
    from judge.calls.limited import Limited
    from judge.calls.store import Store

__all__ = ["Connection", "connect", "open_backend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A judge that can be asked.

    Attributes:
        asker: Judges records.
        backend: Answers any request, with its wrappers around it.
        keep: Lets other runs have a reply that could be used.
        notes: What the backend had to do differently, in words for the end of a run; grows.
    """

    asker: Asker
    backend: Backend
    keep: Keep
    notes: list[str] = field(default_factory=list)

    def asker_of(self, settings: Settings) -> Asker:
        """Judges records over this connection.

        Args:
            settings: Of the same judge, and of any rubric; without a `cache`, its replies are not kept.
        """
        return _asker(settings, self.backend, keep=_keep_nothing if settings.cache is None else self.keep)

    def talk(self, complain: Complain) -> Conversation:
        """For whoever asks for something else than verdicts."""
        return Conversation(self.backend, keep=self.keep, complain=complain)


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
        CacheError: The shared store, or the journal of another run, cannot be opened.
    """
    refuse_unusable(settings)
    async with AsyncExitStack() as stack:
        if settings.free:
            from judge.backends.lexical import Lexical

            lexical = Lexical()
            yield Connection(asker=_asker(settings, lexical, keep=_keep_nothing), backend=lexical, keep=_keep_nothing)
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
    from judge.backends.open_files import fit_concurrency
    from judge.calls.cached import Cached
    from judge.calls.store import Store

    concurrency, crowded = fit_concurrency(settings.concurrency)
    store = Store(settings.cache) if settings.cache is not None else None
    backend = await open_backend(settings, stack)
    backend.notes.extend([crowded] * bool(crowded))
    if store is not None:
        stack.callback(_close_store, store, backend.notes)
    limited = _limited(settings, backend, stop, throttled, concurrency=concurrency)
    guarded = _guarded(settings, backend, _budgeted(settings, limited, journal, stop, purse), stop, throttled)
    prepared = _prepared(settings, backend, guarded, stop)
    others = [stack.enter_context(closing(OtherJournal(path))) for path in settings.journals]
    cached = Cached(
        prepared,
        journal=journal,
        others=others,
        store=store,
        stop=stop,
        notes=backend.notes,
        done=limited.release,
    )
    stack.push_async_exit(_ending(cached, settings.timeout_s))
    asker = _asker(settings, cached, keep=cached.keep)
    return Connection(asker=asker, backend=cached, keep=cached.keep, notes=backend.notes)


async def open_backend(settings: Settings, stack: AsyncExitStack) -> OpenAICompatible | LiteLLM | Plugged | VLLMEngine:
    """Open the backend of a judge that is not the baseline, without wrappers; the stack closes it.

    Raises:
        ConfigError: As `refuse_unusable`.
    """
    if settings.engine_model is not None:
        from judge.backends.vllm_engine import VLLMEngine

        engine = VLLMEngine(settings.engine_model, settings.engine_args, price=settings.token_price)
        stack.push_async_callback(engine.aclose)
        return engine
    if settings.plugin is not None:
        from judge.backends.plugged import open_plugin

        plugged = open_plugin(settings.plugin, settings.judge.partition("/")[2], api_base=settings.api_base)
        stack.push_async_callback(plugged.aclose)
        return plugged
    named = litellm_model(settings.judge)
    if named is None:
        from judge.backends.openai_compatible import OpenAICompatible
        from judge.backends.server import find_server
        from judge.backends.session import open_session

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


def _limited(
    settings: Settings,
    backend: Backend,
    stop: asyncio.Event | None,
    throttled: Callable[[int], None] | None,
    *,
    concurrency: int,
) -> Limited:
    """One attempt of a call: in time, told of, and in its place."""
    from judge.calls.deadline import Deadline
    from judge.calls.limited import Limited
    from judge.calls.logged import Logged

    timed = Logged(Deadline(backend, timeout_s=settings.timeout_s))
    return Limited(
        timed,
        concurrency=concurrency,
        rpm=settings.rpm,
        tpm=settings.tpm,
        stop=stop,
        throttled=throttled,
        until_kept=True,
    )


def _budgeted(
    settings: Settings, bounded: Backend, journal: Journal | None, stop: asyncio.Event | None, purse: Purse | None
) -> Backend:
    budget, price = settings.budget_usd, settings.token_price
    if budget is None or price is None:
        return bounded
    from judge.calls.budgeted import Budgeted

    if purse is None:
        purse = Purse(budget)
        purse.count(journal.billed_usd(price) if journal is not None else 0.0)
    most = price.storing() if settings.cache_marks else price
    return Budgeted(bounded, purse=purse, price=most, journal=journal, stop=stop)


def _guarded(
    settings: Settings,
    inner: Backend,
    attempts: Backend,
    stop: asyncio.Event | None,
    throttled: Callable[[int], None] | None,
) -> Backend:
    from judge.backends.openai_compatible import OpenAICompatible
    from judge.calls.careful import Careful
    from judge.calls.retrying import Retrying

    retrying = Retrying(attempts, max_retries=settings.max_retries, stop=stop, throttled=throttled)
    return Careful(retrying, serves=inner.serves if isinstance(inner, OpenAICompatible) else None)


def _prepared(settings: Settings, inner: Any, guarded: Backend, stop: asyncio.Event | None) -> Backend:
    """An engine of ours is waited for outside the deadline of a call."""
    if settings.engine_model is None:
        return guarded
    from judge.calls.prepared import Prepared

    return Prepared(guarded, inner, stop=stop)


def _asker(settings: Settings, backend: Backend, *, keep: Keep) -> Asker:
    return Asker(
        settings.way,
        backend,
        keep=keep,
        min_coverage=settings.min_coverage,
        sees_images=sees_images(settings),
    )


def _keep_nothing(request: Request, reply: Reply) -> None:
    """For a judge that is free to ask again."""
