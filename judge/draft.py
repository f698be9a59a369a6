"""Records × Settings -> a file of draft units, which a person edits.

A draft that was killed goes on without paying twice, and lines that a person has edited stay as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import JsonValue

from judge.connect import connect
from judge.drafts.asking import DraftPrompt
from judge.drafts.done import Done
from judge.drafts.drafter import Drafted, Drafter
from judge.drafts.folder import DraftFolder, judge_id
from judge.drafts.row import Row, build_row, is_edited
from judge.errors import ConfigError, FatalError, InputError
from judge.journal.journal import Journal
from judge.journal.recovery import open_journal
from judge.outcome import Failure, failed_record
from judge.progress import Progress
from judge.record import Record, build_record
from judge.runs.directory import disk_errors
from judge.settings import Settings
from judge.traces.lines import Line
from judge.traces.reading import Reading, Traces
from judge.usable import refuse_unusable
from judge.working import each

__all__ = ["DraftReport", "draft_file", "refuse_baseline"]

_SHOWN = ("id", "question", "options", "image", "context", "reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftReport:
    """How a session ended; read = drafted + kept + repeated + failed where it is finished.

    Attributes:
        finished: Every row is done; else the same command goes on.
        judge, rubric: Who drafted, and for what.
        read: Rows of the input.
        drafted: The lines of the judge, in input order.
        kept: Lines that a person had edited; nobody was asked about them.
        repeated: Further rows of a question, as where several models answered it.
        failed: Rows without a draft; `failures` says why, once for each axis.
        spent: As `Journal.spent`, over all sessions.
        notes: What the backend had to do differently.
    """

    finished: bool
    judge: str
    rubric: str
    read: int
    drafted: tuple[Row, ...]
    kept: int
    repeated: int
    failed: int
    failures: tuple[Failure, ...]
    spent: dict[str, int | float | None]
    notes: tuple[str, ...]


async def draft_file(
    traces: Traces,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> DraftReport:
    """Draft the units of every record into a JSONL file, or go on with one.

    Args:
        traces: The records; neither their traces nor their images are looked at.
        out: The file; a folder of its name and `.draft` is beside it.
        settings: Judge and rubric; those of an earlier session must be the same.
        overwrite: Start afresh, whatever is there, edited or not.
        progress: Counts as the work goes on.
        stop: When set, nothing more is sent.
        tell: Given what a user should know before anything more is paid.

    Raises:
        ConfigError, RubricError: Judge, file or rubric cannot be used; nothing was paid.
        InputError: The input has no line, or is of no known format.
        FatalError: The provider refuses every request, or is down.
        CacheError: The disk is full or broken. What was committed is safe; the same call goes on.
    """
    refuse_baseline(settings)
    refuse_unusable(settings)
    _refuse_input(traces.path, out)
    prompt, stop = DraftPrompt(settings.rubric), stop or asyncio.Event()
    folder = DraftFolder(out)
    with disk_errors(folder.directory.path), ExitStack() as stack:
        stack.enter_context(folder.directory.locked())
        reading = stack.enter_context(traces.opened())
        # Before anything is touched: a wrong input must cost no earlier draft.
        await reading.lines.begin(stop, traces.path)
        if overwrite:
            folder.clear()
        journal = open_journal(folder.directory.journal_path)
        stack.callback(journal.close)
        if tell is not None:
            for note in journal.notes:
                tell(note)
        session = _Session(prompt, settings, folder, journal, reading, progress or Progress(), stop)
        return await session.run()


def refuse_baseline(settings: Settings) -> None:
    """Raise for the judge that needs no model.

    Raises:
        ConfigError: It is.
    """
    if settings.free:
        hint = "Name one: --judge hosted_vllm/MODEL --api-base URL, --judge openai/MODEL, or --judge PROVIDER/MODEL."
        raise ConfigError(f"{settings.judge} compares words and writes none; a draft needs a model.", hint=hint)


def _refuse_input(path: str, out: Path) -> None:
    if path != "-" and out.exists() and out.samefile(path):
        raise ConfigError(f"--out {out} is the file that is read.", hint="Give another one.")


class _Session:
    """Works through the input once, and writes what came of it."""

    def __init__(
        self,
        prompt: DraftPrompt,
        settings: Settings,
        folder: DraftFolder,
        journal: Journal,
        reading: Reading,
        progress: Progress,
        stop: asyncio.Event,
    ) -> None:
        self._prompt = prompt
        self._settings = settings
        self._folder = folder
        self._journal = journal
        self._reading = reading
        self._progress = progress
        self._stop = stop
        self._judge, rubric = judge_id(settings, prompt), settings.rubric
        self._rubric = f"{rubric.name}@{rubric.version}"
        self._earlier = folder.read(self._judge, self._rubric)
        self._done = Done()
        self._notes: list[str] = []

    async def run(self) -> DraftReport:
        """Work until the input ends or the session is stopped.

        Raises:
            FatalError, CacheError: What is done by then is kept.
        """
        self._journal.retire(self._folder.take_failed_calls())
        self._write_story("running")
        try:
            async with connect(
                self._settings, journal=self._journal, stop=self._stop, throttled=self._progress.throttle
            ) as connection:
                self._notes = connection.notes
                talk = connection.talk(self._prompt.complain)
                await self._work_through(Drafter(self._prompt, self._settings.model, talk))
        except BaseException:  # what is done is kept, where it can be; a full disk is met here a second time
            with suppress(OSError):
                self._end(finished=False)
            raise
        lines = self._reading.lines
        return self._end(finished=lines.nothing_left and self._done.rows == lines.read)

    async def _work_through(self, drafter: Drafter) -> None:
        async def work(line: Line) -> None:
            await self._work(line, drafter)

        lines, concurrency = self._reading.lines, self._settings.concurrency
        await each(lines, work, concurrency=concurrency, stop=self._stop, reading_waits=lines.waits)

    async def _work(self, line: Line, drafter: Drafter) -> None:
        _, (number, row) = line
        self._progress.read += 1
        try:
            fields = self._reading.fields(number, row)
            record = build_record({name: fields.get(name) for name in _SHOWN} | {"trace": ""}, number=number)
            if self._needs_nothing(record):
                return
        except InputError as exc:
            raw = row if isinstance(row, bytes) else None
            self._fail(number, failed_record(exc, record=None, line=number, raw=raw).failures)
            return
        try:
            drafted = await drafter.draft(record)
        except FatalError as exc:
            if exc.code == "stopped":  # it needs another request, which the next session will send
                return
            raise
        self._take(record, drafted, fields)

    def _needs_nothing(self, record: Record) -> bool:
        """Whether the question came before, or a person has edited its line.

        Raises:
            RecordError: Another question has this id.
        """
        if self._done.repeats(record):
            return True
        row = self._earlier.get(record.id)
        if row is None or not is_edited(row):
            return False
        self._done.kept[record.line] = row
        self._progress.keep()
        return True

    def _take(self, record: Record, drafted: Drafted, fields: Mapping[str, Any]) -> None:
        self._progress.count(drafted.calls)
        if drafted.draft is None:
            self._fail(record.line, drafted.failures, drafted.failed_calls)
            return
        image = _as_json(fields.get("image"))
        row = build_row(drafted.draft, judge=self._judge, rubric=self._rubric, image=image)
        self._done.drafted[record.line] = row
        self._progress.scored += 1

    def _fail(self, line: int, failures: tuple[Failure, ...], calls: tuple[str, ...] = ()) -> None:
        self._done.failures[line] = [(failure, calls) for failure in failures]
        self._progress.failed += 1

    def _end(self, *, finished: bool) -> DraftReport:
        done, notes = self._done, (*self._journal.notes, *self._notes)
        failures = list(done.failed())
        self._folder.write(self._lines(finished=finished), failures)
        spent = dict(self._journal.spent())
        self._write_story("finished" if finished else "stopped", spent={**spent}, notes=[*notes])
        return DraftReport(
            finished=finished,
            judge=self._judge,
            rubric=self._rubric,
            read=self._reading.lines.read,
            drafted=tuple(row for _, row in sorted(done.drafted.items())),
            kept=len(done.kept),
            repeated=done.repeated,
            failed=len(done.failures),
            failures=tuple(failure for failure, _ in failures),
            spent=spent,
            notes=notes,
        )

    def _lines(self, *, finished: bool) -> list[Row]:
        """All lines of the file: what a person has edited is never lost, and what was not reached this time stays."""
        done = self._done
        new = [row for _, row in sorted({**done.drafted, **done.kept}.items())]
        known = {row["id"] for row in new}
        gone = {failure.record_id for failure, _ in done.failed()}
        return new + [
            row
            for name, row in self._earlier.items()
            if name not in known and (is_edited(row) or not (finished or name in gone))
        ]

    def _write_story(self, status: str, **more: JsonValue) -> None:
        self._folder.write_story(
            {
                "status": status,
                "judge": self._judge,
                "rubric": self._rubric,
                "settings": self._settings.told,
                "counts": {"read": self._reading.lines.read, **self._done.counts},
                **more,
            }
        )


def _as_json(image: Any) -> JsonValue:
    """An image as the row gives it; None for bytes, which JSON cannot hold: the traces have them too."""
    try:
        orjson.dumps(image)
    except TypeError:
        return None
    written: JsonValue = image
    return written
