"""Labels of people in a file -> a frame of them, or every line that is none.

{"record_id": "r1", "model": "m", "axis": "knowledge", "unit_id": "K1", "rater": "ann", "presence": 2, "correctness": 1}
{"record_id": "r1", "axis": "triage", "unit_id": "C1", "rater": "ann", "verdict": "MET"}
{"record_id": "r1", "axis": "trace_score", "rater": "ann", "value": 4}
{"record_id": "r1", "axis": "overall", "model_a": "m", "model_b": "n", "rater": "ann", "verdict": "A"}

`judge label` writes the first two kinds. The third is of a number that a run has for a whole trace, by the name of
its column; the last of two traces. JSONL, also compressed, or Parquet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, field_validator

from judge.errors import InputError, RecordError
from judge.identifier import id_text
from judge.label.label import Label, first_fault
from judge.preference import OVERALL, Preferred
from judge.strict_json import StrictJsonError, parse_json
from judge.traces.source import open_source

__all__ = ["LABELS", "read_labels"]

LABELS: dict[str, Any] = {
    "line": pl.Int64,
    **dict.fromkeys(("record_id", "model", "model_a", "model_b", "axis", "unit_id", "rater"), pl.String),
    **dict.fromkeys(("presence", "correctness"), pl.Int8),
    "verdict": pl.String,
    "value": pl.Float64,
    "record_key": pl.String,
}
"""Column -> dtype of a frame of labels."""
_SHOWN = 10
_IDS = ("record_id", "unit_id", "rater", "model", "model_a", "model_b")
_SAME = ("record_id", "model", "model_a", "model_b", "axis", "unit_id", "rater")
_KINDS = 'presence and correctness, "verdict", or "value"'


class _ScoreLabel(BaseModel):
    """What a person gives to a whole trace, under the name of a column of `scores.parquet`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    record_id: str
    model: str | None = None
    axis: str
    rater: str
    value: FiniteFloat
    record_key: str | None = None


class _PreferenceLabel(BaseModel):
    """Which of two traces a person holds for better."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    record_id: str
    axis: str = OVERALL
    model_a: str
    model_b: str
    rater: str
    verdict: Preferred

    @field_validator("model_b")
    @classmethod
    def _another(cls, given: str, info: Any) -> str:
        if given == info.data.get("model_a"):
            raise ValueError("must be another one than model_a")
        return given


_Read: TypeAlias = Label | _ScoreLabel | _PreferenceLabel


def read_labels(path: Path) -> pl.DataFrame:
    """All labels of a file, in its order.

    Returns:
        Columns `LABELS`; `line` is the number of the line or row, from 1.

    Raises:
        InputError: The file cannot be read, holds none, or holds lines that are no label: names them all, up to ten.
    """
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    seen: dict[tuple[Any, ...], int] = {}
    with open_source(str(path)) as source:
        for number, row in source:
            try:
                fields = {"line": number, **_label(row).model_dump()}
                _refuse_second(fields, seen)
            except _NoLabelError as exc:
                wrong.append(f"line {number}: {str(exc).removesuffix('.')}")
            else:
                rows.append({name: fields.get(name) for name in LABELS})
    if wrong:
        raise _refused(path, wrong)
    if not rows:
        raise InputError(f"{path} holds no label.", hint=f"A line needs record_id, axis, unit_id, rater, and {_KINDS}.")
    return pl.DataFrame(rows, schema=LABELS)


class _NoLabelError(Exception):
    """Why a line is no label."""


def _label(row: bytes | Mapping[str, Any] | RecordError) -> _Read:
    fields = _fields(row)
    kind: type[_Read] = Label
    if not {"model_a", "model_b"}.isdisjoint(fields):
        kind = _PreferenceLabel
    elif "unit_id" not in fields and "value" in fields:
        kind = _ScoreLabel
    try:
        return kind.model_validate(fields)
    except ValidationError as exc:
        raise _NoLabelError(first_fault(exc)) from exc


def _fields(row: bytes | Mapping[str, Any] | RecordError) -> dict[str, Any]:
    if isinstance(row, RecordError):
        raise _NoLabelError(row.message)
    try:
        fields = parse_json(row) if isinstance(row, bytes) else row
    except StrictJsonError as exc:
        raise _NoLabelError(f"{exc}.") from exc
    if not isinstance(fields, Mapping):
        raise _NoLabelError("is no object.")
    texts = {name: text for name in _IDS if (text := id_text(fields.get(name))) is not None}
    return {name: given for name, given in {**fields, **texts}.items() if given is not None}


def _refuse_second(fields: Mapping[str, Any], seen: dict[tuple[Any, ...], int]) -> None:
    """Two labels of one rater at one place: which of them holds, nobody can tell."""
    place = tuple(fields.get(name) for name in _SAME)
    first = seen.setdefault(place, fields["line"])
    if first != fields["line"]:
        raise _NoLabelError(f"the rater {fields['rater']!r} has labelled the same in line {first}.")


def _refused(path: Path, wrong: list[str]) -> InputError:
    told = "; ".join(wrong[:_SHOWN]) + f"; and {len(wrong) - _SHOWN:,} more" * (len(wrong) > _SHOWN)
    said = "1 line is no label" if len(wrong) == 1 else f"{len(wrong):,} lines are no labels"
    hint = "Correct or remove them: nothing was left out in silence."
    return InputError(f"{path}: {said}: {told}.", code="invalid_labels", hint=hint)
