"""The work behind `judge rubric diff`: two versions compared, or judged and compared, and what is printed."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any, Literal

import orjson

from judge.change import Comparison, compare_rubrics
from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_USAGE, Asking
from judge.cli.diff_page import print_changes, print_moves
from judge.cli.given import read_traces
from judge.cli.options import DiffOptions
from judge.cli.terminal import Screen, clean, complain
from judge.errors import JudgeError
from judge.move import Moves, find_moves
from judge.progress import Progress, RunReport
from judge.rubric import Rubric, load_rubric
from judge.settings import Settings
from judge.versions import VersionsReport, judge_versions, version_folder

__all__ = ["SCHEMA", "Diffing", "show_changes"]

SCHEMA: Literal["judge.rubric.diff/1"] = "judge.rubric.diff/1"
EXIT_DIFFERENT = 1


def show_changes(old: str, new: str, *, as_json: bool, exit_code: bool) -> int:
    """Print what differs between two versions.

    Args:
        old: Name of a built-in rubric, or the path of a file.
        new: The same.
        as_json: Answer with one JSON object.
        exit_code: Whether a difference is told by it.

    Returns:
        The exit code.
    """
    try:
        before, after = load_rubric(old), load_rubric(new)
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    comparison, screen = compare_rubrics(before, after), Screen(soft_wrap=False)
    code = EXIT_DIFFERENT if exit_code and comparison.changes else EXIT_OK
    if as_json:
        screen.out(orjson.dumps(_told(before, after, comparison, code)).decode())
    else:
        print_changes(screen, before, after, comparison)
    return code


class Diffing(Asking[DiffOptions, VersionsReport]):
    """One `judge rubric diff` with traces."""

    def __init__(self, options: DiffOptions) -> None:
        super().__init__(options)
        self._of_new = Progress()

    def _counts(self) -> Progress:
        return self._progress.plus(self._of_new)

    async def _total(self) -> int | None:
        """Every record is judged twice."""
        records = await super()._total()
        return None if records is None else 2 * records

    async def _work(self, settings: Settings, stop: asyncio.Event) -> VersionsReport:
        options = self._options
        return await judge_versions(
            read_traces(options, settings),
            options.out,
            self._before(settings),
            settings,
            run=options.run,
            progress=(self._progress, self._of_new),
            stop=stop,
            tell=self._tell,
        )

    def _before(self, settings: Settings) -> Settings:
        return replace(settings, rubric=load_rubric(self._options.old))

    def _conclude(self, report: VersionsReport, settings: Settings) -> int:
        if not report.finished or report.new is None:
            return self._stopped()
        old = self._before(settings)
        runs = version_folder(self._options.out, old), version_folder(self._options.out, settings)
        comparison = compare_rubrics(old.rubric, settings.rubric)
        moves = find_moves(*runs, comparison)
        code = self._exit_code(report, moves)
        paid = _paid(report.old), 0 if report.new is report.old else _paid(report.new)
        if self._options.as_json:
            told = {"judge": settings.labels.judge, "runs": [str(run) for run in runs], "paid": paid, **asdict(moves)}
            self._shown.out(orjson.dumps(_told(old.rubric, settings.rubric, comparison, code, told)).decode())
            return code
        print_changes(self._shown, old.rubric, settings.rubric, comparison)
        print_moves(self._shown, moves, paid=None if settings.free else paid)
        for note in dict.fromkeys((*report.old.notes, *report.new.notes)):
            self._shown.print(clean(f"Note: {note}"))
        self._shown.print(clean(f"Runs: {' and '.join(dict.fromkeys(map(str, runs)))}"))
        return code

    def _exit_code(self, report: VersionsReport, moves: Moves) -> int:
        assert report.new is not None
        if self._options.exit_code and (moves.verdicts or any(one.moved for one in moves.scores)):
            return EXIT_DIFFERENT
        return EXIT_FAILED_RECORDS if report.old.failed or report.new.failed else EXIT_OK


def _paid(report: RunReport) -> int:
    """Replies, over all sessions."""
    return int(report.spent.get("replies") or 0)


def _told(
    old: Rubric, new: Rubric, comparison: Comparison, code: int, judged: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What --json prints: one object of a fixed form."""
    return {
        "schema": SCHEMA,
        "exit_code": code,
        "old": _about(old),
        "new": _about(new),
        "changes": [asdict(change) for change in comparison.changes],
        "judged": judged,
    }


def _about(rubric: Rubric) -> dict[str, str]:
    return {"name": rubric.name, "version": rubric.version, "fingerprint": rubric.fingerprint}
