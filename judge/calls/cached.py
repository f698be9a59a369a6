"""A reply that is already paid for is not asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import TypeAlias

from judge.backend import Backend, Reply
from judge.calls.gathered import Gathered
from judge.calls.grouped import Grouped
from judge.calls.store import Kept, Store
from judge.errors import CacheError
from judge.journal.journal import Journal, served
from judge.journal.other import OtherJournal
from judge.prompt import Request

__all__ = ["Cached"]

_Answered: TypeAlias = tuple[Request, Reply]
# Nobody waits for the store, and a row costs 21 µs among five hundred, 36 among sixty-four.
_LINGER_S = 0.1
_KEPT_TOGETHER = 512


class Cached:
    """Looks in the run's journal, in those of other runs, in the shared store, and commits what it has to pay for.

    Equal requests at the same time are one call.

    Args:
        backend: Asked where nothing is stored.
        journal: Replays the chain of this run, unusable replies included; None outside a run.
        others: Journals of other runs, in the order in which they are looked in.
        store: Usable replies of all runs; None for none.
        stop: Set when a paid reply cannot be committed, so that no call that waits for its turn is sent any more.
        notes: Gets a sentence when the store fails. It is a convenience: the run goes on without it.
        done: Told of every request whose reply is safe, or that has none.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        journal: Journal | None = None,
        others: Sequence[OtherJournal] = (),
        store: Store | None = None,
        stop: asyncio.Event | None = None,
        notes: list[str] | None = None,
        done: Callable[[Request], None] | None = None,
    ) -> None:
        self._backend = backend
        self._done = done
        self._journal = journal
        self._journals: list[Journal | OtherJournal] = [*([] if journal is None else [journal]), *others]
        self._commits = None
        if journal is not None:
            self._commits = Grouped(self._commit, failed=self._not_committed, written=self._committed)
        self._store = store
        self._keeps = None
        if store is not None:
            self._keeps = Grouped(store.keep_all, failed=self._not_kept, linger_s=_LINGER_S, most=_KEPT_TOGETHER)
        self._stop = asyncio.Event() if stop is None else stop
        self._notes = [] if notes is None else notes
        self._found = Gathered(self._look_up, self._pay)
        self._flying: dict[str, asyncio.Task[Reply]] = {}
        self._waiting: dict[str, list[asyncio.Future[Reply]]] = {}  # call id -> who asked; the first of them pays

    def begin(self, request: Request) -> asyncio.Future[Reply]:
        """Look for a reply, and pay for it where there is none; to cancel what comes back does not end the call."""
        return self._found.find(request)

    async def complete(self, request: Request) -> Reply:
        return await self.begin(request)

    def keep(self, request: Request, reply: Reply) -> None:
        """Let other runs have a reply that could be used."""
        if self._store is None or self._keeps is None:
            return
        self._keeps.add(Kept(key=request.key, reply=reply, record_id=request.probes.record.id))

    async def drain(self, *, timeout_s: float) -> None:
        """Wait for the calls whose askers went away, as they are paid for; then end the rest."""
        flying = list(self._flying.values())
        if flying and timeout_s:
            await asyncio.wait(flying, timeout=timeout_s)
        for task in flying:
            task.cancel()
        if flying:  # not gather: of tasks that are done it may take no turn, and what they brought is not handed on yet
            await asyncio.wait(flying)
        for writes in (self._commits, self._keeps):
            if writes is not None:
                await writes.aclose()

    def _not_kept(self, _: Sequence[Kept], error: Exception) -> None:
        if not isinstance(error, CacheError):  # a bug of ours, which the loop tells of
            raise error
        self._do_without(error)

    def _look_up(self, requests: Sequence[Request]) -> list[Reply | None]:
        """In the journals, and what is in none of them in the store."""
        replayed: dict[str, Reply] = {}
        for journal in self._journals:
            replayed |= journal.find_all([one.call_id for one in requests if one.call_id not in replayed])
        stored = self._stored({request.key for request in requests if request.call_id not in replayed})
        found = [replayed.get(request.call_id) or stored.get(request.key) for request in requests]
        return [None if reply is None else served(reply) for reply in found]

    def _stored(self, keys: set[str]) -> dict[str, Reply]:
        if self._store is None or not keys:
            return {}
        try:
            return self._store.find_all(keys)
        except CacheError as exc:
            self._do_without(exc)
            return {}

    def _do_without(self, error: CacheError) -> None:
        if self._store is None:  # others of the group have said so
            return
        self._store = None
        self._notes.append(f"{error.message} It is not used any more in this run; what is paid for is not shared.")

    def _pay(self, request: Request, asked: asyncio.Future[Reply]) -> None:
        if (waiting := self._waiting.get(request.call_id)) is not None:
            waiting.append(asked)
            return
        # A task of its own: an asker that goes away takes away neither the reply that others wait for, nor the commit
        # of what is paid for by now.
        task = asyncio.get_running_loop().create_task(self._backend.complete(request))
        self._flying[request.call_id] = task
        task.add_done_callback(partial(self._answered, request))
        self._waiting[request.call_id] = [asked]

    def _answered(self, request: Request, task: asyncio.Task[Reply]) -> None:
        """Make the reply safe, if there is one."""
        del self._flying[request.call_id]
        if not task.cancelled() and task.exception() is None and self._commits is not None:
            self._commits.add((request, task.result()))
            return
        self._release(request)
        if task.cancelled():
            for asked in self._waiting.pop(request.call_id):
                asked.cancel()
        elif (error := task.exception()) is not None:
            self._fail(request, error)
        else:
            self._land(request, task.result())

    def _commit(self, answered: Sequence[_Answered]) -> None:
        assert self._journal is not None
        self._journal.commit_all([(request.call_id, reply) for request, reply in answered])

    def _committed(self, answered: Sequence[_Answered]) -> None:
        """All places first: calls that go out one after the other wake the server once, and not once each."""
        for request, _ in answered:
            self._release(request)
        for request, reply in answered:
            self._land(request, reply)

    def _not_committed(self, answered: Sequence[_Answered], error: Exception) -> None:
        for request, _ in answered:
            self._release(request)
            self._fail(request, copy(error))  # one object would gather the traceback of every request

    def _land(self, request: Request, reply: Reply) -> None:
        payer, *others = self._waiting.pop(request.call_id)
        if not payer.done():
            payer.set_result(reply)
        for asked in others:
            if not asked.done():
                asked.set_result(served(reply))

    def _fail(self, request: Request, error: BaseException) -> None:
        if isinstance(error, CacheError):
            self._stop.set()
        for asked in self._waiting.pop(request.call_id):
            if not asked.done():
                asked.set_exception(error)

    def _release(self, request: Request) -> None:
        """Nobody needs to wait any more for the place that a call had."""
        if self._done is not None:
            self._done(request)
