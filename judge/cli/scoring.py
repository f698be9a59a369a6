"""The work behind `judge score`: settings from options, signals, exit codes, and what is printed."""

from __future__ import annotations

import asyncio
import errno
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import orjson
import polars as pl

from judge.aggregate import summarise
from judge.cli.given import not_used, read_settings, read_traces
from judge.cli.logs import logging_to_stderr
from judge.cli.options import ScoreOptions
from judge.cli.summary import LEGEND, answer_lines, caution_lines, difference_table, prefix_lines, summary_table
from judge.cli.terminal import Screen, clean, report_progress
from judge.cli.told import tell
from judge.difference import Difference, find_differences
from judge.errors import InputError, JudgeError
from judge.loop import drive
from judge.run import Progress, RunReport, score_file
from judge.settings import BASELINE, Settings
from judge.traces.source import UNREADABLE, count_rows

__all__ = ["EXIT_FAILED_RECORDS", "EXIT_OK", "EXIT_RESUMABLE", "EXIT_USAGE", "Scoring"]

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_FAILED_RECORDS = 3
EXIT_RESUMABLE = 75
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_TELL_A_PATH = ("image_not_found", "image_path_outside_root", "image_too_large", "image_unreadable")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_NO_MISTAKES = ("provider_down", "rate_limit", "disk_full", "not_kept", "worker_died")


class Scoring:
    """One `judge score`.

    Args:
        options: What the user gave.
    """

    def __init__(self, options: ScoreOptions) -> None:
        self._options = options
        self._told = Screen(stderr=True, quiet=options.quiet, soft_wrap=True, highlight=False, markup=False)
        self._errors = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False)
        self._shown = Screen(quiet=options.quiet and not options.as_json, soft_wrap=True, highlight=False, markup=False)
        self._progress = Progress()

    def run(self) -> int:
        """Score, print, and say how it ended: the exit code."""
        with logging_to_stderr(self._options.log_level):
            return self._run()

    def _run(self) -> int:
        try:
            settings = read_settings(self._options)
            self._introduce(settings)
            return self._conclude(drive(self._score(settings)), settings)
        except JudgeError as exc:
            return self._give_up(exc)
        except OSError as exc:
            if exc.errno not in _DISK_FULL:
                raise
            self._complain(f"{exc.filename or self._options.out}: {exc.strerror}.")
            return self._stopped()
        except (asyncio.CancelledError, KeyboardInterrupt):
            return self._stopped()

    async def _score(self, settings: Settings) -> RunReport:
        options, stop = self._options, asyncio.Event()
        showing = asyncio.ensure_future(self._show_progress())
        try:
            with self._listening(stop):
                return await score_file(
                    read_traces(options, settings),
                    options.out,
                    settings,
                    overwrite=options.overwrite,
                    workers=options.workers,
                    progress=self._progress,
                    stop=stop,
                    tell=lambda note: self._told.print(clean(note)),
                    around=partial(logging_to_stderr, options.log_level),
                )
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show_progress(self) -> None:
        if self._options.quiet:
            return
        counting = asyncio.ensure_future(count_rows(self._options.traces, self._options.limit))
        try:
            await report_progress(self._progress, counting, self._told)
        finally:
            counting.cancel()

    @contextmanager
    def _listening(self, stop: asyncio.Event) -> Iterator[None]:
        """The first signal ends the run in order, a second one at once."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def received() -> None:
            if stop.is_set():
                task.cancel()
            else:
                self._told.print("Stopping: finishing the calls under way. Once more to stop at once.")
                stop.set()

        # `nohup judge score …` stays deaf to what it is deaf to.
        heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        for number in heard:
            loop.add_signal_handler(number, received)
        try:
            yield
        finally:
            for number in heard:  # uvloop would keep them beyond its end
                loop.remove_signal_handler(number)

    def _introduce(self, settings: Settings) -> None:
        if settings.judge == BASELINE:
            self._told.print(
                "Judge: lexical, a baseline that compares words. Name a real one with "
                "--judge hosted_vllm/MODEL --api-base URL, --judge openai/MODEL, or --judge PROVIDER/MODEL."
            )
        if said := not_used(self._options):
            self._told.print(clean(said))
        if settings.engine_model is not None:
            self._told.print(
                f"Starting vLLM with {clean(settings.engine_model)} in this process: this takes from half a minute to "
                "many, and nothing is shown meanwhile (--log-level debug shows what vLLM says)."
            )
        if settings.samples > 1 and not settings.probe and settings.model.params.get("temperature") == 0:
            self._told.print("--samples repeats the same answer at temperature 0; give --param temperature=0.7")
        if settings.samples > 1 and settings.probe:
            self._told.print("--samples repeats the same probabilities: a probe reads them before anything is sampled.")

    def _conclude(self, report: RunReport, settings: Settings) -> int:
        scores = pl.scan_parquet(self._options.out / "scores.parquet")
        summary = summarise(scores, settings.labels.axes, seed=self._options.seed)
        differences = find_differences(scores, seed=self._options.seed)
        code = _exit_code(report)
        if self._options.as_json:
            out, labels = self._options.out, settings.labels
            self._shown.out(tell(report, summary, differences, labels=labels, out=out, exit_code=code))
        else:
            self._print(report, summary, differences, settings)
        if failed := _failed(report):
            self._told.print(f"{failed}; {_first_failure(self._options.out / 'failures.jsonl')}")
        return code if report.finished else self._stopped()

    def _print(
        self, report: RunReport, summary: pl.DataFrame, differences: list[Difference], settings: Settings
    ) -> None:
        show = self._shown.print
        show(f"\n{clean(settings.labels.rubric)} judged by {clean(settings.labels.judge)}: means with 95 % intervals\n")
        show(summary_table(summary, settings.labels.axes))
        show(f"\n{LEGEND}\n", style="dim")
        if differences:
            show(difference_table(differences))
            show()
        for line in (*answer_lines(summary), *_counts(report, self._progress), *prefix_lines(report.spent)):
            show(line)
        for line in (*caution_lines(report.cautions), *_notes(report)):
            show(line)
        names = ["scores.parquet", "verdicts.parquet", "calls.parquet", "run.json"]
        show(f"Written to {self._options.out}: {', '.join(names + ['failures.jsonl'] * bool(_failed(report)))}")

    def _give_up(self, error: JudgeError) -> int:
        if error.code == "budget":
            self._complain(f"{error.message}{self._left()} {error.hint}")
            return self._stopped()
        self._complain(error)
        # Nothing was answered, so a wrong key, model or folder was found before the first paid call. A server that is
        # down, a disk that is full, a reply that was paid for and could not be kept: the same command may work later.
        mistaken = not self._progress.calls and error.code not in _NO_MISTAKES
        misused = isinstance(error, InputError) and error.code != UNREADABLE
        return EXIT_USAGE if mistaken or misused else self._stopped()

    def _left(self) -> str:
        """How many records are left, where the input can be read once more to count them."""
        lines = asyncio.run(count_rows(self._options.traces, self._options.limit))
        return f" {max(lines - self._progress.done, 0):,} records left." if lines is not None else ""

    def _stopped(self) -> int:
        again = [word for word in sys.argv[1:] if word != "--overwrite"]  # which would throw away what is done
        self._complain("Stopped early; what is done is kept. To resume: " + shlex.join(["judge", *again]))
        return EXIT_RESUMABLE

    def _complain(self, what: object) -> None:
        self._errors.print(clean(what))


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
