"""Writes in groups: in order, each once, at most 64 together, and whoever asked is told of each, or of its error."""

import asyncio
import threading

from judge.calls.grouped import Grouped


class Disk:
    """What was written, in groups; holds up every write until it is let go."""

    def __init__(self, error=None):
        self.groups, self.error, self.free = [], error, threading.Event()

    def write(self, items):
        self.free.wait(10)
        self.groups.append(list(items))
        if self.error is not None:
            raise self.error


class Told:
    """What the loop was told of, in groups; of errors with their text."""

    def __init__(self):
        self.written, self.failed, self._heard = [], [], asyncio.Event()

    def hear_written(self, items):
        self.written.append(list(items))
        self._heard.set()

    def hear_failed(self, items, error):
        self.failed.append((list(items), str(error)))
        self._heard.set()

    async def of(self, groups):
        while len(self.written) + len(self.failed) < groups:
            await self._heard.wait()
            self._heard.clear()


def begin(*, free=True, **options):
    disk, told = Disk(), Told()
    if free:
        disk.free.set()
    return disk, told, Grouped(disk.write, failed=told.hear_failed, written=told.hear_written, **options)


def run(work):
    return asyncio.run(asyncio.wait_for(work(), 10))


def test_what_comes_in_during_a_write_is_the_next_group():
    async def work():
        disk, told, grouped = begin(free=False)
        grouped.add(0)
        await asyncio.sleep(0.01)  # it is being written
        for number in range(1, 130):
            grouped.add(number)
        assert told.written == []
        disk.free.set()
        await grouped.aclose()
        return disk.groups, told.written, told.failed

    groups, written, failed = run(work)
    assert [number for group in groups for number in group] == list(range(130))
    assert [len(group) for group in groups] == [1, 64, 64, 1]
    assert (written, failed) == (groups, [])


def test_one_turn_of_the_loop_is_one_group():
    async def work():
        disk, told, grouped = begin()
        for number in range(10):
            grouped.add(number)
        await grouped.aclose()
        return disk.groups, told.written

    assert run(work) == ([list(range(10))], [list(range(10))])


def test_an_error_is_told_with_all_of_its_group_and_nothing_else():
    async def work():
        disk, told, grouped = begin()
        disk.error = OSError("full")
        grouped.add("a")
        grouped.add("b")
        await told.of(1)
        disk.error = None
        grouped.add("c")
        await grouped.aclose()
        return disk.groups, told.failed, told.written

    assert run(work) == ([["a", "b"], ["c"]], [(["a", "b"], "full")], [["c"]])


def test_closing_waits_for_what_is_under_way_and_until_it_is_told():
    async def work():
        disk, told, grouped = begin(free=False)
        grouped.add("paid")
        asyncio.get_running_loop().call_later(0.05, disk.free.set)
        await grouped.aclose()
        return disk.groups, told.written

    assert run(work) == ([["paid"]], [["paid"]])


def test_what_fails_while_it_is_closed_is_told_too():
    async def work():
        disk, told, grouped = begin(free=False)
        disk.error = OSError("full")
        grouped.add("paid")
        asyncio.get_running_loop().call_later(0.05, disk.free.set)
        await grouped.aclose()
        return told.failed

    assert run(work) == [(["paid"], "full")]


def test_lingering_gathers_and_closing_does_not_wait_for_it():
    async def work():
        disk, told, grouped = begin(linger_s=0.05, most=3)
        for number in range(4):  # one of each turn of the loop; the last one comes while nothing is written
            grouped.add(number)
            await asyncio.sleep(0.001)
        await told.of(2)
        grouped._linger_s = 60.0
        for number in range(4, 6):
            grouped.add(number)
            await asyncio.sleep(0.001)
        await grouped.aclose()
        return disk.groups

    assert run(work) == [[0, 1, 2], [3], [4, 5]]


def test_who_need_not_hear_of_what_is_written_hears_of_errors():
    async def work():
        disk, told = Disk(), Told()
        disk.free.set()
        grouped = Grouped(disk.write, failed=told.hear_failed)
        grouped.add("a")
        await asyncio.sleep(0.05)
        disk.error = OSError("full")
        grouped.add("b")
        await grouped.aclose()
        return disk.groups, told.failed

    assert run(work) == ([["a"], ["b"]], [(["b"], "full")])


def test_an_error_of_who_is_told_hangs_nobody():
    async def work():
        disk, seen = Disk(), []
        disk.free.set()

        def hear(items):
            seen.append(list(items))
            raise ValueError("a bug of whoever is told")

        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(str(context["exception"])))
        grouped = Grouped(disk.write, failed=Told().hear_failed, written=hear)
        grouped.add("a")
        await asyncio.sleep(0.05)
        grouped.add("b")
        await grouped.aclose()
        return disk.groups, seen

    said = "a bug of whoever is told"
    assert run(work) == ([["a"], ["b"]], [["a"], said, ["b"], said])
