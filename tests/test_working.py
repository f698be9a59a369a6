"""N workers over one iterator: bounded, stoppable, and no item lost without a word."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from judge.working import each, together


class Counted:
    """An iterator that knows how far it was read."""

    def __init__(self, length: int) -> None:
        self.read = 0
        self._length = length

    def __iter__(self) -> Iterator[int]:
        while self.read < self._length:
            self.read += 1
            yield self.read


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_each_works_on_every_item_once_and_reads_no_further_than_it_works(concurrency: int) -> None:
    items, done, ahead = Counted(20), [], []
    in_work = most = 0

    async def work(item: int) -> None:
        nonlocal in_work, most
        in_work += 1
        most = max(most, in_work)
        ahead.append(items.read - len(done))
        await asyncio.sleep(0.0001 * (item % 3))
        in_work -= 1
        done.append(item)

    asyncio.run(each(items, work, concurrency=concurrency))
    assert sorted(done) == list(range(1, 21))
    assert most == min(concurrency, 20)
    assert max(ahead) <= concurrency


def test_each_raises_the_first_error_and_begins_nothing_more() -> None:
    items, begun, cancelled = Counted(100), [], []

    async def work(item: int) -> None:
        begun.append(item)
        try:
            await asyncio.sleep(5 if item != 3 else 0.01)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 3"):
        asyncio.run(each(items, work, concurrency=4))
    assert begun == [1, 2, 3, 4]
    assert sorted(cancelled) == [1, 2, 4]
    assert items.read == 4


def test_each_of_nothing() -> None:
    async def work(_: object) -> None:
        raise AssertionError

    asyncio.run(each([], work, concurrency=4))


def test_stop_ends_what_has_not_begun_and_lets_the_rest_finish() -> None:
    async def scene() -> tuple[list[int], list[int], int]:
        items, begun, done, stop, sixth = Counted(100), [], [], asyncio.Event(), asyncio.Event()

        async def work(item: int) -> None:
            begun.append(item)
            if item == 2:
                await sixth.wait()
                stop.set()
            elif item == 6:
                sixth.set()
            if item != 1:
                await stop.wait()
            done.append(item)

        await each(items, work, concurrency=5, stop=stop)
        return begun, done, items.read

    begun, done, read = asyncio.run(scene())
    # 1 ends first and makes place for 6; then 2 sets the event.
    assert begun == [1, 2, 3, 4, 5, 6]
    assert sorted(done) == begun
    assert read == 6


def test_stop_set_while_a_worker_rests_between_items() -> None:
    """A signal comes when it likes: also between the end of one item and the beginning of the next."""

    async def scene() -> tuple[list[int], int]:
        items, begun, stop = Counted(100), [], asyncio.Event()

        async def work(item: int) -> None:
            begun.append(item)
            asyncio.get_running_loop().call_soon(stop.set)  # runs as soon as this worker gives way

        await each(items, work, concurrency=1, stop=stop)
        return begun, items.read

    assert asyncio.run(scene()) == ([1], 1)


def test_stop_set_before_the_start() -> None:
    async def scene() -> int:
        items, stop = Counted(100), asyncio.Event()
        stop.set()

        async def work(_: int) -> None:
            raise AssertionError

        await each(items, work, concurrency=3, stop=stop)
        return items.read

    assert asyncio.run(scene()) == 0


def test_work_that_never_waits_does_not_starve_the_loop() -> None:
    async def scene() -> int:
        turns = 0

        async def work(_: int) -> None:
            pass

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        watching = asyncio.ensure_future(other())
        await each(range(200), work, concurrency=1)
        watching.cancel()
        return turns

    assert asyncio.run(scene()) >= 200


def test_reading_beside_the_loop_gives_every_item_and_the_end() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        done.append(item)

    asyncio.run(each(Counted(50), work, concurrency=4, reading_waits=True))
    assert sorted(done) == list(range(1, 51))


def test_an_error_while_reading_beside_the_loop_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("not a record")

    async def work(_: int) -> None:
        pass

    with pytest.raises(ValueError, match="not a record"):
        asyncio.run(each(items(), work, concurrency=3, reading_waits=True))


def test_a_writer_that_pauses_holds_up_neither_the_work_nor_the_end() -> None:
    """A pipe gives one line and then nothing: that line's work goes on, and stop ends the wait for the next."""
    reader, writer = os.pipe()
    os.write(writer, b"first\n")
    seen: list[bytes] = []

    async def scene() -> None:
        stop = asyncio.Event()

        async def work(line: bytes) -> None:
            await asyncio.sleep(0.05)  # would never end if the reading were done in the loop
            seen.append(line)
            stop.set()

        with os.fdopen(reader, "rb", buffering=0) as lines:
            await asyncio.wait_for(each(lines, work, concurrency=2, stop=stop, reading_waits=True), timeout=10)
            os.close(writer)
            for thread in threading.enumerate():
                if thread.name == "judge-reading":
                    thread.join(10)

    asyncio.run(scene())
    assert seen == [b"first\n"]


async def _after(seconds: float, value: object) -> object:
    await asyncio.sleep(seconds)
    if isinstance(value, BaseException):
        raise value
    return value


def test_together_gives_results_in_order() -> None:
    work = lambda: together([_after(0.02, "a"), _after(0.0, "b"), _after(0.01, "c")])  # noqa: E731
    assert asyncio.run(work()) == ["a", "b", "c"]


def test_the_error_that_comes_first_ends_the_rest_whichever_place_it_has() -> None:
    async def scene() -> list[str]:
        ended = []

        async def slow(name: str) -> None:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                ended.append(name)
                raise ValueError(name) from None

        cause = KeyError("its cause")
        error = RuntimeError("first")
        error.__cause__ = cause
        with pytest.raises(RuntimeError, match="first") as caught:
            await together([slow("a"), slow("b"), _after(0.01, error), slow("c")])
        assert caught.value.__cause__ is cause
        return ended

    assert asyncio.run(scene()) == ["a", "b", "c"]


def test_who_is_cancelled_ends_its_work_and_stays_cancelled() -> None:
    async def scene() -> list[str]:
        ended = []

        async def slow(name: str) -> None:
            try:
                await asyncio.sleep(5)
            finally:
                await asyncio.sleep(0)  # the end is waited for
                ended.append(name)

        asker = asyncio.ensure_future(together([slow("a"), slow("b")]))
        await asyncio.sleep(0.01)
        asker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asker
        return ended

    assert asyncio.run(scene()) == ["a", "b"]


def test_work_that_ignores_a_cancellation_does_not_hide_it() -> None:
    async def scene() -> None:
        async def deaf() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(5)

        asker = asyncio.ensure_future(together([deaf(), deaf()]))
        await asyncio.sleep(0.01)
        asker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asker

    asyncio.run(scene())
