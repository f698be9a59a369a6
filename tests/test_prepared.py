"""A backend that takes long to start is waited for outside the deadline, and only by who needs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from run_kit import make_request

from judge.backend import Reply
from judge.calls.cached import Cached
from judge.calls.deadline import Deadline
from judge.calls.prepared import Prepared
from judge.calls.store import Store
from judge.errors import FatalError
from judge.prompt import Request

REPLY = Reply(text="{}", finish_reason="stop")


class Slow:
    """Takes 0.2 s to start, and answers at once."""

    def __init__(self, error: FatalError | None = None) -> None:
        self.error = error
        self.starts = 0
        self._started: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        if self._started is None:
            self.starts += 1
            self._started = asyncio.ensure_future(self._start())
        await asyncio.shield(self._started)

    async def _start(self) -> None:
        await asyncio.sleep(0.2)
        if self.error is not None:
            raise self.error

    async def complete(self, request: Request) -> Reply:
        assert self._started is not None and self._started.done()
        return REPLY


def test_a_start_is_no_part_of_the_deadline_and_happens_once() -> None:
    async def main() -> None:
        slow = Slow()
        backend = Prepared(Deadline(slow, timeout_s=0.1), slow)
        replies = await asyncio.gather(*(backend.complete(make_request(number)) for number in range(1, 6)))
        assert [reply.text for reply in replies] == ["{}"] * 5
        assert slow.starts == 1

    asyncio.run(main())


def test_every_call_is_told_why_it_cannot_start() -> None:
    async def main() -> None:
        slow = Slow(FatalError("no memory.", code="out_of_memory"))
        backend = Prepared(slow, slow)
        told = await asyncio.gather(*(backend.complete(make_request(n)) for n in (1, 2)), return_exceptions=True)
        assert [str(error) for error in told] == ["no memory."] * 2

    asyncio.run(main())


def test_a_run_that_is_stopped_waits_for_no_start() -> None:
    async def main() -> None:
        slow, stop = Slow(), asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        with pytest.raises(FatalError) as caught:
            await Prepared(slow, slow, stop=stop).complete(make_request())
        assert caught.value.code == "stopped"
        await slow.ready()  # what waits for it elsewhere is not cancelled with it

    asyncio.run(main())


def test_a_stored_reply_needs_no_start(tmp_path: Path) -> None:
    async def main() -> None:
        store, slow = Store(tmp_path), Slow()
        backend = Cached(Prepared(slow, slow), store=store)
        backend.keep(make_request(), await backend.complete(make_request()))
        await backend.drain(timeout_s=1)
        again = Slow()
        reply = await Cached(Prepared(again, again), store=store).complete(make_request())
        store.close()
        assert reply.cached and again.starts == 0

    asyncio.run(main())
