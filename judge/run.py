"""Traces -> a run directory: stream, resume, stop in order.

The input is cut into blocks. A block is written when all its records are done; a resume keeps the records of a written
block that were scored and have not changed, and asks for the others. Replies that were paid for come back from the
journal. `session.py` works through the blocks, in this process or in several.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from judge.caution import Caution
from judge.cautions.doubt import find_cautions
from judge.errors import CacheError, ConfigError
from judge.journal.journal import Journal
from judge.journal.recovery import open_journal
from judge.panels.doubtful import write_doubts
from judge.progress import Progress, RunReport
from judge.purse import Purse
from judge.runs.block import block_of
from judge.runs.claim import refuse_other_judge
from judge.runs.directory import RunDirectory, disk_errors, read_run
from judge.runs.session import Ended, Session
from judge.runs.story import Story
from judge.runs.worker import Around, Inherited, SharedCells, Task, make_cells, shared_purse
from judge.runs.workers import Workers
from judge.settings import Settings
from judge.traces.reading import Reading, Traces
from judge.usable import refuse_blind, refuse_unusable

__all__ = ["Progress", "RunReport", "billed_usd", "refuse_taken", "refuse_unseen", "score_file"]

_COUNTED_EVERY_S = 0.5


async def score_file(
    traces: Traces,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
    around: Around = nullcontext,
    purse: Purse | None = None,
) -> RunReport:
    """Score traces into a run directory, or go on with one.

    Args:
        traces: What is read.
        out: The run directory.
        settings: Judge and rubric; those of an earlier session must be the same.
        overwrite: Start afresh whatever is there.
        workers: Processes that share the work, at least 1.
        progress: Counts as the run goes on.
        stop: When set, nothing more is sent; what is under way is waited for, which takes one attempt's time at most.
        tell: Given what a user should know before anything more is paid, such as a journal that was damaged.
        around: Entered by every worker process before anything else, as for its logging.
        purse: Of a budget that several runs share, with what is spent already counted; for one process only.

    Raises:
        ConfigError: Judge, directory or settings cannot be used; nothing was paid.
        InputError: The input has no line, or is of no known format; nothing in `out` was touched.
        FatalError: The provider refuses every request, or is down.
        CacheError: The disk is full or broken. What was committed is safe, here and above; the same call resumes.
    """
    refuse_unusable(settings)
    _refuse_pipe(traces, workers)
    _refuse_engines(settings, workers)
    directory = RunDirectory(out, settings.labels.axes)
    progress, stop = progress or Progress(), stop or asyncio.Event()
    with disk_errors(out), ExitStack() as stack:
        lock = stack.enter_context(directory.locked())
        traces = traces.measured() if workers > 1 else traces
        reading = stack.enter_context(traces.opened())
        # Before anything is touched: a wrong input must cost no earlier run.
        await reading.lines.begin(stop, traces.path)
        refuse_unseen(reading, settings)
        if overwrite:
            directory.clear()
        journal = None if settings.free else _open_journal(directory, tell)
        if journal is not None:
            stack.callback(journal.close)
        refuse_other_judge(out, settings, paid=journal is not None and bool(journal.spent()["replies"]))
        run = _Run(traces, directory, settings, journal, progress, stop, purse)
        return await run.go(reading) if workers == 1 else await run.share(workers, lock, around)


def refuse_taken(out: Path, settings: Settings, tell: Callable[[str], None] | None = None) -> None:
    """Refuse a directory that holds a run of another judge or rubric, before anything beside it is changed.

    Raises:
        ConfigError: It does, or another process is at work there.
        CacheError: Its journal cannot be opened.
    """
    if not read_run(out):
        return
    directory, paid = RunDirectory(out, settings.labels.axes), False
    with disk_errors(out):
        if directory.journal_path.exists():
            with directory.locked(), closing(_open_journal(directory, tell)) as journal:
                paid = bool(journal.spent()["replies"])
        refuse_other_judge(out, settings, paid=paid)


def billed_usd(out: Path, settings: Settings, tell: Callable[[str], None] | None = None) -> float:
    """What a run has cost in its earlier sessions; 0 where there is none, or no price is known.

    Raises:
        ConfigError: Another process is at work there.
        CacheError: Its journal cannot be opened.
    """
    price, directory = settings.token_price, RunDirectory(out, settings.labels.axes)
    if price is None or not directory.journal_path.exists():
        return 0.0
    with disk_errors(out), directory.locked(), closing(_open_journal(directory, tell)) as journal:
        return journal.billed_usd(price)


def _refuse_pipe(traces: Traces, workers: int) -> None:
    for path in (traces.path, traces.references):
        if workers > 1 and path is not None and (path == "-" or (Path(path).exists() and not Path(path).is_file())):
            name = "standard input" if path == "-" else path
            raise ConfigError(f"--workers needs files: {name} can be read by one process only.")


def _refuse_engines(settings: Settings, workers: int) -> None:
    """Each worker would load the model once more, onto the same card."""
    if workers > 1 and settings.engine_model is not None:
        hint = f"Start one server for all: vllm serve {settings.engine_model}, then --judge hosted_vllm/MODEL."
        raise ConfigError(f"--workers {workers} would start {workers} engines of vLLM; it needs one.", hint=hint)


def refuse_unseen(reading: Reading, settings: Settings) -> None:
    """Refuse a judge that would not see the first record's images, before anything is paid.

    An image further down, among texts, is a failure of its record.

    Raises:
        ConfigError: Names the judge.
    """
    if not settings.free and reading.begins_with_image:
        refuse_blind(settings)


def _open_journal(directory: RunDirectory, tell: Callable[[str], None] | None) -> Journal:
    journal = open_journal(directory.journal_path)
    held, paid = journal.spent()["replies"] or 0, directory.count_paid()
    if held < paid and not journal.notes:  # such as without its log, or an older copy put in its place
        journal.notes.append(
            f"{directory.journal_path.name} holds {held:,} replies, and the tables tell of {paid:,}: "
            "some are lost, and are asked anew where they are needed."
        )
    if tell is not None:
        for note in journal.notes:
            tell(note)
    return journal


@dataclass(slots=True)
class _Run:
    """One session of a run: who works, and what is written when they are done."""

    traces: Traces
    directory: RunDirectory
    settings: Settings
    journal: Journal | None
    progress: Progress
    stop: asyncio.Event
    purse: Purse | None = None

    async def go(self, reading: Reading) -> RunReport:
        """Work in this process."""
        if self.journal is not None:
            self.journal.write_alone()
        session = Session(
            self.directory,
            self.settings,
            self.journal,
            reading,
            progress=self.progress,
            stop=self.stop,
            purse=self.purse,
        )
        return await self._write_up(session)

    async def share(self, workers: int, lock: int, around: Around) -> RunReport:
        """Work in several processes."""
        task = Task(
            traces=self.traces,
            out=self.directory.path,
            settings=self.settings,
            earlier=None if self.journal is None else self.journal.earlier,
            lock=Inherited(lock),
            cells=self._cells(workers),
            around=around,
        )
        following = asyncio.ensure_future(self._follow())
        try:
            return await self._write_up(Workers(task, workers, progress=self.progress, stop=self.stop))
        finally:
            following.cancel()

    async def _follow(self) -> None:
        """Count what the workers commit while they work: after a million replies it would take seconds."""
        if self.journal is None:
            return
        with suppress(CacheError):  # what lasts is met again at the end, where it is told
            while True:
                await asyncio.sleep(_COUNTED_EVERY_S)
                await asyncio.to_thread(self.journal.spent)

    def _cells(self, workers: int) -> SharedCells | None:
        """One budget for all workers, with what earlier sessions spent counted."""
        budget, price = self.settings.budget_usd, self.settings.token_price
        if budget is None or price is None or self.journal is None:
            return None
        cells = make_cells(workers)
        shared_purse(budget, cells).count(self.journal.billed_usd(price))
        return cells

    async def _write_up(self, work: Session | Workers) -> RunReport:
        story = _Story(self.traces, self.directory, self.settings, self.progress)
        story.write("running")
        try:
            ended = await work.run()
        except BaseException:  # what is done is kept, where it can be; a full disk is met here a second time
            with suppress(OSError):
                self._publish(None, story, work.notes)
            raise
        return self._publish(ended, story, work.notes)

    def _publish(self, ended: Ended | None, story: _Story, noted: list[str]) -> RunReport:
        spent = dict(self.journal.spent()) if self.journal else {}
        notes = [*(self.journal.notes if self.journal else ()), *noted, *_untold(self.settings, spent)]
        whole = ended is not None and ended.read_to_end and ended.all_done
        if ended is not None and whole:
            self.directory.drop_parts_after(block_of(ended.read - 1))
        self.directory.publish()
        if self.settings.samples > 1:
            write_doubts(self.directory, self.settings.labels.judge)
        counts = self.directory.count()
        if ended is not None and whole and counts["read"] != ended.read:
            raise AssertionError(f"{ended.read} records were read, but the tables hold {counts['read']}")
        finished = ended is not None and ended.all_done and ended.nothing_left
        cautions = find_cautions(self.directory.path, self.settings.judge)
        story.write("finished" if finished else "stopped", counts, spent, notes, cautions)
        return RunReport(finished=finished, spent=spent, notes=tuple(notes), cautions=cautions, **counts)


def _untold(settings: Settings, spent: dict[str, int | float | None]) -> list[str]:
    """A probe costs little where the server caches prefixes, and whether it does should be seen."""
    if not (settings.probe and settings.judge.startswith("hosted_vllm/") and spent.get("replies")):
        return []
    if spent["cached_tokens"] is not None:
        return []
    note = "The server tells nothing of its prefix cache, which most of a probe's prompt should come from: "
    return [note + "start vLLM with --enable-prompt-tokens-details to see it."]


class _Story:
    """`run.json` of a run that scores."""

    def __init__(self, traces: Traces, directory: RunDirectory, settings: Settings, progress: Progress) -> None:
        self._input = traces.name
        self._story = Story(directory, settings, progress)

    def write(
        self,
        status: str,
        counts: dict[str, int] | None = None,
        spent: dict[str, int | float | None] | None = None,
        notes: list[str] | None = None,
        cautions: Sequence[Caution] = (),
    ) -> None:
        """Replace the file."""
        counts = counts or {}
        self._story.write(
            status,
            about={"input": self._input},
            counted={
                "counts": {name: counts[name] for name in ("read", "scored", "failed") if counts},
                "units": {name: counts[f"units_{name}"] for name in ("asked", "judged") if counts},
            },
            spent=spent,
            notes=notes,
            more={"cautions": [asdict(caution) for caution in cautions]},
        )
