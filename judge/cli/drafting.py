"""The work behind `judge rubric draft`: what is drafted, and what is printed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import orjson

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_RESUMABLE, Asking
from judge.cli.given import read_traces
from judge.cli.options import DraftOptions
from judge.cli.terminal import clean
from judge.draft import DraftReport, draft_file
from judge.drafts.coverage import Coverage
from judge.drafts.folder import DraftFolder
from judge.drafts.row import Row, coverage_of, notes_of
from judge.settings import Settings

__all__ = ["SCHEMA", "Drafting"]

SCHEMA: Literal["judge.draft/1"] = "judge.draft/1"
_NOTED = ("merged", "dropped", "warnings")


class Drafting(Asking[DraftOptions, DraftReport]):
    """One `judge rubric draft`."""

    async def _work(self, settings: Settings, stop: asyncio.Event) -> DraftReport:
        options = self._options
        return await draft_file(
            read_traces(options, settings),
            options.out,
            settings,
            overwrite=options.overwrite,
            progress=self._progress,
            stop=stop,
            tell=self._tell,
        )

    def _conclude(self, report: DraftReport, settings: Settings) -> int:
        code = EXIT_RESUMABLE if not report.finished else EXIT_FAILED_RECORDS if report.failed else EXIT_OK
        if self._options.as_json:
            self._shown.out(orjson.dumps(_told(report, code, str(self._options.out))).decode())
        else:
            for line in self._lines(report):
                self._shown.print(clean(line))
        if report.failures:
            path, first = DraftFolder(self._options.out).failures_path, report.failures[0]
            self._tell(f"{report.failed} failed; {path} says why. The first: {first.message}")
        return code if report.finished else self._stopped()

    def _lines(self, report: DraftReport) -> Iterator[str]:
        yield f"{report.rubric} drafted by {report.judge}"
        if self._options.verbose:
            for row in report.drafted:
                yield from _story(row)
        yield _counts(report)
        yield from _found(report)
        yield _spent(report, self._progress.cached)
        yield from (f"Note: {note}" for note in report.notes)
        if report.drafted or report.kept:
            out = self._options.out
            yield f"Written to {out}. Read and edit it, then: judge score TRACES --references {out} --on id --out DIR"


def _counts(report: DraftReport) -> str:
    parts = {
        "drafted": len(report.drafted),
        "kept as you edited them": report.kept,
        "of a question that came before": report.repeated,
        "failed": report.failed,
    }
    told = " + ".join(f"{count} {words}" for words, count in parts.items() if count or words in ("drafted", "failed"))
    return f"{report.read} records read = {told}"


def _found(report: DraftReport) -> Iterator[str]:
    """What the lines that the judge wrote come to."""
    if not report.drafted:
        return
    units = _units(report)
    yield f"{units.total()} units: {', '.join(f'{count} {axis}' for axis, count in units.items())}"
    noted = _noted(report)
    merged, dropped, warnings = (noted[name] for name in _NOTED)
    yield f"{merged} more merged into these, {dropped} dropped (no such quote); warnings: {warnings}"
    yield f"Coverage: {_covered(_coverage(report))}"


def _units(report: DraftReport) -> Counter[str]:
    return Counter({axis: sum(len(row["units"][axis]) for row in report.drafted) for axis in _axes(report)})


def _axes(report: DraftReport) -> list[str]:
    return list(report.drafted[0]["units"]) if report.drafted else []


def _noted(report: DraftReport) -> dict[str, int]:
    return {name: sum(len(notes_of(row)[name]) for row in report.drafted) for name in _NOTED}


def _coverage(report: DraftReport) -> Coverage:
    return sum((coverage_of(row) for row in report.drafted), Coverage())


def _covered(found: Coverage) -> str:
    share = found.quoted / found.characters if found.characters else 0.0
    return f"{found.covered} of {found.sentences} sentences of the references are quoted, {share:.0%} of their letters"


def _story(row: Row) -> Iterator[str]:
    """What a person should look at in one line."""
    notes, coverage = notes_of(row), coverage_of(row)
    yield f"{row['id']}: {_covered(coverage)}"
    for sentence in coverage.uncovered:
        yield f"  not covered: {sentence}"
    for one in notes["merged"]:
        yield f"  merged into {one['into']}: {one['claim']}"
    for one in notes["dropped"]:
        yield f"  dropped, {one['reason']}: {one['claim']}"
    for one in notes["warnings"]:
        yield f"  {one['unit_id']}: {one['message']}"


def _spent(report: DraftReport, cached: int) -> str:
    spent, cost = report.spent, report.spent["cost_usd"]
    price = "price unknown; --price IN,OUT gives one" if cost is None else f"${cost:.4f}"
    tokens = f"{spent['prompt_tokens']:,} + {spent['completion_tokens']:,} tokens"
    return f"{spent['replies']:,} calls paid for ({tokens}, {price}), {cached:,} answered without a new one"


def _told(report: DraftReport, code: int, out: str) -> dict[str, Any]:
    """What --json prints: one object of a fixed form."""
    coverage = _coverage(report)
    return {
        "schema": SCHEMA,
        "finished": report.finished,
        "exit_code": code,
        "judge": report.judge,
        "rubric": report.rubric,
        "counts": {
            "read": report.read,
            "drafted": len(report.drafted),
            "kept": report.kept,
            "repeated": report.repeated,
            "failed": report.failed,
        },
        "units": dict(_units(report)),
        **_noted(report),
        "coverage": {name: getattr(coverage, name) for name in ("sentences", "covered", "characters", "quoted")},
        "spent": report.spent,
        "notes": list(report.notes),
        "out": out,
    }
