"""The work behind `judge score`: settings from options, signals, exit codes, and what is printed."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import polars as pl
from rich.console import Console

from judge.aggregate import summarise
from judge.cli.score import cache_folder
from judge.cli.terminal import report_progress, summary_table
from judge.errors import FatalError, InputError, JudgeError
from judge.rubric import load_rubric
from judge.run import Progress, RunReport, score_file
from judge.settings import BASELINE, Settings

__all__ = ["EXIT_FAILED_RECORDS", "EXIT_OK", "EXIT_RESUMABLE", "EXIT_USAGE", "Scoring"]

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_FAILED_RECORDS = 3
EXIT_RESUMABLE = 75
_NEVER_WORKED = ("auth", "model_not_found", "quota")


class Scoring:
    """One `judge score`.

    Args:
        traces: Path of the input, or `-`.
        out: The run directory.
        quiet: No progress and no table.
        as_json: The summary as JSON on standard output.
        seed: Of the bootstrap.
    """

    def __init__(self, traces: str, out: Path, *, quiet: bool, as_json: bool, seed: int) -> None:
        self._traces = traces
        self._out = out
        self._quiet = quiet
        self._as_json = as_json
        self._seed = seed
        self._told = Console(stderr=True, quiet=quiet, soft_wrap=True)
        self._progress = Progress()

    def run(self, options: dict[str, Any]) -> int:
        """Score, print, and say how it ended: the exit code."""
        try:
            settings = _settings(options)
            self._introduce(settings)
            report = asyncio.run(self._score(settings, options["limit"], overwrite=options["overwrite"]))
        except (InputError, FatalError) as exc:
            return self._give_up(exc)
        except JudgeError as exc:  # a full disk, a damaged store: what is committed is safe
            self._complain(exc)
            return EXIT_RESUMABLE
        except asyncio.CancelledError:
            return self._stopped()
        if report.read == 0:
            self._complain(InputError(f"{self._traces} holds no records."))
            return EXIT_USAGE
        self._conclude(report, settings)
        if not report.finished:
            return self._stopped()
        return EXIT_FAILED_RECORDS if report.failed else EXIT_OK

    async def _score(self, settings: Settings, limit: int | None, *, overwrite: bool) -> RunReport:
        stop = asyncio.Event()
        self._listen(stop)
        with _opened(self._traces) as source:
            shown = None if self._quiet else report_progress(self._progress, _count(self._traces, limit), self._told)
            showing = asyncio.ensure_future(shown) if shown is not None else None
            try:
                return await score_file(
                    source,
                    self._out,
                    settings,
                    name=self._traces,
                    limit=limit,
                    overwrite=overwrite,
                    progress=self._progress,
                    stop=stop,
                )
            finally:
                if showing is not None:
                    showing.cancel()
                    with suppress(asyncio.CancelledError):
                        await showing

    def _listen(self, stop: asyncio.Event) -> None:
        """The first signal ends the run in order, a second one at once."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - we are inside one

        def received() -> None:
            if stop.is_set():
                task.cancel()
            else:
                self._told.print("Stopping: finishing the calls under way. Once more to stop at once.")
                stop.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, received)

    def _introduce(self, settings: Settings) -> None:
        if settings.judge == BASELINE:
            self._told.print(
                "Judge: lexical, a baseline that compares words. Name a real one with "
                "--judge hosted_vllm/MODEL --api-base URL, or --judge openai/MODEL.",
                highlight=False,
            )
        if settings.samples > 1 and settings.model.params.get("temperature") == 0:
            self._told.print("--samples repeats the same answer at temperature 0; give --param temperature=0.7")

    def _conclude(self, report: RunReport, settings: Settings) -> None:
        axes = settings.labels.axes
        summary = summarise(pl.read_parquet(self._out / "scores.parquet"), axes, seed=self._seed)
        if self._as_json:
            sys.stdout.buffer.write(orjson.dumps(_as_json(report, summary, self._out)) + b"\n")
        elif not self._quiet:
            self._print(report, summary, settings)

    def _print(self, report: RunReport, summary: pl.DataFrame, settings: Settings) -> None:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"\n{settings.labels.rubric} judged by {settings.labels.judge}: means with 95 % intervals\n")
        console.print(summary_table(summary, settings.labels.axes))
        console.print(_answers(summary))
        console.print(f"{report.read} records read = {report.scored} scored + {report.failed} failed")
        console.print(_spent(report, self._progress))
        for note in report.notes:
            console.print(f"Note: {note}")
        files = ["scores.parquet", "verdicts.parquet", "calls.parquet", "run.json"]
        if report.failed:
            files.append("failures.jsonl (why records failed)")
        console.print(f"Written to {self._out}: {', '.join(files)}", markup=False)

    def _give_up(self, error: InputError | FatalError) -> int:
        self._complain(error)
        if isinstance(error, FatalError) and (error.code not in _NEVER_WORKED or self._progress.calls):
            return self._stopped()
        return EXIT_USAGE

    def _stopped(self) -> int:
        self._complain("Stopped early; what is done is kept. To resume: " + shlex.join(["judge", *sys.argv[1:]]))
        return EXIT_RESUMABLE

    def _complain(self, what: object) -> None:
        Console(stderr=True, soft_wrap=True).print(str(what), highlight=False, markup=False)


def _settings(options: dict[str, Any]) -> Settings:
    return Settings(
        judge=options["judge_name"],
        rubric=load_rubric(options["rubric"]),
        api_base=options["api_base"],
        params=dict(options["params"]),
        granularity=options["granularity"],
        evidence=options["evidence"],
        samples=options["samples"],
        min_coverage=options["min_coverage"],
        concurrency=options["concurrency"],
        timeout_s=options["timeout"],
        max_retries=options["max_retries"],
        cache=cache_folder(options["cache"]),
    )


def _opened(traces: str) -> BinaryIO:
    return sys.stdin.buffer if traces == "-" else Path(traces).open("rb")


def _count(traces: str, limit: int | None) -> int | None:
    """Records in a file, for the time left; None where it cannot be known before."""
    path = Path(traces)
    if traces == "-" or not path.is_file():  # a pipe can be read once only
        return limit
    with path.open("rb") as file:
        lines = sum(line.strip() != b"" for line in file)
    return lines if limit is None else min(lines, limit)


def _answers(summary: pl.DataFrame) -> str:
    lines = []
    for (model,), rows in summary.group_by("model", maintain_order=True):
        by_name = {row["measure"]: row for row in rows.iter_rows(named=True)}
        right, given = by_name["answer_correct"], by_name["answered"]
        if right["n"]:
            share = f"{right['mean']:.0%} right, {given['mean']:.0%} gave one"
            lines.append(f"Final answers of {model or '(no model)'}: {share} (n = {right['n']})")
    return "\n".join(lines)


def _spent(report: RunReport, progress: Progress) -> str:
    if not report.spent:
        return f"{progress.calls} calls, all computed here at no cost"
    spent, cost = report.spent, report.spent["cost_usd"]
    price = "price unknown" if cost is None else f"${cost:.4f}"
    tokens = f"{spent['prompt_tokens']:,} + {spent['completion_tokens']:,} tokens"
    return f"{spent['replies']:,} calls paid for ({tokens}, {price}), {progress.cached:,} from the store"


def _as_json(report: RunReport, summary: pl.DataFrame, out: Path) -> dict[str, Any]:
    return {
        "finished": report.finished,
        "counts": {"read": report.read, "scored": report.scored, "failed": report.failed},
        "spent": report.spent,
        "notes": report.notes,
        "summary": summary.to_dicts(),
        "out": str(out),
    }
