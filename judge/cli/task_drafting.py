"""The work behind `judge rubric draft --task`: what is read, and what is printed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import orjson

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, Asking
from judge.cli.given import read_traces
from judge.cli.options import TaskOptions
from judge.cli.terminal import clean
from judge.draft_task import TaskReport, draft_task
from judge.settings import Settings

__all__ = ["SCHEMA", "TaskDrafting"]

SCHEMA: Literal["judge.draft_task/1"] = "judge.draft_task/1"


class TaskDrafting(Asking[TaskOptions, TaskReport]):
    """One `judge rubric draft --task`."""

    async def _work(self, settings: Settings, stop: asyncio.Event) -> TaskReport:
        options = self._options
        good = read_traces(options, settings)
        bad = replace(good, path=str(options.bad))
        return await draft_task(options.task, good, bad, options.out, settings, overwrite=options.overwrite, stop=stop)

    async def _show_progress(self) -> None:
        """Of one call there is none."""

    def _conclude(self, report: TaskReport, settings: Settings) -> int:
        code = EXIT_FAILED_RECORDS if report.failure else EXIT_OK
        if self._options.as_json:
            told = {"schema": SCHEMA, "exit_code": code, "out": str(self._options.out)}
            criteria = [one.model_dump() for one in report.criteria]
            more = {"failure": report.failure, "remarks": report.remarks, "spent": report.spent}
            self._shown.out(orjson.dumps({**told, "criteria": criteria, **more}).decode())
        else:
            for line in self._lines(report):
                self._shown.print(clean(line))
        if report.failure:
            self._complain(report.failure)
        return code

    def _lines(self, report: TaskReport) -> Iterator[str]:
        polarities = Counter(one.polarity for one in report.criteria)
        told = ", ".join(f"{count} {polarity}" for polarity, count in polarities.items())
        yield f"{len(report.criteria)} criteria ({told or 'none'}) from {report.good} good and {report.bad} bad traces"
        for name, found in report.remarks.items():
            yield from (f"  {name}: {remark}" for remark in found)
        yield f"calls paid for: {report.spent['replies']:,}"
        yield from (f"Note: {note}" for note in report.notes)
        if report.criteria:
            yield f"Written to {self._options.out}. Read and edit it before it scores anything."
