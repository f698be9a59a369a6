"""A file of golden cases -> Cases: records, and what a judge must say of them.

{"id": "mirrored", "units": {"perception": [{"unit_id": "P1", "claim": "The left lung is collapsed."}]},
"trace": "The right lung is collapsed.",
"expect": {"verdicts": {"P1": {"presence": 2, "correctness": -1}}, "scores": {"perception_score": [0, 0.2]}}}
{"id": "good", …, "trace": "The left lung is collapsed.", "expect": {"better_than": "mirrored", "lexical": false}}

A case is a record of its own, one a line, with an id that no other case has. All is checked before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from judge.asking import Way, first_asks
from judge.axis import Kind
from judge.errors import InputError, RecordError
from judge.fault import shown
from judge.prompt import Request
from judge.record import Record, build_record, read_fields
from judge.rubric import locate_rubric
from judge.table import table_schemas
from judge.traces.shape import shape_fields
from judge.traces.source import open_source

__all__ = ["Case", "Expectation", "ExpectedVerdict", "cases_beside", "read_cases"]

_Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class _Expected(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ExpectedVerdict(_Expected):
    """What a verdict must be, in the columns that are given; null where there must be none.

    Source:
        Contract §5, `verdicts.parquet`; `verdict`, `value` and `level` are of kinds that have no presence.
    """

    presence: Literal[0, 1, 2] | None = None
    correctness: Literal[-1, 0, 1] | None = None
    verdict: str | None = None
    value: float | None = None
    level: int | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ExpectedVerdict:
        if not self.model_fields_set:
            raise ValueError("expects nothing; give presence, correctness, verdict, value or level")
        return self


class Expectation(_Expected):
    """What must come of a case.

    Attributes:
        verdicts: Unit id -> its verdict; `axis.unit_id` where several axes have one of that name.
        scores: Column of `scores.parquet` -> lowest and highest value, or null where there must be none.
        better_than: Id of a case whose trace_score must be lower.
        lexical: Whether the embedded baseline is held to it; it compares words, and understands none.
    """

    verdicts: dict[str, ExpectedVerdict] = Field(default_factory=dict)
    scores: dict[str, _Range | None] = Field(default_factory=dict)
    better_than: str | None = None
    lexical: bool = True

    @model_validator(mode="after")
    def _can_fail(self) -> Expectation:
        if not (self.verdicts or self.scores or self.better_than):
            raise ValueError("expects nothing; give verdicts, scores or better_than")
        for column, bounds in self.scores.items():
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"scores.{column} is {bounds}; the lowest value comes first")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One golden case.

    Attributes:
        id: Of the record.
        line: Of the file, from 1.
        fields: Of the record, as `Judge.score` reads them.
        expect: What must come of it.
    """

    id: str
    line: int
    fields: Mapping[str, Any]
    expect: Expectation


def cases_beside(rubric: str) -> Path:
    """Where the cases of a rubric are, unless told otherwise: `triage.cases.jsonl` beside `triage.yaml`.

    Raises:
        RubricError: No built-in rubric has this name.
    """
    path = locate_rubric(rubric)
    return path.with_name(f"{path.stem}.cases.jsonl")


def read_cases(path: Path, way: Way, *, axes: Mapping[str, Kind]) -> list[Case]:
    """Read all cases, and check them against what would be asked.

    Args:
        path: JSONL, compressed or not.
        way: How their units are asked about, with the rubric.
        axes: The kind of each axis of the rubric.

    Raises:
        InputError: There is no such file, it holds no case, or a case is wrong; says where, with line and field.
    """
    if not path.is_file():
        hint = 'Write a record a line, each with what is expected: {…, "expect": {"scores": {"trace_score": [0.8, 1]}}}'
        raise InputError(f"{path} is not there, so there are no cases.", hint=hint)
    with open_source(str(path)) as source:
        cases = [_read(path, number, row, way) for number, row in source]
    if not cases:
        raise InputError(f"{path} holds no case.")
    _refuse_wrong_names(path, cases, axes)
    return cases


def _read(path: Path, number: int, row: bytes | Mapping[str, Any] | RecordError, way: Way) -> Case:
    try:
        if isinstance(row, RecordError):
            raise row
        fields = dict(read_fields(row, number=number))
        expected = fields.pop("expect", None)
        record = _record(fields, number)
        asked = _names(first_asks(record, way, sees_images=True))
    except RecordError as exc:
        _refuse(path, number, exc.field, exc.message, hint=exc.hint)
    expect = _expectation(path, number, expected)
    for name in expect.verdicts:
        if name not in asked:
            known = ", ".join(dict.fromkeys(unit for unit, _ in asked.values()))
            _refuse(path, number, f"expect.verdicts.{name}", f"is no unit of this case; there are: {known}.")
        if len(asked[name][1]) > 1:
            which = " and ".join(f"{axis}.{name}" for axis in asked[name][1])
            _refuse(path, number, f"expect.verdicts.{name}", f"is of several axes; there are: {which}.")
    return Case(id=record.id, line=number, fields=fields, expect=expect)


def _names(asks: Iterable[Request]) -> dict[str, tuple[str, list[str]]]:
    """What a unit may be called -> its id and the axes that have it. Claims of a trace are not known before."""
    named: dict[str, tuple[str, list[str]]] = {}
    units = (unit for ask in asks if not ask.probes.portion for unit in ask.probes.asked)
    for axis, unit_id in dict.fromkeys((unit.axis, unit.unit.unit_id) for unit in units):
        for name in (unit_id, f"{axis}.{unit_id}"):
            named.setdefault(name, (unit_id, []))[1].append(axis)
    return named


def _record(fields: Mapping[str, Any], number: int) -> Record:
    """The record, without its images: they are opened when it is judged."""
    if fields.get("id") is None:
        hint = 'Give one that says what the case is about: "id": "wrong-side"'
        raise RecordError("is missing or null.", field="id", hint=hint)
    return build_record(shape_fields(fields, number=number), number=number)


def _expectation(path: Path, number: int, given: object) -> Expectation:
    if given is None:
        _refuse(path, number, "expect", "is missing.", hint='Say what must come of it: {"better_than": "…"}')
    try:
        return Expectation.model_validate(given)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        field = ".".join(("expect", *map(str, error["loc"])))
        if error["type"] == "extra_forbidden":
            _refuse(path, number, field, f"is {shown(error['input'])}, and nothing of this name can be expected.")
        if error["type"] == "value_error":
            _refuse(path, number, field, f"{error['msg'].removeprefix('Value error, ')}.")
        wanted = error["msg"].removeprefix("Input should ").removeprefix("be ")
        _refuse(path, number, field, f"is {shown(error['input'])}, must be {wanted}.")


def _refuse_wrong_names(path: Path, cases: Sequence[Case], axes: Mapping[str, Kind]) -> None:
    lines: dict[str, int] = {}
    columns = [name for name, kind in table_schemas(axes)["scores"].items() if kind == pl.Float64]
    for case in cases:
        if case.id in lines:
            _refuse(path, case.line, "id", f"is {case.id!r}, which the case of line {lines[case.id]} has too.")
        lines[case.id] = case.line
        for column in case.expect.scores:
            if column not in columns:
                _refuse(path, case.line, f"expect.scores.{column}", f"is no score; there are: {', '.join(columns)}.")
    for case in cases:
        other = case.expect.better_than
        if other is not None and (other not in lines or other == case.id):
            others = ", ".join(known for known in lines if known != case.id)
            _refuse(
                path, case.line, "expect.better_than", f"is {other!r}, which is no other case; there are: {others}."
            )


def _refuse(path: Path, line: int, field: str, message: str, *, hint: str = "") -> NoReturn:
    raise InputError(f"{path}:{line}: {field}{': ' if field else ''}{message}", hint=hint)
