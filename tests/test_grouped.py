"""Writes in groups: in order, each once, at most 64 together, and an error for everybody whose write it was."""

import asyncio
import threading

import pytest

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


def test_what_comes_in_during_a_write_is_the_next_group():
    async def work():
        disk = Disk()
        grouped = Grouped(disk.write)
        first = grouped.put(0)
        await asyncio.sleep(0.01)  # it is being written
        rest = [grouped.put(number) for number in range(1, 130)]
        assert not any(written.done() for written in (first, *rest))
        disk.free.set()
        await asyncio.gather(first, *rest)
        await grouped.aclose()
        return disk.groups

    groups = asyncio.run(work())
    assert [number for group in groups for number in group] == list(range(130))
    assert [len(group) for group in groups] == [1, 64, 64, 1]


def test_one_turn_of_the_loop_is_one_group():
    async def work():
        disk = Disk()
        disk.free.set()
        grouped = Grouped(disk.write)
        await asyncio.gather(*[grouped.put(number) for number in range(10)])
        await grouped.aclose()
        return disk.groups

    assert asyncio.run(work()) == [list(range(10))]


def test_an_error_is_for_everybody_of_the_group_and_for_nobody_else():
    async def work():
        disk = Disk(error=OSError("full"))
        disk.free.set()
        grouped = Grouped(disk.write)
        failed = await asyncio.gather(grouped.put("a"), grouped.put("b"), return_exceptions=True)
        disk.error = None
        await grouped.put("c")
        await grouped.aclose()
        return failed, disk.groups

    failed, groups = asyncio.run(work())
    assert [str(error) for error in failed] == ["full", "full"]
    assert failed[0] is not failed[1]
    assert groups == [["a", "b"], ["c"]]


def test_who_goes_away_takes_nothing_with_him():
    async def work():
        disk = Disk()
        grouped = Grouped(disk.write)
        waiting = asyncio.ensure_future(asyncio.wait_for(grouped.put("paid"), timeout=0.01))
        with pytest.raises(TimeoutError):
            await waiting
        disk.free.set()
        await grouped.put("next")
        await grouped.aclose()
        return disk.groups

    assert asyncio.run(work()) == [["paid"], ["next"]]


def test_closing_waits_for_what_is_under_way():
    async def work():
        disk = Disk()
        grouped = Grouped(disk.write)
        grouped.put("paid")
        asyncio.get_running_loop().call_later(0.05, disk.free.set)
        await grouped.aclose()
        return disk.groups

    assert asyncio.run(work()) == [["paid"]]


def test_lingering_gathers_and_closing_does_not_wait_for_it():
    async def work():
        disk = Disk()
        disk.free.set()
        grouped = Grouped(disk.write, linger_s=0.05, most=3)
        for number in range(4):  # one of each turn of the loop; the last one comes while nothing is written
            written = grouped.put(number)
            await asyncio.sleep(0.001)
        await written
        grouped._linger_s = 60.0
        for number in range(4, 6):
            grouped.put(number)
            await asyncio.sleep(0.001)
        await grouped.aclose()
        return disk.groups

    assert asyncio.run(asyncio.wait_for(work(), 10)) == [[0, 1, 2], [3], [4, 5]]


def test_what_nobody_waits_for_is_written_and_its_error_is_told():
    async def work():
        disk, told = Disk(), []
        disk.free.set()
        grouped = Grouped(disk.write, failed=told.append)
        grouped.leave("a")
        await asyncio.sleep(0.05)
        disk.error = OSError("full")
        grouped.leave("b")
        await grouped.aclose()
        return disk.groups, [str(error) for error in told]

    assert asyncio.run(work()) == ([["a"], ["b"]], ["full"])
