"""Traces × several Settings -> a run directory each, and one that joins them.

DIR/judges/NAME-…/   the whole run of one judge, with its own journal: it is resumed like any other
DIR/parts/…          the rows of all judges and the panel's own, block by block, as the judges' runs have them
DIR/*.parquet        joined from those

Judges of different servers are asked at the same time, those of one server one after the other. A judge that fails
stops alone: the others go on, and what there is is joined.
"""

from __future__ import annotations

import asyncio
import platform
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import polars as pl
from pydantic import JsonValue

from judge.caution import Caution
from judge.digest import digest
from judge.errors import ConfigError, JudgeError
from judge.panels.accord import Accord
from judge.panels.doubtful import DOUBTFUL, DoubtFile, opened_doubts
from judge.panels.joining import join_tables
from judge.panels.rule import PanelRule
from judge.progress import Progress, RunReport
from judge.purse import Purse
from judge.run import billed_usd, refuse_blind, score_file
from judge.runs.claim import refuse_other_panel
from judge.runs.directory import RunDirectory, disk_errors, list_parts, read_run
from judge.settings import Settings, package_version
from judge.table import Tables, build_tables
from judge.traces.reading import Traces
from judge.usable import refuse_unusable

__all__ = ["MEMBERS", "Member", "PanelReport", "member_folder", "score_panel"]

MEMBERS = "judges"
"""The folder of the judges' own runs, in that of the panel."""
_LONGEST_NAME = 40
_SUMMED = ("replies", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd")


@dataclass(slots=True)
class Member:
    """One judge of a panel, and how its run ended in this session.

    Attributes:
        out: Its run directory.
        report: None where it was not begun, or did not end in order.
        error: Why it did not.
    """

    settings: Settings
    out: Path
    progress: Progress
    report: RunReport | None = None
    error: JudgeError | None = None

    @property
    def judge(self) -> str:
        """Its judge id."""
        return self.settings.labels.judge

    @property
    def finished(self) -> bool:
        """Whether its whole input is done."""
        return self.report is not None and self.report.finished


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelReport:
    """How a session of a panel ended.

    Attributes:
        finished: Every judge is; else the same call resumes.
        read, scored, failed: Records by the panel's own rows; read = scored + failed.
        units_asked, units_judged: By the panel's own verdicts.
        spent: Of all judges together, in all sessions; empty where all are free.
        members: In the user's order.
        accord: How far the judges agree.
        doubtful: Units in `doubtful.jsonl`, by reason.
    """

    finished: bool
    read: int
    scored: int
    failed: int
    units_asked: int
    units_judged: int
    spent: dict[str, int | float | None]
    members: tuple[Member, ...]
    accord: Accord = field(repr=False)
    doubtful: dict[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the judges' backends had to do differently, each said once."""
        return tuple(dict.fromkeys(note for one in self.members if one.report for note in one.report.notes))

    @property
    def cautions(self) -> tuple[tuple[str, Caution], ...]:
        """Judge id and caution, of every judge whose run ended in order."""
        return tuple((one.judge, caution) for one in self.members if one.report for caution in one.report.cautions)


def member_folder(out: Path, settings: Settings) -> Path:
    """Where the run of a judge is, below that of its panel."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", settings.judge.rpartition("/")[2]).strip("-.")[:_LONGEST_NAME]
    return out / MEMBERS / f"{name or 'judge'}-{digest(settings.identity)[:12]}"


async def score_panel(
    traces: Traces,
    out: Path,
    rule: PanelRule,
    *,
    overwrite: bool = False,
    progress: Sequence[Progress] = (),
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> PanelReport:
    """Score traces by several judges into a run directory, or go on with one.

    Args:
        traces: What is read, once for each judge.
        out: The run directory.
        rule: Who is in the panel. A budget is that of its first member, and all share it.
        overwrite: Start afresh whatever is there.
        progress: Of each judge; counts as its run goes on.
        stop: As for `score_file`.
        tell: As for `score_file`.

    Raises:
        ConfigError: A judge, the directory or the settings cannot be used, or the input can be read only once; nothing
            was paid.
        InputError: The input cannot be read.
        JudgeError: No judge could be asked at all: the first one's error.
    """
    for settings in rule.members:
        refuse_unusable(settings)
    _refuse_pipe(traces)
    counts = progress or [Progress() for _ in rule.members]
    members = [
        Member(settings=one, out=member_folder(out, one), progress=count)
        for one, count in zip(rule.members, counts, strict=True)
    ]
    directory = RunDirectory(out, rule.labels.axes)
    with disk_errors(out), ExitStack() as stack:
        stack.enter_context(directory.locked())
        await _look_at(traces, rule.members, stop)
        if overwrite:
            _clear(directory)
        refuse_other_panel(out, rule.judges)
        work = _Work(traces, directory, rule, members, stop or asyncio.Event(), tell)
        return await work.run()


def _refuse_pipe(traces: Traces) -> None:
    for path in (traces.path, traces.references):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{path} is no file, and it is read once for each judge.")


async def _look_at(traces: Traces, members: Sequence[Settings], stop: asyncio.Event | None) -> None:
    """Before anything is touched or paid: one judge that cannot be asked must not cost what the others are paid."""
    with traces.opened() as reading:
        await reading.lines.begin(stop or asyncio.Event(), traces.path)
        for settings in members:
            refuse_blind(reading, settings)


def _clear(directory: RunDirectory) -> None:
    """Remove an earlier run; `run.json` goes last, as ever."""
    if (folder := directory.path / MEMBERS).exists():
        shutil.rmtree(folder)
    directory.clear()


@dataclass(slots=True)
class _Work:
    """One session."""

    traces: Traces
    directory: RunDirectory
    rule: PanelRule
    members: Sequence[Member]
    stop: asyncio.Event
    tell: Callable[[str], None] | None
    begun: float = field(default_factory=time.monotonic)

    async def run(self) -> PanelReport:
        purse = self._purse()
        story = self.directory.read_run()
        self._write_run("running", story)
        try:
            async with asyncio.TaskGroup() as group:
                for members in _by_server(self.members):
                    group.create_task(self._ask(members, purse))
        except BaseException:  # what is done is joined, where it can be; a full disk is met here a second time
            with suppress(OSError):
                self._join(story)
            raise
        report = self._join(story)
        errors = [one.error for one in self.members if one.error is not None]
        if len(errors) == len(self.members) and not any(one.progress.calls for one in self.members):
            raise errors[0]
        return report

    def _purse(self) -> Purse | None:
        budget = next((one.budget_usd for one in self.rule.members if one.budget_usd is not None), None)
        if budget is None:
            return None
        purse = Purse(budget)
        for one in self.members:
            purse.count(0.0 if one.settings.free else billed_usd(one.out, one.settings, self.tell))
        return purse

    async def _ask(self, members: Sequence[Member], purse: Purse | None) -> None:
        """Judges of one server, one after the other; what stops one does not stop the next."""
        for one in members:
            if self.stop.is_set():
                return
            try:
                one.report = await score_file(
                    _as_read_by(one.settings, self.traces),
                    one.out,
                    one.settings,
                    progress=one.progress,
                    stop=self.stop,
                    tell=self._teller(one),
                    purse=purse,
                )
            except JudgeError as exc:
                one.error = exc

    def _teller(self, member: Member) -> Callable[[str], None] | None:
        tell = self.tell
        return None if tell is None else lambda note: tell(f"{member.judge}: {note}")

    def _join(self, story: dict[str, JsonValue]) -> PanelReport:
        accord = Accord()
        with opened_doubts() as doubts:
            self._join_parts(accord, doubts)
            doubts.write(self.directory.path / DOUBTFUL)
            report = self._report(accord, doubts)
        self._write_run("finished" if report.finished else "stopped", story, report)
        return report

    def _join_parts(self, accord: Accord, doubts: DoubtFile) -> None:
        numbers = sorted({int(part.name) for one in self.members for part in list_parts(one.out)})
        sources = [RunDirectory(one.out, self.rule.labels.axes) for one in self.members]
        first = [place for place, one in enumerate(self.members) if one.finished]
        for number in numbers:
            judges = [source.read_part(number) or self._nothing(place) for place, source in enumerate(sources)]
            tables, found = join_tables(judges, self.rule, accord, first=first)
            self.directory.write_part(number, tables)
            for doubt in found:
                doubts.add(doubt)
        self.directory.drop_parts_after(numbers[-1] if numbers else 0)
        self.directory.publish()

    def _nothing(self, place: int) -> Tables:
        return build_tables([], self.rule.members[place].labels)

    def _report(self, accord: Accord, doubts: DoubtFile) -> PanelReport:
        return PanelReport(
            finished=all(one.finished for one in self.members),
            spent=_sum([_spent(one) for one in self.members]),
            members=tuple(self.members),
            accord=accord,
            doubtful=doubts.told(),
            **self._counts(),
        )

    def _counts(self) -> dict[str, int]:
        """Of the panel's own rows."""
        panel = self.rule.labels.judge
        columns = pl.len(), pl.col("failure").null_count(), pl.col("units_asked", "units_judged").sum()
        scores = pl.scan_parquet(self.directory.path / "scores.parquet").filter(judge=panel)
        readable, scored, asked, judged = scores.select(columns).collect(engine="streaming").row(0)
        with (self.directory.path / "failures.jsonl").open("rb") as file:
            rows = map(orjson.loads, file)
            unread = sum(row["stage"] == "read" and row["judge"] == panel for row in rows)
        counts = {"read": readable + unread, "scored": scored, "failed": readable + unread - scored}
        return counts | {"units_asked": asked, "units_judged": judged}

    def _write_run(self, status: str, earlier: dict[str, JsonValue], report: PanelReport | None = None) -> None:
        now, labels, wall = datetime.now(UTC).isoformat(timespec="seconds"), self.rule.labels, earlier.get("wall_s")
        session = time.monotonic() - self.begun
        self.directory.write_run(
            {
                "status": status,
                "started": earlier.get("started", now),
                "ended": None if status == "running" else now,
                "wall_s": round((wall if isinstance(wall, int | float) else 0.0) + session, 3),
                "input": self.traces.name,
                "judge": labels.judge,
                "rubric": labels.rubric,
                "fingerprints": {
                    "judge": labels.judge.rpartition("#")[2],
                    "prompt": labels.prompt_fp,
                    "rubric": labels.rubric_fp,
                },
                "identity": self.rule.identity,
                "judges": [_told(one, self.directory.path) for one in self.members],
                **({} if report is None else _told_report(report)),
                "versions": {
                    "judge": package_version(),
                    "python": platform.python_version(),
                    "polars": pl.__version__,
                },
            }
        )


def _as_read_by(settings: Settings, traces: Traces) -> Traces:
    """The same records with the same keys; a judge that compares words is shown no images."""
    if traces.images is None or not settings.free:
        return traces
    return replace(traces, images=replace(traces.images, shown=False))


def _by_server(members: Sequence[Member]) -> list[list[Member]]:
    """Judges that are asked one after the other, as they share a server, a provider's quota or a card."""
    groups: dict[str, list[Member]] = {}
    for one in members:
        groups.setdefault(one.settings.api_base or one.settings.judge.partition("/")[0], []).append(one)
    return list(groups.values())


def _spent(member: Member) -> dict[str, int | float | None]:
    """In all sessions, also where this one ended in an error."""
    if member.report is not None:
        return member.report.spent
    told = read_run(member.out).get("spent")
    return cast("dict[str, int | float | None]", told) if isinstance(told, dict) else {}


def _sum(spent: Sequence[dict[str, int | float | None]]) -> dict[str, int | float | None]:
    paid = [one for one in spent if one]
    return {name: _whole([one.get(name) for one in paid], name) for name in _SUMMED} if paid else {}


def _whole(values: Sequence[int | float | None], name: str) -> int | float | None:
    """A total; None where a part of it is not known, but for what the prefix cache held, which few servers tell."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) or (known and name == "cached_tokens") else None


def _told(member: Member, out: Path) -> dict[str, Any]:
    run = read_run(member.out)
    return {
        "judge": member.judge,
        "folder": str(member.out.relative_to(out)),
        "finished": member.finished,
        "error": None if member.error is None else str(member.error),
        **{name: run.get(name) for name in ("counts", "units", "spent", "settings", "cautions")},
    }


def _told_report(report: PanelReport) -> dict[str, Any]:
    return {
        "counts": {"read": report.read, "scored": report.scored, "failed": report.failed},
        "units": {"asked": report.units_asked, "judged": report.units_judged},
        "spent": report.spent,
        "notes": [*report.notes],
        "cautions": [{"judge": judge, **asdict(caution)} for judge, caution in report.cautions],
        "agreement": report.accord.told(),
        "doubtful": report.doubtful,
    }
