"""Trace files × Settings -> a run directory of preferences: which of two traces is better, by a judge.

A judge is asked about each pair and axis in both orders. What is paid for is in the journal, so a run that was killed
goes on without paying twice: the same command walks the same chain, and writes the same tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs
from pydantic import JsonValue

from judge.connect import Connection, connect
from judge.errors import FatalError
from judge.journal.journal import Journal
from judge.journal.recovery import open_journal
from judge.outcome import Call
from judge.pairs.asking import PairAsker, PairOutcome
from judge.pairs.grouping import Grouped
from judge.pairs.inputs import Paired, read_pairs, refuse_no_pair
from judge.pairs.pair import Pair
from judge.pairs.table import Compared, build_compared
from judge.progress import Progress
from judge.runs.claim import refuse_other_judge
from judge.runs.directory import RunDirectory, disk_errors
from judge.runs.pair_files import PairFiles, has_outcomes
from judge.runs.story import Story
from judge.settings import Settings
from judge.traces.reading import Traces
from judge.usable import refuse_blind, refuse_unusable, sees_images
from judge.working import each

__all__ = ["CompareReport", "compare_files", "pair_asker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareReport:
    """How a session ended; pairs read = judged + failed where it is finished.

    Attributes:
        finished: Every pair is judged or has failed; else the same command goes on.
        judge, rubric: Who was asked, and what about.
        models: In the order in which they appear.
        read: Pairs of the input.
        judged: Of those, the ones with an outcome on every axis; `failed` are the others that are done.
        records: Rows of the input: read = paired + unpaired; what is unpaired is in `failures` too.
        compared: The tables, of what was reached.
        spent: As `Journal.spent`, over all sessions.
        notes: What the backend had to do differently.
    """

    finished: bool
    judge: str
    rubric: str
    models: tuple[str, ...]
    read: int
    judged: int
    failed: int
    records: dict[str, int]
    compared: Compared
    spent: dict[str, int | float | None]
    notes: tuple[str, ...]


def pair_asker(settings: Settings, connection: Connection) -> PairAsker:
    """Compares traces over a connection."""
    way = settings.pair_way
    return PairAsker(way, connection.talk(way.prompt.complain), sees_images=sees_images(settings))


async def compare_files(
    inputs: Sequence[Traces],
    out: Path,
    settings: Settings,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    counted: Callable[[Grouped], None] | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> CompareReport:
    """Compare the traces of two models or more, or go on with it.

    Args:
        inputs: One file or more; all records that share an id are compared, two by two.
        out: The run directory.
        settings: Judge and rubric, of `pairs`; those of an earlier session must be the same.
        limit: Record ids that are looked at, at most.
        overwrite: Start afresh whatever is there.
        progress: Counts pairs as the run goes on.
        counted: Told of what there is to compare, before anything is touched or paid; may raise an InputError.
        stop: When set, nothing more is sent.
        tell: Given what a user should know before anything more is paid.

    Raises:
        ConfigError: Judge, directory or settings cannot be used; nothing was paid.
        InputError: An input cannot be used, or no two traces can be compared; nothing in `out` was touched.
        FatalError: The provider refuses every request, or is down.
        CacheError: The disk is full or broken. What was committed is safe; the same call goes on.
    """
    refuse_unusable(settings)
    stop, directory = stop or asyncio.Event(), RunDirectory(out, {})
    with disk_errors(out):
        async with AsyncExitStack() as stack:
            stack.enter_context(directory.locked())
            paired = await stack.enter_async_context(read_pairs(inputs, stop, limit=limit))
            refuse_no_pair(paired)
            if counted is not None:
                counted(paired.grouped)
            if any(one.opens is not None for one in (paired.grouped.pairs[0].a, paired.grouped.pairs[0].b)):
                refuse_blind(settings)
            if overwrite:
                directory.clear()
            journal = open_journal(directory.journal_path)
            stack.callback(journal.close)
            if tell is not None:
                for note in journal.notes:
                    tell(note)
            refuse_other_judge(out, settings, paid=bool(journal.spent()["replies"]) or has_outcomes(out))
            session = _Session(inputs, paired, directory, settings, journal, progress or Progress(), stop)
            return await session.run()


class _Session:
    """Works through the pairs once, and writes what came of them."""

    def __init__(
        self,
        inputs: Sequence[Traces],
        paired: Paired,
        directory: RunDirectory,
        settings: Settings,
        journal: Journal,
        progress: Progress,
        stop: asyncio.Event,
    ) -> None:
        self._paired = paired
        self._settings = settings
        self._journal = journal
        self._progress = progress
        self._stop = stop
        self._files = PairFiles(directory)
        self._story = Story(directory, settings, progress)
        self._inputs: list[JsonValue] = [one.name for one in inputs]
        self._done: dict[int, PairOutcome] = {}
        self._notes: list[str] = []

    async def run(self) -> CompareReport:
        """Work until all pairs are done or the session is stopped.

        Raises:
            FatalError, CacheError: What is done by then is kept.
        """
        self._journal.retire(self._files.take_failed_calls())
        self._write_story("running")
        try:
            async with connect(
                self._settings, journal=self._journal, stop=self._stop, throttled=self._progress.throttle
            ) as connection:
                self._notes = connection.notes
                await self._work_through(pair_asker(self._settings, connection))
        except BaseException:  # what is done is kept, where it can be; a full disk is met here a second time
            with suppress(OSError):
                self._end()
            raise
        return self._end()

    async def _work_through(self, asker: PairAsker) -> None:
        async def work(numbered: tuple[int, Pair]) -> None:
            await self._work(*numbered, asker)

        pairs, concurrency = self._paired.grouped.pairs, self._settings.concurrency
        await each(enumerate(pairs), work, concurrency=concurrency, stop=self._stop)

    async def _work(self, place: int, pair: Pair, asker: PairAsker) -> None:
        self._progress.read += 1
        try:
            outcome = await asker.judge(pair)
        except FatalError as exc:
            if exc.code == "stopped":  # it needs another request, which the next session will send
                return
            raise
        self._progress.count(outcome.calls)
        self._progress.scored += outcome.judged
        self._progress.failed += not outcome.judged
        self._done[place] = replace(outcome, calls=tuple(map(_without_text, outcome.calls)))

    def _end(self) -> CompareReport:
        outcomes = [outcome for _, outcome in sorted(self._done.items())]
        finished = len(outcomes) == len(self._paired.grouped.pairs)
        as_paid = list(_as_paid(outcomes, self._journal))
        compared = build_compared(as_paid, self._paired.unpaired, self._settings.labels)
        spent, notes = dict(self._journal.spent()), (*self._journal.notes, *self._notes)
        judged = sum(outcome.judged for outcome in outcomes)
        counts = {"read": len(self._paired.grouped.pairs), "judged": judged, "failed": len(outcomes) - judged}
        self._files.write(compared, judged=judged, finished=finished)
        self._write_story("finished" if finished else "stopped", counts={**counts}, spent=spent, notes=notes)
        return CompareReport(
            finished=finished,
            judge=self._settings.labels.judge,
            rubric=self._settings.labels.rubric,
            models=self._paired.grouped.models,
            records=self._paired.records,
            compared=compared,
            spent=spent,
            notes=notes,
            **counts,
        )

    def _write_story(
        self,
        status: str,
        *,
        counts: dict[str, JsonValue] | None = None,
        spent: dict[str, int | float | None] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._story.write(
            status,
            about={
                "inputs": self._inputs,
                "models": [*self._paired.grouped.models],
                "axes": [*self._settings.pair_way.prompt.asked],
            },
            counted={"counts": counts or {}, "records": {**self._paired.records}},
            spent=spent,
            notes=notes,
        )


def _without_text(call: Call) -> Call:
    """Replies are in the journal, and those of all pairs would take more memory than their traces."""
    return call if call.reply is None else structs.replace(call, reply=structs.replace(call.reply, text=""))


def _as_paid(outcomes: Sequence[PairOutcome], journal: Journal) -> Iterator[PairOutcome]:
    """With each call that this run paid for as it was paid, in whichever session: a resume tells the same of it."""
    calls = [call for outcome in outcomes for call in outcome.calls]
    told = {call.call_id for call in calls if call.reply is not None and not call.reply.cached}

    def as_paid(call: Call) -> Call:
        paid = None if call.reply is None or call.call_id in told else journal.find(call.call_id)
        told.add(call.call_id)
        return call if paid is None else structs.replace(call, reply=paid, attempts=paid.attempts)

    for outcome in outcomes:
        yield replace(outcome, calls=tuple(map(as_paid, outcome.calls)))
