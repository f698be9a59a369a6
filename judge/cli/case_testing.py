"""The work behind `judge rubric test`: cases judged as any records are, checked, and told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from judge.arithmetic import number
from judge.cases import Case, cases_beside, read_cases
from judge.cli.given import not_used, read_settings, read_traces
from judge.cli.options import JudgeOptions
from judge.cli.terminal import Screen, clean
from judge.client import Judge
from judge.errors import BackendError, InputError, JudgeError
from judge.golden import Check, Checked, Status, check_cases
from judge.judge_name import BASELINE
from judge.settings import Settings

__all__ = ["SCHEMA", "test_cases"]

SCHEMA: Literal["judge.rubric.test/1"] = "judge.rubric.test/1"
EXIT_OK = 0
EXIT_FAILED_CHECK = 1
EXIT_USAGE = 2
EXIT_UNJUDGED = 3
EXIT_INTERRUPTED = 75
_STATUSES: tuple[Status, ...] = ("ok", "failed", "unjudged", "skipped")
_WORDS = {"ok": "ok", "failed": "failed", "unjudged": "not judged", "skipped": "skipped"}
_NO_MISTAKES = ("budget", "engine_died", "provider_down", "quota", "rate_limit")
"""Codes of errors that end the judging and are of no option, key or file."""


def test_cases(options: JudgeOptions, given: Path | None) -> int:
    """Judge the cases, check them, and print what came of it.

    Args:
        options: Of the judge; what says where traces are is not looked at.
        given: The file of cases; None for the one beside the rubric.

    Returns:
        The exit code.
    """
    errors = Screen(stderr=True)
    try:
        path = cases_beside(options.rubric) if given is None else given
        settings = read_settings(options)
        cases = read_cases(path, settings.way, axes=settings.labels.axes)
        if said := not_used(options):
            errors.print(clean(said))
        checked = _judge(cases, settings, replace(options, traces=str(path)))
    except JudgeError as exc:
        errors.print(clean(exc))
        return EXIT_UNJUDGED if isinstance(exc, BackendError) and exc.code in _NO_MISTAKES else EXIT_USAGE
    except KeyboardInterrupt:
        errors.print("Stopped early; nothing was checked.")
        return EXIT_INTERRUPTED
    code, screen = _exit_code(checked), Screen()
    if options.as_json:
        screen.out(orjson.dumps(_told(checked, settings, path, code)).decode())
    else:
        for line in _lines(checked, settings, path):
            screen.print(clean(line))
    return code


def _judge(cases: Sequence[Case], settings: Settings, options: JudgeOptions) -> list[Checked]:
    lexical = settings.judge == BASELINE
    if lexical and not any(case.expect.lexical for case in cases):
        hint = "Name a judge that reads: --judge hosted_vllm/MODEL --api-base URL"
        raise InputError(f'no case of {options.traces} is for {BASELINE}: each says "lexical": false.', hint=hint)
    with Judge.of(settings, images=read_traces(options, settings).images) as judge:
        return check_cases(cases, judge.score([case.fields for case in cases]), lexical=lexical)


def _exit_code(checked: Sequence[Checked]) -> int:
    """A check that failed is known to have; what was not judged may be fine."""
    found = {one.status for one in checked}
    if "failed" in found:
        return EXIT_FAILED_CHECK
    return EXIT_UNJUDGED if "unjudged" in found else EXIT_OK


def _lines(checked: Sequence[Checked], settings: Settings, path: Path) -> Iterator[str]:
    baseline = ", a baseline that compares words" * (settings.judge == BASELINE)
    yield f"{settings.labels.rubric} judged by {settings.labels.judge}{baseline}: {len(checked)} cases of {_near(path)}"
    for one in checked:
        made = f"  {len(one.checks)} check{'s' * (len(one.checks) > 1)}" if one.status == "ok" else ""
        yield f"{_WORDS[one.status]:<12}{one.case.id}{made}"
        yield from (f"{'':<12}{_check_line(check)}" for check in one.checks if check.status != "ok")
        if one.status == "unjudged" and one.failure:
            yield f"{'':<12}{one.failure}"
    counts = Counter(one.status for one in checked)
    yield ", ".join(f"{counts[status]} {_WORDS[status]}" for status in _STATUSES if counts[status])


def _near(path: Path) -> Path:
    """The path from where the user is, if it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _check_line(check: Check) -> str:
    found = f"not judged ({check.reason})" if check.status == "unjudged" else f"found {_value(check.found)}"
    return f"{check.what}: expected {_expected(check)}, {found}"


def _expected(check: Check) -> str:
    if check.relation == "within" and isinstance(check.expected, list):
        return " to ".join(map(_value, check.expected))
    return f"{'more than ' * (check.relation == 'above')}{_value(check.expected)}"


def _value(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return "null" if value is None else str(value)


def _told(checked: Sequence[Checked], settings: Settings, path: Path, code: int) -> dict[str, Any]:
    counts = Counter(one.status for one in checked)
    return {
        "schema": SCHEMA,
        "exit_code": code,
        "judge": settings.labels.judge,
        "rubric": settings.labels.rubric,
        "rubric_fp": settings.labels.rubric_fp,
        "cases_file": str(path),
        "counts": {status: counts[status] for status in _STATUSES},
        "cases": [_told_case(one) for one in checked],
    }


def _told_case(one: Checked) -> dict[str, Any]:
    checks = [asdict(check) for check in one.checks]
    return {"id": one.case.id, "line": one.case.line, "status": one.status, "failure": one.failure, "checks": checks}
