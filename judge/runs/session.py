"""Blocks of the input -> parts of a run directory: one process at work, alone or on its share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from judge.asking import Asker
from judge.connect import connect
from judge.errors import FatalError, InputError
from judge.journal.journal import Journal
from judge.outcome import Outcome, failed_record
from judge.progress import Progress
from judge.purse import Purse
from judge.runs.block import Block, block_of, open_block
from judge.runs.directory import RunDirectory
from judge.settings import Settings
from judge.traces.lines import Line
from judge.traces.reading import Reading
from judge.working import each

__all__ = ["Ended", "Session", "Share"]

_MOST_WAITING = 2  # blocks, besides the one that is being written


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which blocks a process works on: every `of`-th, from `index`."""

    index: int = 0
    of: int = 1

    def has(self, block: int) -> bool:
        """Whether this block, counted from 1, is in it."""
        return (block - 1) % self.of == self.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How far the input was worked through.

    Attributes:
        read: Rows that were read, those of other shares too.
        read_to_end: The input has no more rows.
        nothing_left: Nor is there anything else to read, the limit being reached.
        all_done: Every row of the share that was read is scored or has failed.
    """

    read: int
    read_to_end: bool
    nothing_left: bool
    all_done: bool


class Session:
    """Works through a share of the input, and writes a block as soon as its records are done.

    Args:
        directory: Locked by this process or by the one that started it.
        settings: Judge and rubric.
        journal: Replays and keeps what is paid for; None for a judge that is free.
        reading: The input, opened.
        progress: Counts as the session goes on.
        stop: When set, nothing more is sent; what is under way is waited for.
        share: Which blocks.
        purse: Of a budget that several sessions share; None where this one has it alone.

    Attributes:
        notes: What the backend had to do differently.
    """

    def __init__(
        self,
        directory: RunDirectory,
        settings: Settings,
        journal: Journal | None,
        reading: Reading,
        *,
        progress: Progress,
        stop: asyncio.Event,
        share: Share = Share(),
        purse: Purse | None = None,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._journal = journal
        self._reading = reading
        self._progress = progress
        self._stop = stop
        self._share = share
        self._purse = purse
        self._taken = 0
        self._blocks: dict[int, Block] = {}
        # One thread: parts are written beside the asking, one after the other.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge-parts")
        self._writing: list[Future[None]] = []
        self.notes: list[str] = []

    async def run(self) -> Ended:
        """Work until the input ends or the session is stopped.

        Raises:
            FatalError, CacheError: What is done by then is kept.
        """
        try:
            async with connect(
                self._settings,
                journal=self._journal,
                stop=self._stop,
                throttled=self._progress.throttle,
                purse=self._purse,
            ) as connection:
                self.notes = connection.notes
                await self._work_through(connection.asker)
        except BaseException:  # what is done is kept, where it can be; a full disk is met here a second time
            with suppress(OSError):
                self._end()
            raise
        return self._end()

    async def _work_through(self, asker: Asker) -> None:
        async def work(line: Line) -> None:
            await self._work(line, asker)

        await each(
            self._ours(),
            work,
            concurrency=self._settings.concurrency,
            stop=self._stop,
            reading_waits=self._reading.lines.waits,
        )

    def _ours(self) -> Iterator[Line]:
        for line in self._reading.lines:
            if self._share.has(block_of(line[0])):
                self._taken += 1
                yield line

    async def _work(self, line: Line, asker: Asker) -> None:
        await self._room()
        _, (number, _) = line
        self._progress.read += 1
        block = self._block(block_of(line[0]))
        try:
            outcome = await self._judge(block, line, asker)
        except FatalError as exc:
            if exc.code == "stopped":  # it needs another request, which a resume will send
                return
            raise
        if outcome is None:
            block.kept.add(number)
            self._progress.keep()
        else:
            block.fresh.add(outcome)
            self._progress.add(outcome)
        if block.full:
            del self._blocks[block.number]
            self._write(block, whole=True)

    async def _judge(self, block: Block, line: Line, asker: Asker) -> Outcome | None:
        """The outcome of a line; None where the rows of an earlier session hold."""
        _, (number, row) = line
        try:
            record = await self._reading.record(number, row)
        except InputError as exc:
            return failed_record(exc, record=None, line=number, raw=row if isinstance(row, bytes) else None)
        return None if block.holds(record) else await asker.judge(record)

    def _block(self, number: int) -> Block:
        if number not in self._blocks:
            self._blocks[number] = open_block(number, self._directory, self._journal, self._settings.labels)
        return self._blocks[number]

    def _write(self, block: Block, *, whole: bool) -> None:
        self._writing = [write for write in self._writing if not write.done() or write.result()]
        self._writing.append(self._writer.submit(block.write, self._directory, whole=whole))

    async def _room(self) -> None:
        """Wait while the disk is slower than the judge: a block that waits to be written holds all its rows."""
        while len(waiting := [write for write in self._writing if not write.done()]) > _MOST_WAITING:
            # Shielded: a block is written also where whoever waits for it is stopped.
            await asyncio.shield(asyncio.wrap_future(waiting[0]))

    def _end(self) -> Ended:
        lines = self._reading.lines
        all_done = self._progress.done == self._taken
        try:
            for block in self._blocks.values():
                self._write(block, whole=lines.read_to_end and all_done)
        finally:  # an earlier block may have failed here, and nothing may write once the run's lock is let go
            self._writer.shutdown(wait=True)
        for write in self._writing:
            write.result()
        return Ended(read=lines.read, read_to_end=lines.read_to_end, nothing_left=lines.nothing_left, all_done=all_done)
