"""The work behind `judge compare` where a judge is asked: what is compared, and what is printed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import orjson
import polars as pl

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_RESUMABLE, Asking
from judge.cli.given import read_inputs
from judge.cli.options import CompareOptions
from judge.cli.pair_estimating import dry_run
from judge.cli.standing_page import render_standings
from judge.cli.summary import prefix_lines
from judge.cli.terminal import clean
from judge.compare import CompareReport, compare_files
from judge.pairs.grouping import Grouped
from judge.settings import Settings
from judge.standing import Standing, as_json, find_standings, refuse_unknown
from judge.win_rate import list_models

__all__ = ["SCHEMA", "PairAsking"]

SCHEMA: Literal["judge.compare.asked/1"] = "judge.compare.asked/1"


class PairAsking(Asking[CompareOptions, CompareReport]):
    """One `judge compare` of trace files."""

    _things = "pairs"

    def __init__(self, options: CompareOptions) -> None:
        super().__init__(options)
        self._pairs: int | None = None
        self._paired = asyncio.Event()

    def run(self) -> int:
        """Ask, print, and say how it ended: the exit code."""
        return dry_run(self._options) if self._options.dry_run else super().run()

    async def _work(self, settings: Settings, stop: asyncio.Event) -> CompareReport:
        options = self._options
        return await compare_files(
            read_inputs(options, settings),
            options.out,
            settings,
            limit=options.limit,
            overwrite=options.overwrite,
            progress=self._progress,
            counted=partial(self._count_pairs, settings),
            stop=stop,
            tell=self._tell,
        )

    async def _total(self) -> int | None:
        await self._paired.wait()
        return self._pairs

    def _count_pairs(self, settings: Settings, grouped: Grouped) -> None:
        """What is to be shown must be there, and that is known now: later it would be paid for."""
        known = settings.pair_way.prompt.asked
        refuse_unknown(known, grouped.compared, axes=self._options.axes, baseline=self._options.baseline)
        self._pairs = len(grouped.pairs)
        self._paired.set()

    def _conclude(self, report: CompareReport, settings: Settings) -> int:
        code, options = _exit_code(report), self._options
        standings = self._standings(report.compared.preferences)
        if options.as_json:
            self._shown.out(orjson.dumps(_told(report, standings, code, str(options.out))).decode())
        else:
            self._print(report, standings)
        if failures := report.compared.failures.height:
            first = report.compared.failures.row(0, named=True)["message"]
            self._tell(f"{failures} failures; {self._options.out / 'failures.jsonl'} says why. The first: {first}")
        return code if report.finished else self._stopped()

    def _standings(self, preferences: pl.DataFrame) -> tuple[Standing, ...]:
        """None where a session was stopped before it came to any pair, or to one with the baseline."""
        options, reached = self._options, list_models(preferences)
        if not reached or options.baseline not in (None, *reached):
            return ()
        return find_standings(preferences, axes=options.axes, baseline=options.baseline, seed=options.seed)

    def _print(self, report: CompareReport, standings: Sequence[Standing]) -> None:
        show = self._shown.print
        show(f"\n{clean(report.rubric)} judged by {clean(report.judge)}\n")
        for part in render_standings(standings):
            show(part)
        for line in _lines(report, self._progress.cached):
            show(clean(line))
        show(f"Written to {self._options.out}: preferences.parquet, calls.parquet, failures.jsonl, run.json")


def _exit_code(report: CompareReport) -> int:
    if not report.finished:
        return EXIT_RESUMABLE
    return EXIT_FAILED_RECORDS if report.failed or report.records["unpaired"] else EXIT_OK


def _lines(report: CompareReport, cached: int) -> Iterator[str]:
    records = report.records
    yield f"{report.read} pairs = {report.judged} judged + {report.failed} failed" + _left(report)
    yield f"{records['read']} records read = {records['paired']} paired + {records['unpaired']} without a partner"
    spent, cost = report.spent, report.spent["cost_usd"]
    price = "price unknown; --price IN,OUT gives one" if cost is None else f"${cost:.4f}"
    tokens = f"{spent['prompt_tokens']:,} + {spent['completion_tokens']:,} tokens"
    yield f"{spent['replies']:,} calls paid for ({tokens}, {price}), {cached:,} answered without a new one"
    yield from prefix_lines(spent)
    yield from (f"Note: {note}" for note in report.notes)


def _left(report: CompareReport) -> str:
    left = report.read - report.judged - report.failed
    return f" + {left} not reached" if left else ""


def _told(report: CompareReport, standings: Sequence[Standing], code: int, out: str) -> dict[str, Any]:
    """What --json prints: one object of a fixed form."""
    return {
        "schema": SCHEMA,
        "finished": report.finished,
        "exit_code": code,
        "judge": report.judge,
        "rubric": report.rubric,
        "models": list(report.models),
        "counts": {"read": report.read, "judged": report.judged, "failed": report.failed},
        "records": report.records,
        "standings": as_json(standings),
        "spent": report.spent,
        "notes": list(report.notes),
        "out": out,
    }
