"""A loop whose time passes at once, and servers with rate limits in it: minutes of a run take milliseconds."""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from run_kit import make_request

from judge.backend import Backend, Reply
from judge.errors import TransientError
from judge.prompt import Request

T = TypeVar("T")
REQUEST = make_request()


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: whatever the loop would wait for has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for something that will never come"
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, T]) -> T:
    random.seed(0)  # jitter too
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Answering:
    """A server that refuses by `refuses(now)`: None lets through, else what it says to wait (0: it does not say).

    Refusals and the way there take about `way_s`, answers `takes_s` on top; each up to half as much more or less.
    """

    refuses: Callable[[float], float | None] = lambda _: None
    way_s: float = 0.01
    takes_s: float = 0.01
    sent: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    async def complete(self, request: Request) -> Reply:
        self.sent.append(now())
        await asyncio.sleep(self.way_s * random.uniform(0.5, 1.5))
        wait_s = self.refuses(now())
        if wait_s is not None:
            self.refused.append(now())
            raise TransientError("busy", throttled=True, retry_after_s=wait_s or None, code="rate_limit")
        await asyncio.sleep(self.takes_s * random.uniform(0.5, 1.5))
        self.answered.append(now())
        return Reply(text="ok", prompt_tokens=80, completion_tokens=20)


def bucket(
    per_s: Callable[[float], float], *, told: Callable[[float], float] = float
) -> Callable[[float], float | None]:
    """A token bucket that holds a second's share; `told` makes a Retry-After of the time until the next token."""
    level, filled_at = per_s(0), 0.0

    def refuses(at: float) -> float | None:
        nonlocal level, filled_at
        rate = per_s(at)
        level, filled_at = min(max(1, rate), level + rate * (at - filled_at)), at
        if level >= 1:
            level -= 1
            return None
        return told((1 - level) / rate)

    return refuses


def window(
    limit: int, seconds: float, *, told: Callable[[float], float] = math.ceil
) -> Callable[[float], float | None]:
    """So many in a window, then nothing until it ends."""
    counted: dict[int, int] = {}

    def refuses(at: float) -> float | None:
        number = int(at / seconds)
        counted[number] = counted.get(number, 0) + 1
        return None if counted[number] <= limit else told((number + 1) * seconds - at)

    return refuses


def untold(_: float) -> float:
    """No Retry-After."""
    return 0.0


async def ask_all(backend: Backend, count: int, *, workers: int = 256) -> float:
    """Ask so often, and say how long that took; an error of one ends all."""
    begun, numbers = now(), iter(range(count))

    async def work() -> None:
        for _ in numbers:
            await backend.complete(REQUEST)

    await asyncio.gather(*(work() for _ in range(workers)))
    return now() - begun
