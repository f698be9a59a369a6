"""Traces × several Settings -> a run directory each, and one that joins them.

DIR/judges/NAME-…/   the whole run of one judge, with its own journal: it is resumed like any other
DIR/parts/…          the rows of all judges and the panel's own, block by block, as the judges' runs have them
DIR/*.parquet        joined from those

Judges of different servers are asked at the same time, those of one server one after the other. A judge that fails
stops alone: the others go on, and what there is is joined.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import polars as pl

from judge.beside import refuse_pipe
from judge.errors import JudgeError
from judge.panels.accord import Accord
from judge.panels.doubtful import DOUBTFUL, DoubtFile, opened_doubts
from judge.panels.joining import join_tables
from judge.panels.report import MEMBERS, Member, PanelReport, PanelStory, member_folder, sum_spent
from judge.panels.rule import PanelRule
from judge.progress import Progress
from judge.purse import Purse
from judge.run import billed_usd, refuse_unseen, score_file
from judge.runs.claim import refuse_other_panel
from judge.runs.directory import RunDirectory, disk_errors, list_parts
from judge.settings import Settings
from judge.table import Tables, build_tables
from judge.traces.reading import Traces
from judge.usable import refuse_unusable

__all__ = ["MEMBERS", "Member", "PanelReport", "member_folder", "score_panel"]


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
        rule: Who is in the panel. The first budget that a member has is for all of them together.
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
    refuse_pipe(traces, reads="once for each judge")
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


async def _look_at(traces: Traces, members: Sequence[Settings], stop: asyncio.Event | None) -> None:
    """Before anything is touched or paid: one judge that cannot be asked must not cost what the others are paid."""
    with traces.opened() as reading:
        await reading.lines.begin(stop or asyncio.Event(), traces.path)
        for settings in members:
            refuse_unseen(reading, settings)


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

    async def run(self) -> PanelReport:
        purse = self._purse()
        story = PanelStory(self.directory, self.rule, self.members, self.traces.name)
        story.write("running")
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

    def _join(self, story: PanelStory) -> PanelReport:
        accord = Accord()
        with opened_doubts() as doubts:
            self._join_parts(accord, doubts)
            doubts.write(self.directory.path / DOUBTFUL)
            report = self._report(accord, doubts)
        story.write("finished" if report.finished else "stopped", report)
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
            spent=sum_spent(self.members),
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
