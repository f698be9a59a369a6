"""The work behind `judge score`: what is scored, and what is printed."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path

import orjson
import polars as pl

from judge.aggregate import summarise
from judge.beside import less_spent
from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_RESUMABLE, Asking
from judge.cli.blind_page import print_blind
from judge.cli.calibrating import calibrated_lines, calibrated_table, put_calibrated
from judge.cli.given import read_traces
from judge.cli.legend import legend
from judge.cli.logs import logging_to_stderr
from judge.cli.means import Means, asked_axes
from judge.cli.options import ScoreOptions
from judge.cli.summary import answer_lines, caution_lines, difference_table, prefix_lines
from judge.cli.terminal import clean
from judge.cli.told import tell
from judge.difference import Difference, find_differences
from judge.judge_name import BASELINE
from judge.progress import sum_up
from judge.run import Progress, RunReport, score_file
from judge.settings import Settings
from judge.traces.reading import Traces
from judge.trust.blind import BlindCheck, add_blind_check, blind_runs, check_blind, make_progress, refuse_blind_check
from judge.trust.calibration import Calibration, read_calibration, refuse_other

__all__ = ["Scoring"]

_TELL_A_PATH = ("image_not_found", "image_path_outside_root", "image_too_large", "image_unreadable")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


class Scoring(Asking[ScoreOptions, RunReport]):
    """One `judge score`."""

    def __init__(self, options: ScoreOptions) -> None:
        super().__init__(options)
        self._blindly = make_progress()
        self._blind: BlindCheck | None = None

    def _counts(self) -> Progress:
        return sum_up([self._progress, *self._blindly.values()])

    async def _total(self) -> int | None:
        """A record of the blind check is asked about twice more; there may be fewer than it is to ask about."""
        records = await super()._total()
        return None if records is None else records + 2 * min(self._options.blind_check or 0, records)

    async def _work(self, settings: Settings, stop: asyncio.Event) -> RunReport:
        options, traces = self._options, read_traces(self._options, settings)
        if options.blind_check is None:
            return await self._score(traces, settings, stop)
        refuse_blind_check(traces, settings)
        earlier = [] if options.overwrite else blind_runs(options.out)
        report = await self._score(traces, less_spent(settings, earlier, rest="the run"), stop)
        if not report.finished:
            return report
        self._blind = await check_blind(
            traces,
            options.out,
            settings,
            records=options.blind_check,
            seed=options.seed,
            overwrite=options.overwrite,
            progress=self._blindly,
            stop=stop,
            tell=self._tell,
        )
        return add_blind_check(options.out, report, self._blind)

    async def _score(self, traces: Traces, settings: Settings, stop: asyncio.Event) -> RunReport:
        options = self._options
        self._calibration = self._read_calibration(settings)
        return await score_file(
            traces,
            options.out,
            settings,
            overwrite=options.overwrite,
            workers=options.workers,
            progress=self._progress,
            stop=stop,
            tell=self._tell,
            around=partial(logging_to_stderr, options.log_level),
        )

    def _read_calibration(self, settings: Settings) -> Calibration | None:
        """Before anything is asked: one of another judge is refused."""
        if (path := self._options.calibration) is None:
            return None
        calibration = read_calibration(path)
        refuse_other(calibration, settings.labels, path)
        return calibration

    def _introduce(self, settings: Settings) -> None:
        if settings.judge == BASELINE:
            self._told.print(
                "Judge: lexical, a baseline that compares words. Name a real one with "
                "--judge hosted_vllm/MODEL --api-base URL, --judge openai/MODEL, or --judge PROVIDER/MODEL."
            )
        super()._introduce(settings)
        if settings.samples > 1 and not settings.probe and settings.model.params.get("temperature") == 0:
            self._told.print("--samples repeats the same answer at temperature 0; give --param temperature=0.7")
        if settings.samples > 1 and settings.probe:
            self._told.print("--samples repeats the same probabilities: a probe reads them before anything is sampled.")

    def _conclude(self, report: RunReport, settings: Settings) -> int:
        scores = pl.scan_parquet(self._options.out / "scores.parquet")
        summary = summarise(scores, settings.labels.axes, seed=self._options.seed)
        differences = find_differences(scores, seed=self._options.seed)
        calibrated = put_calibrated(
            self._options.out,
            self._calibration,
            settings.rubric.scored,
            min_coverage=settings.min_coverage,
            seed=self._options.seed,
        )
        code = _exit_code(report)
        if self._options.as_json:
            told = tell(
                report,
                summary,
                differences,
                labels=settings.labels,
                out=self._options.out,
                exit_code=code,
                calibrated=calibrated,
                blind=self._blind,
            )
            self._shown.out(told)
        else:
            self._print(report, summary, differences, calibrated, settings)
        if failed := _failed(report):
            self._told.print(f"{failed}; {_first_failure(self._options.out / 'failures.jsonl')}")
        return code if report.finished else self._stopped()

    def _print(
        self,
        report: RunReport,
        summary: pl.DataFrame,
        differences: list[Difference],
        calibrated: pl.DataFrame | None,
        settings: Settings,
    ) -> None:
        show, axes = self._shown.print, asked_axes(summary, settings.rubric.axes)
        show(f"\n{clean(settings.labels.rubric)} judged by {clean(settings.labels.judge)}: means with 95 % intervals\n")
        show(Means(summary, axes))
        show(f"\n{legend(axes)}\n", style="dim")
        if calibrated is not None and self._calibration is not None:
            show(calibrated_table(calibrated))
            for line in calibrated_lines(self._calibration, axes):
                show(clean(line), style="dim")
            show()
        if differences:
            show(difference_table(differences))
            show()
        if self._blind is not None and self._blind.finished:
            print_blind(self._shown, self._blind)
        for line in (*answer_lines(summary), *_counts(report, self._progress), *prefix_lines(report.spent)):
            show(line)
        for line in (*caution_lines(report.cautions), *_notes(report)):
            show(line)
        names = ["scores.parquet", "verdicts.parquet", "calls.parquet", "run.json"]
        names += ["calibrated.parquet"] * (calibrated is not None)
        show(f"Written to {self._options.out}: {', '.join(names + ['failures.jsonl'] * bool(_failed(report)))}")


def _exit_code(report: RunReport) -> int:
    if not report.finished:
        return EXIT_RESUMABLE
    return EXIT_FAILED_RECORDS if report.failed else EXIT_OK


def _counts(report: RunReport, progress: Progress) -> tuple[str, str]:
    return f"{report.read} records read = {report.scored} scored + {report.failed} failed", _spent(report, progress)


def _failed(report: RunReport) -> str:
    """What failed, in numbers; a record may have a score although some of its units failed."""
    if report.failed:
        return f"{report.failed} failed"
    missing = report.units_asked - report.units_judged
    return f"{missing} of {report.units_asked} units have no verdict" if missing else ""


def _spent(report: RunReport, progress: Progress) -> str:
    if not report.spent:
        return f"{progress.calls} calls, all computed here at no cost"
    spent, cost = report.spent, report.spent["cost_usd"]
    a_record = f", ${cost / report.scored:.2g} a record" if cost and report.scored else ""
    price = "price unknown; --price IN,OUT gives one" if cost is None else f"${cost:.4f}{a_record}"
    tokens = f"{spent['prompt_tokens']:,} + {spent['completion_tokens']:,} tokens"
    return f"{spent['replies']:,} calls paid for ({tokens}, {price}), {progress.cached:,} answered without a new one"


def _notes(report: RunReport) -> list[str]:
    return [f"Note: {clean(note)}" for note in report.notes]


def _first_failure(path: Path) -> str:
    with path.open("rb") as file:
        first = orjson.loads(file.readline())
    message = first["message"]
    if first["error"] in _TELL_A_PATH:  # which may name a patient, and what is printed ends up in the logs of others
        message = _QUOTED.sub("'…'", message, count=1)
    return f"{path} says why. The first: {clean(message)}"
