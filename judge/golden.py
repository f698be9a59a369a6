"""Cases × Run -> what came of each: whether a judge said what it must."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import JsonValue

from judge.cases import Case
from judge.table import Run

__all__ = ["Check", "Checked", "Status", "check_cases"]

Status: TypeAlias = Literal["ok", "failed", "unjudged", "skipped"]
_Row: TypeAlias = Mapping[str, Any]
_ROUNDING = 1e-9  # a mean of thirds is a little less than the 0.6667 that somebody writes down as its bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation, and what was found.

    Attributes:
        what: Such as `P1 presence`, `trace_score`, `trace_score above that of poor`.
        relation: How `found` must stand to `expected`: equal to it, within its two bounds, or above it.
        found: Null where there is none.
        status: `unjudged` where the judge gave no verdict: that is no failed expectation.
        reason: Why it gave none, as a short word.
    """

    what: str
    relation: Literal["equal", "within", "above"]
    expected: JsonValue
    found: JsonValue
    status: Status
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of one case.

    Attributes:
        status: `failed` where a check did, else `unjudged` where one could not be made; `skipped` where the baseline
            is not held to the case.
        failure: Why something has no verdict, in words; None where all has.
    """

    case: Case
    checks: tuple[Check, ...]
    status: Status
    failure: str | None = None


def check_cases(cases: Sequence[Case], run: Run, *, lexical: bool) -> list[Checked]:
    """Hold what a judge said against what was expected.

    Args:
        cases: In the order in which they were judged.
        run: Of these cases, and of no others.
        lexical: Whether the embedded baseline judged them.

    Returns:
        One a case, in their order.
    """
    found = _Found(cases, run)
    return [_check(case, found, skipped=lexical and not case.expect.lexical) for case in cases]


class _Found:
    """The rows of a run by case; a record that could not be read has none. Lines of a run count its records."""

    def __init__(self, cases: Sequence[Case], run: Run) -> None:
        self.lines = {case.id: line for line, case in enumerate(cases, start=1)}
        self.scores: dict[int, _Row] = {row["line"]: row for row in run.scores.iter_rows(named=True)}
        self.failures: dict[int, str] = {}
        for row in run.failures.iter_rows(named=True):
            self.failures.setdefault(row["line"], f"{row['error']}: {row['message']}")
        self._verdicts: dict[tuple[int, str], list[_Row]] = {}
        for row in run.verdicts.iter_rows(named=True):
            if row["kind"] == "faithfulness":  # claims are numbered, as criteria may be, and nothing is expected of one
                continue
            for name in (row["unit_id"], f"{row['axis']}.{row['unit_id']}"):
                self._verdicts.setdefault((row["line"], name), []).append(row)

    def score(self, case_id: str, column: str) -> tuple[float | None, str | None]:
        """A score and, where it is null because something failed, why."""
        row = self.scores.get(self.lines[case_id])
        if row is None:
            return None, "unreadable"
        return row[column], row["failure"] if row[column] is None else None

    def verdicts(self, case_id: str, name: str) -> list[_Row]:
        """Of a unit, one a sample."""
        return self._verdicts.get((self.lines[case_id], name), [])


def _check(case: Case, found: _Found, *, skipped: bool) -> Checked:
    if skipped:
        return Checked(case=case, checks=(), status="skipped")
    checks = (*_check_verdicts(case, found), *_check_scores(case, found), *_check_order(case, found))
    said = {check.status for check in checks}
    status: Status = "failed" if "failed" in said else "unjudged" if "unjudged" in said else "ok"
    return Checked(case=case, checks=checks, status=status, failure=found.failures.get(found.lines[case.id]))


def _check_verdicts(case: Case, found: _Found) -> Iterator[Check]:
    """In every sample: the first that differs is told."""
    for unit_id, expected in case.expect.verdicts.items():
        rows = found.verdicts(case.id, unit_id)
        for column, wanted in expected.model_dump(exclude_unset=True).items():
            broken = [row for row in rows if row["failure"] is not None]
            others = [row[column] for row in rows if row["failure"] is None and row[column] != wanted]
            value, status = (others[0], "failed") if others else (wanted, "ok")
            reason = None
            if not rows or (broken and not others):
                value, status, reason = None, "unjudged", broken[0]["failure"] if broken else "unreadable"
            yield _made(f"{unit_id} {column}", "equal", wanted, value, status, reason)


def _check_scores(case: Case, found: _Found) -> Iterator[Check]:
    for column, bounds in case.expect.scores.items():
        value, failure = found.score(case.id, column)
        if bounds is None or value is None:
            held = bounds is None and value is None
        else:
            held = bounds[0] - _ROUNDING <= value <= bounds[1] + _ROUNDING
        relation: Literal["equal", "within"] = "equal" if bounds is None else "within"
        yield _made(column, relation, bounds, value, _status(held=held, failure=failure), failure)


def _check_order(case: Case, found: _Found) -> Iterator[Check]:
    if (other := case.expect.better_than) is None:
        return
    (mine, failure), (theirs, their_failure) = (found.score(name, "trace_score") for name in (case.id, other))
    held = mine is not None and theirs is not None and mine > theirs + _ROUNDING
    why = failure or their_failure
    yield _made(f"trace_score above that of {other}", "above", theirs, mine, _status(held=held, failure=why), why)


def _status(*, held: bool, failure: str | None) -> Status:
    if failure is not None:
        return "unjudged"
    return "ok" if held else "failed"


def _made(what: str, relation: Any, expected: Any, found: Any, status: Any, reason: str | None) -> Check:
    return Check(what=what, relation=relation, expected=expected, found=found, status=status, reason=reason)
