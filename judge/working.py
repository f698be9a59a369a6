"""Items -> work done on each: N workers over one iterator, as one task an item costs a gigabyte a million."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

__all__ = ["END", "each", "parted", "reader", "together", "within"]

T = TypeVar("T")
END: Final = object()
"""What a reader gives when nothing is left."""


async def each(
    items: Iterable[T],
    work: Callable[[T], Awaitable[None]],
    *,
    concurrency: int,
    stop: asyncio.Event | None = None,
    reading_waits: bool = False,
) -> None:
    """Do `work` on every item.

    Args:
        items: Read on demand, one at a time.
        work: May raise; the first error ends the others and is raised.
        concurrency: Number of workers, at least 1.
        stop: When set, no further item is begun; those in work are finished.
        reading_waits: Reading an item may take long (a pipe whose writer pauses), so it is done beside the loop.
    """
    stop = stop or asyncio.Event()
    read = reader(iter(items), stop, waits=reading_waits)

    async def worker() -> None:
        while not stop.is_set():  # asked before an item is read: none is read and then dropped
            item = await read()
            if item is END:
                return
            await work(item)  # type: ignore[arg-type]  # everything but END is an item
            await asyncio.sleep(0)  # a backend that computes in place must not starve signals and progress

    await together([worker() for _ in range(concurrency)])


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Leave what is not done after some seconds, without an error: whoever asks looks at what is there.

    Args:
        seconds: None waits for all of it.

    Raises:
        TimeoutError: One of the work's own.
    """
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            yield
    except TimeoutError:
        if not clock.expired():
            raise


async def together(work: Sequence[Awaitable[T]]) -> list[T]:
    """Results in order; the first error cancels the rest, so that nothing goes on being paid for."""
    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(job) for job in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def reader(items: Iterator[T], stop: asyncio.Event, *, waits: bool) -> Callable[[], Awaitable[object]]:
    """A function that reads the next item, or END.

    Args:
        items: What is read.
        stop: When set, a wait for the next item ends with END.
        waits: Reading may take long, so it is done beside the loop.
    """
    return _beside(items, stop) if waits else _in_place(items)


def _in_place(items: Iterator[T]) -> Callable[[], Awaitable[object]]:
    async def read() -> object:
        return next(items, END)

    return read


def _beside(items: Iterator[T], stop: asyncio.Event) -> Callable[[], Awaitable[object]]:
    """Read in daemon threads: one that waits for ever ends with the process, which a pool's thread would hold up."""
    turn = asyncio.Lock()

    async def read() -> object:
        async with turn:
            if stop.is_set():
                return END
            reading, stopping = _thread(items), asyncio.ensure_future(stop.wait())
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            return reading.result() if reading.done() else END

    return read


def _thread(items: Iterator[T]) -> asyncio.Future[object]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(found: object, error: Exception | None) -> None:
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)

    def read() -> None:
        found, error = None, None
        try:
            found = next(items, END)
        except Exception as exc:  # noqa: BLE001 - raised again where the item is awaited
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=read, name="judge-reading", daemon=True).start()
    return future


def parted(items: Iterable[T], apart: Callable[[T], bool]) -> tuple[list[T], list[T]]:
    """Those of which it does not hold, and those of which it does."""
    parts: tuple[list[T], list[T]] = ([], [])
    for item in items:
        parts[apart(item)].append(item)
    return parts
