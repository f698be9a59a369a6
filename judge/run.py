"""A trace file -> a run directory: stream, resume, stop in order.

The input is cut into blocks. A block is written when all its records are done; a resume keeps the records of a written
block that were scored and have not changed, and asks for the others. Replies that were paid for come back from the
journal.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from judge.asking import Asker
from judge.block import BLOCK_RECORDS, Block, open_block
from judge.connect import connect, refuse_unusable
from judge.directory import RunDirectory
from judge.errors import CacheError, ConfigError, FatalError, InputError, RecordError
from judge.journal import Journal
from judge.lines import Line, Lines
from judge.outcome import Outcome, failed_record
from judge.progress import Progress, RunReport
from judge.record import parse_record
from judge.settings import Settings, package_version
from judge.source import Row, Source
from judge.working import each

__all__ = ["Progress", "RunReport", "score_file"]


async def score_file(
    source: Source,
    out: Path,
    settings: Settings,
    *,
    name: str = "-",
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
) -> RunReport:
    """Score the rows of an input into a run directory, or go on with one.

    Args:
        source: The input, as `open_source` gives it.
        out: The run directory.
        settings: Judge and rubric; those of an earlier session must be the same.
        name: Of the input, for `run.json`.
        limit: Records to read at most.
        overwrite: Start afresh whatever is there.
        progress: Counts as the run goes on.
        stop: When set, nothing more is sent; what is under way is waited for, which takes one attempt's time at most.

    Raises:
        ConfigError: Judge, directory or settings cannot be used; nothing was paid.
        InputError: The input has no line, or is of no known format; nothing in `out` was touched.
        FatalError: The provider refuses every request, or is down.
        CacheError: The disk is full or broken. What was committed is safe, here and above; the same call resumes.
    """
    refuse_unusable(settings)
    directory = RunDirectory(out, settings.labels.axes)
    progress, stop = progress or Progress(), stop or asyncio.Event()
    with _disk_errors(out), ExitStack() as stack:
        stack.enter_context(directory.locked())
        lines = Lines(source, limit)
        await lines.begin(stop, name)  # before anything is touched: a wrong input must not cost an earlier run
        if overwrite:
            directory.clear()
        journal = None if settings.free else Journal(directory.journal_path)
        if journal is not None:
            stack.callback(journal.close)
        _refuse_other_judge(directory, settings, journal)
        return await _Session(directory, settings, journal, lines, name, progress, stop).run()


@contextmanager
def _disk_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise CacheError(f"{out}: {exc.strerror or exc}.", hint="What was paid for is safe.") from exc


def _refuse_other_judge(directory: RunDirectory, settings: Settings, journal: Journal | None) -> None:
    then, now = directory.read_run().get("identity"), settings.identity
    if not isinstance(then, dict) or then == now:
        return
    if not directory.has_parts and (journal is None or not journal.spent()["replies"]):
        return  # nothing came of it, as with a mistyped address: there is nothing to mix with
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    differences = "; ".join(f"{key} was {then.get(key)!r} and is {now.get(key)!r}" for key in changed)
    raise ConfigError(
        f"{directory.path} holds a run of another judge or rubric: {differences}.",
        hint="Use another --out, or --overwrite to start afresh.",
    )


class _Session:
    """One process at work on a run."""

    def __init__(
        self,
        directory: RunDirectory,
        settings: Settings,
        journal: Journal | None,
        lines: Lines,
        name: str,
        progress: Progress,
        stop: asyncio.Event,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._journal = journal
        self._lines = lines
        self._name = name
        self._progress = progress
        self._stop = stop
        self._earlier = directory.read_run()
        self._begun = time.monotonic()
        self._blocks: dict[int, Block] = {}
        # One thread: parts are written beside the asking, one after the other.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge-parts")
        self._writing: list[Future[None]] = []

    async def run(self) -> RunReport:
        self._describe("running", {}, [])
        notes: list[str] = []
        try:
            async with connect(
                self._settings, journal=self._journal, stop=self._stop, throttled=self._progress.throttle
            ) as connection:
                notes = connection.notes
                await self._work_through(connection.asker)
        finally:  # after an error too: what is done is kept
            report = self._finish(notes)
        return report

    async def _work_through(self, asker: Asker) -> None:
        async def work(line: Line) -> None:
            await self._work(line, asker)

        await each(
            self._lines,
            work,
            concurrency=self._settings.concurrency,
            stop=self._stop,
            reading_waits=self._lines.waits,
        )

    def _block(self, number: int) -> Block:
        if number not in self._blocks:
            self._blocks[number] = open_block(number, self._directory, self._journal)
        return self._blocks[number]

    async def _work(self, numbered: Line, asker: Asker) -> None:
        position, row = numbered
        self._progress.read += 1
        block = self._block(1 + position // BLOCK_RECORDS)
        try:
            outcome = await _judge(block, row, asker)
        except FatalError as exc:
            if exc.code == "stopped":  # it needs another request, which a resume will send
                return
            raise
        if outcome is None:
            block.kept.add(row[0])
            self._progress.keep()
        else:
            block.outcomes.append(outcome)
            self._progress.add(outcome)
        if block.done == BLOCK_RECORDS:
            del self._blocks[block.number]
            self._write(block, whole=True)

    def _write(self, block: Block, *, whole: bool) -> None:
        self._writing = [write for write in self._writing if not write.done() or write.result()]
        self._writing.append(self._writer.submit(block.write, self._directory, self._settings.labels, whole=whole))

    def _finish(self, notes: list[str]) -> RunReport:
        all_done = self._progress.done == self._lines.read
        whole = self._lines.read_to_end and all_done
        for block in self._blocks.values():
            self._write(block, whole=whole)
        self._writer.shutdown(wait=True)
        for write in self._writing:
            write.result()
        if whole:
            self._directory.drop_parts_after(-(-self._lines.read // BLOCK_RECORDS))
        self._directory.publish()
        return self._report(notes, whole=whole, finished=all_done and self._lines.nothing_left)

    def _report(self, notes: list[str], *, whole: bool, finished: bool) -> RunReport:
        counts = self._directory.count()
        if whole and counts["read"] != self._lines.read:
            raise AssertionError(f"{self._lines.read} records were read, but the tables hold {counts['read']}")
        spent = dict(self._journal.spent()) if self._journal else {}
        self._describe("finished" if finished else "stopped", counts, notes, spent)
        return RunReport(finished=finished, spent=spent, notes=tuple(notes), **counts)

    def _describe(
        self, status: str, counts: dict[str, int], notes: list[str], spent: dict[str, int | float | None] | None = None
    ) -> None:
        """Write `run.json`; it holds no secret, as settings never do."""
        settings, labels, earlier_s = self._settings, self._settings.labels, self._earlier.get("wall_s", 0.0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        session_s = time.monotonic() - self._begun
        self._directory.write_run(
            {
                "status": status,
                "started": self._earlier.get("started", now),
                "ended": None if status == "running" else now,
                "wall_s": round((earlier_s if isinstance(earlier_s, int | float) else 0.0) + session_s, 3),
                "input": self._name,
                "judge": labels.judge,
                "rubric": labels.rubric,
                "fingerprints": {
                    "judge": labels.judge.rpartition("#")[2],
                    "prompt": labels.prompt_fp,
                    "rubric": labels.rubric_fp,
                },
                "identity": settings.identity,
                "settings": {name: getattr(settings, name) for name in ("concurrency", "timeout_s", "max_retries")}
                | {"cache": None if settings.cache is None else str(settings.cache)},
                "counts": {name: counts[name] for name in ("read", "scored", "failed") if counts},
                "units": {name: counts[f"units_{name}"] for name in ("asked", "judged") if counts},
                "spent": dict(spent or {}),
                "cache_hits": self._progress.cached,
                "session": asdict(self._progress),
                "notes": list(notes),
                "versions": {
                    "judge": package_version(),
                    "python": platform.python_version(),
                    "polars": pl.__version__,
                },
            }
        )


async def _judge(block: Block, row: Row, asker: Asker) -> Outcome | None:
    """The outcome of a row; None where the rows of an earlier session hold."""
    number, line = row
    try:
        if isinstance(line, RecordError):
            raise line
        record = parse_record(line, number=number)
    except InputError as exc:
        return failed_record(exc, record=None, line=number, raw=line if isinstance(line, bytes) else None)
    return None if block.holds(record) else await asker.judge(record)
