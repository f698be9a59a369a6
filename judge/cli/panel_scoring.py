"""The work behind `judge score` with several judges: what is scored, and what is printed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import reduce

import polars as pl

from judge.aggregate import summarise
from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_RESUMABLE, Asking
from judge.cli.given import not_used, read_settings, read_traces
from judge.cli.options import ScoreOptions
from judge.cli.panel_page import print_panel
from judge.cli.panel_told import tell_panel
from judge.cli.terminal import clean
from judge.difference import find_differences
from judge.errors import ConfigError
from judge.panel_run import PanelReport, score_panel
from judge.panels.rule import PanelRule, build_rule
from judge.progress import Progress
from judge.settings import Settings

__all__ = ["PanelScoring"]


class PanelScoring(Asking[ScoreOptions, PanelReport]):
    """One `judge score` with several judges.

    Args:
        members: The options of each judge; what is for the run as a whole is the same in all.
    """

    def __init__(self, members: Sequence[ScoreOptions]) -> None:
        super().__init__(members[0])
        self._members = members
        self._of_each = [self._progress, *(Progress() for _ in members[1:])]

    def _counts(self) -> Progress:
        return reduce(Progress.plus, self._of_each)

    async def _total(self) -> int | None:
        """Every record is judged by every judge."""
        records = await super()._total()
        return None if records is None else records * len(self._members)

    def _introduce(self, settings: Settings) -> None:
        for options in self._members:
            if said := not_used(options):
                self._told.print(clean(said))
        if self._options.reducer == "majority" and len(self._members) % 2 == 0:
            count = len(self._members)
            self._told.print(f"Of {count} judges half may say one thing and half another, which leaves no majority.")

    async def _work(self, settings: Settings, stop: asyncio.Event) -> PanelReport:
        if self._options.workers > 1:
            hint = "Leave --workers out: judges of different servers are asked at the same time."
            raise ConfigError("--workers shares the work of one judge, and here are several.", hint=hint)
        return await score_panel(
            read_traces(self._options),
            self._options.out,
            self._rule(),
            overwrite=self._options.overwrite,
            progress=self._of_each,
            stop=stop,
            tell=self._tell,
        )

    def _rule(self) -> PanelRule:
        members = [read_settings(options) for options in self._members]
        return build_rule(members, self._options.reducer, self._options.min_judges)

    def _conclude(self, report: PanelReport, settings: Settings) -> int:
        out, code = self._options.out, _exit_code(report)
        scores = pl.scan_parquet(out / "scores.parquet")
        rule = self._rule()
        summary = summarise(scores, rule.labels.axes, seed=self._options.seed)
        differences = find_differences(scores.filter(judge=rule.labels.judge), seed=self._options.seed)
        if self._options.as_json:
            self._shown.out(tell_panel(report, summary, differences, rule=rule, out=out, exit_code=code))
        else:
            print_panel(self._shown, report, summary, differences, rule=rule, out=out, seed=self._options.seed)
        for one in report.members:
            if one.error is not None:
                self._complain(f"{one.judge}: {one.error}")
        return code if report.finished else self._stopped()


def _exit_code(report: PanelReport) -> int:
    if not report.finished:
        return EXIT_RESUMABLE
    by_judges = any(one.report is not None and one.report.failed for one in report.members)
    return EXIT_FAILED_RECORDS if report.failed or by_judges else EXIT_OK
