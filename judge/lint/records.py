"""A trace file -> Findings: of the units of its records.

A question comes with many traces: its units are looked at once. A record needs no trace here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judge.digest import digest
from judge.errors import RecordError
from judge.lint.finding import Finding, Remark
from judge.lint.rubric_file import remark_on_statement
from judge.lint.source import find_words
from judge.lint.statement import read_statement
from judge.lint.units import Asked, Remarked
from judge.lint.weights import say_sign, sign_disagrees
from judge.probe import build_probes
from judge.record import build_record
from judge.rubric import Rubric
from judge.traces.reading import Reader
from judge.traces.source import open_source

__all__ = ["RecordsLint"]

_ASKED = ("units", "reference", "options")


class RecordsLint:
    """One look through a trace file.

    Args:
        path: Of the file, as of `judge score`; `-` for standard input.
        rubrics: That its records are scored by.

    Attributes:
        read: Records read so far.
        units: Units looked at so far, each once.
    """

    def __init__(self, path: str, rubrics: Sequence[Rubric]) -> None:
        self._path = path
        self._rubrics = rubrics
        self._seen: set[str] = set()
        self.read = self.units = 0

    def findings(self) -> Iterator[Finding]:
        """All findings, in the order of the file.

        Raises:
            InputError: The file cannot be read.
        """
        reader = Reader(images=None)
        with open_source(self._path) as source:
            for number, row in source:
                self.read += 1
                try:
                    if isinstance(row, RecordError):
                        raise row
                    yield from self._look(_Row(self._path, number, row), reader.fields(row, number))
                except RecordError as exc:
                    what = f"{exc.field} {exc.message}".strip().rstrip(".")
                    to_do = exc.hint.rstrip(".") or "correct it: it would fail"
                    yield Finding(file=self._path, line=number, column=1, rule="record", what=what, to_do=to_do)

    def _look(self, row: _Row, fields: Mapping[str, Any]) -> Iterator[Finding]:
        record = build_record({**fields, "trace": fields.get("trace") or ""}, number=row.number)
        key = digest({name: fields.get(name) for name in _ASKED})
        if key in self._seen:
            return
        self._seen.add(key)
        for rubric in self._rubrics:
            build_probes(record, rubric, granularity="trace")
        asked = Asked(fields)
        for unit in _units(fields):
            self.units += 1
            for field, text, remark in _remarks(unit, asked):
                yield row.at(unit, field, text, remark)


class _Row:
    """One row of a file."""

    def __init__(self, path: str, number: int, row: bytes | Mapping[str, Any]) -> None:
        self.path = path
        self.number = number
        self._line = row.decode(errors="replace") if isinstance(row, bytes) else ""

    def at(self, unit: Mapping[str, Any], field: str, text: str, remark: Remark) -> Finding:
        what = f"unit {unit.get('unit_id')}: {remark.what}"
        column = self._column(field, text, remark)
        return Finding(file=self.path, line=self.number, column=column, rule=remark.rule, what=what, to_do=remark.to_do)

    def _column(self, field: str, text: str, remark: Remark) -> int:
        """Of the words in the line, else of the text; 1 in a table, where there are no columns of text."""
        for ascii_only in (False, True):
            written = json.dumps(text, ensure_ascii=ascii_only)
            found = re.search(rf'"{field}"\s*:\s*({re.escape(written)})', self._line)
            if found is not None:
                return found.start(1) + (find_words(written, text, remark) or 0) + 1
        return 1


def _units(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for units in (fields.get("units") or {}).values():
        yield from units or ()


def _remarks(unit: Mapping[str, Any], asked: Asked) -> Iterator[Remarked]:
    claim = unit["claim"]
    statement = read_statement(("claim",), "claim", claim, unit)
    for remark in remark_on_statement(statement):
        yield "claim", claim, remark
    if sign_disagrees(unit):
        what, to_do = say_sign(unit)
        yield "claim", claim, Remark(rule="sign-polarity", what=what, to_do=to_do)
    yield from asked.remarks(unit)
