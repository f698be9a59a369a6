"""Things that are asked at the same time: each reply is heard when it comes, whatever the others do."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import pytest
from test_asking import PKR, PROMPTS, make_record

from judge.backend import Reply
from judge.calls.cached import Cached
from judge.conversation import Conversation
from judge.errors import CacheError, FatalError, MalformedReplyError, ReplyError, TransientError
from judge.probe import build_probes
from judge.prompt import JudgeModel, Request

RECORD = make_record({"perception": ["a"], "knowledge": ["b"], "rationale": ["c"]})
REQUESTS = PROMPTS[True].build_requests(build_probes(RECORD, PKR, "axis"), JudgeModel(name="x"))
HANGS = "hangs"
Told = str | BaseException


class Server:
    """Answers by axis and number of the ask: with a text, with an error, or never; the cache is around it."""

    def __init__(self, told: Mapping[str, list[Told]]) -> None:
        self.told = told
        self.kept: list[str] = []
        self.cached = Cached(self)
        self.talk = Conversation(self.cached, keep=self.keep, complain=lambda request, faults: request)

    async def complete(self, request: Request) -> Reply:
        axis = request.probes.asked[0].axis
        await asyncio.sleep(0)
        told = self.told[axis][request.ask]
        if told == HANGS:
            await asyncio.sleep(60)
        if isinstance(told, BaseException):
            raise told
        return Reply(text=str(told))

    def keep(self, request: Request, reply: Reply) -> None:
        self.kept.append(request.probes.asked[0].axis)

    def run(self, scene: Callable[[], Any]) -> Any:
        """And nothing that nobody waits for is told of at the end."""

        async def main() -> Any:
            untold: list[Any] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: untold.append(context))
            try:
                return await scene()
            finally:
                await self.cached.drain(timeout_s=0)
                gc.collect()
                assert untold == []

        return asyncio.run(main())


def read(request: Request, reply: Reply) -> tuple[str | None, ReplyError | None]:
    return (reply.text, None) if reply.text != "bad" else (None, MalformedReplyError("is no JSON."))


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


def test_what_came_is_in_the_order_of_the_requests() -> None:
    server = Server({"perception": ["one"], "knowledge": ["bad", "two"], "rationale": [TransientError("x", code="t")]})
    heard = server.run(lambda: server.talk.hold_all(REQUESTS, read))
    assert [one.value for one in heard] == ["one", "two", None]
    assert [[call.failure for call in one.calls] for one in heard] == [[None], ["not_json", None], ["t"]]
    assert [one.stage for one in heard] == ["reply", "reply", "ask"]
    assert sorted(server.kept) == ["knowledge", "perception"]


def test_a_reply_is_kept_though_another_hangs_and_the_asker_goes_away() -> None:
    server = Server({"perception": [HANGS], "knowledge": ["bad", "two"], "rationale": ["three"]})

    async def scene() -> None:
        asker = asyncio.ensure_future(server.talk.hold_all(REQUESTS, read))
        await until(lambda: len(server.kept) == 2)  # the second after a re-ask, which waits for nobody
        asker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asker

    server.run(scene)
    assert sorted(server.kept) == ["knowledge", "rationale"]


@pytest.mark.parametrize("error", [FatalError("no", code="auth"), CacheError("full"), ValueError("our bug")], ids=repr)
@pytest.mark.parametrize("ask", [0, 1])
def test_the_first_error_is_raised_though_another_hangs(error: Exception, ask: int) -> None:
    server = Server({"perception": [HANGS], "knowledge": ["two"], "rationale": [*["bad"] * ask, error]})
    with pytest.raises(type(error)) as raised:
        server.run(lambda: server.talk.hold_all(REQUESTS, read))
    assert raised.value is error
    assert server.kept == ["knowledge"]


def test_an_error_while_a_reply_is_read_is_raised() -> None:
    def broken(request: Request, reply: Reply) -> tuple[str | None, ReplyError | None]:
        raise ZeroDivisionError

    server = Server({"perception": [HANGS], "knowledge": ["two"], "rationale": ["three"]})
    with pytest.raises(ZeroDivisionError):
        server.run(lambda: server.talk.hold_all(REQUESTS, broken))


def test_a_call_is_made_in_the_context_of_its_asker() -> None:
    """As whoever traces calls expects."""
    who, seen = ContextVar[str]("who"), list[str]()

    class Traced:
        async def complete(self, request: Request) -> Reply:
            seen.append(who.get())
            return Reply(text="yes")

    async def main() -> None:
        cached = Cached(Traced())

        async def ask(name: str, request: Request) -> None:
            who.set(name)
            await cached.complete(request)

        await asyncio.gather(*(ask(str(number), request) for number, request in enumerate(REQUESTS)))

    asyncio.run(main())
    assert sorted(seen) == ["0", "1", "2"]
