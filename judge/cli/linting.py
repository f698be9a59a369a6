"""The work behind `judge rubric lint`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Final

import orjson
from rich.text import Text

from judge.cli.terminal import Screen, clean, complain
from judge.errors import ConfigError, JudgeError
from judge.lint.finding import Finding
from judge.lint.records import RecordsLint
from judge.lint.rubric_file import lint_rubric
from judge.lint.rule import RULES
from judge.rubric import load_rubric

__all__ = ["SCHEMA", "run_lint"]

SCHEMA: Final = "judge.lint/1"
_PAGE: Final = "docs/rules.md"
_COLOURS: Final = {"error": "red", "warning": "yellow"}


def run_lint(
    rubrics: Sequence[str], records: str | None, *, strict: bool, ignored: Collection[str], as_json: bool
) -> int:
    """Lint and print.

    Returns:
        The exit code.
    """
    try:
        _refuse_unknown(ignored)
        findings, looked_at = _lint(rubrics, records)
    except JudgeError as exc:
        complain(exc)
        return 2
    shown = [finding for finding in findings if finding.rule not in ignored]
    _show(shown, looked_at, as_json=as_json)
    return int(any(strict or finding.severity == "error" for finding in shown))


def _refuse_unknown(ignored: Collection[str]) -> None:
    """An error is refused by every other command: to ignore it here would only hide it."""
    for rule in ignored:
        if RULES.get(rule) != "warning":
            known = ", ".join(name for name, severity in RULES.items() if severity == "warning")
            raise ConfigError(f"--ignore {rule!r} is no rule of warnings; they are: {known}.")


def _lint(rubrics: Sequence[str], records: str | None) -> tuple[list[Finding], str]:
    """What was found, and what was looked at in words."""
    found = {rubric: lint_rubric(rubric) for rubric in rubrics}
    looked_at = _count(len(found), "rubric")
    findings = [finding for of_rubric in found.values() for finding in of_rubric]
    if records is not None:
        usable = [load_rubric(rubric) for rubric, those in found.items() if not _errors(those)]
        lint = RecordsLint(records, usable)
        findings += lint.findings()
        looked_at += f", {_count(lint.read, 'record')} and {_count(lint.units, 'unit')}"
    return findings, looked_at


def _show(findings: Sequence[Finding], looked_at: str, *, as_json: bool) -> None:
    screen = Screen()
    errors = len(_errors(findings))
    if as_json:
        counts = {"errors": errors, "warnings": len(findings) - errors}
        screen.out(orjson.dumps({"schema": SCHEMA, **counts, "findings": list(_rows(findings))}).decode())
        return
    for finding in findings:
        before, severity, after = clean(finding).partition(f" {finding.severity} ")
        screen.print(Text.assemble(before, (severity, _COLOURS[finding.severity]), after))
    told = f"{_count(errors, 'error')} and {_count(len(findings) - errors, 'warning')} in {looked_at}"
    screen.print(Text(f"{told}; each rule is explained in {_PAGE}" if findings else f"nothing found in {looked_at}"))


def _rows(findings: Iterable[Finding]) -> Iterator[dict[str, object]]:
    for finding in findings:
        page = f"{_PAGE}#{finding.rule}"
        yield {**asdict(finding), "severity": finding.severity, "page": page}


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
