"""Draft -> one line of the file that a person edits, and back: what of it was edited.

{"id": "r1", "question": "…", "reference": {"answer": "C", "reasoning": "…"}, "units": {"perception": [{"unit_id": "P1",
"topic": "…", "claim": "…", "source_quote": "…", "importance": "core", "presence_question": "…", …}]},
"meta": {"draft": {"judge": "…", "coverage": {…}, "merged": […], "dropped": […], "warnings": […], "digest": "…"}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from pydantic import JsonValue

from judge.digest import digest
from judge.drafts.coverage import Coverage
from judge.drafts.draft import Draft
from judge.drafts.reply import DraftUnit
from judge.errors import ConfigError

__all__ = ["Row", "build_row", "coverage_of", "is_edited", "notes_of", "read_rows"]

Row: TypeAlias = dict[str, Any]
_UNIT = ("topic", "claim", "source_quote", "importance", "presence_question", "correctness_question")
_DIGITS = 16
_NOT_FOUND = "its source_quote is not in the reference"


def build_row(draft: Draft, *, judge: str, rubric: str, image: JsonValue = None) -> Row:
    """The line of a draft.

    Args:
        draft: Of one record.
        judge: Judge id.
        rubric: Name and version.
        image: As the record gives it, where JSON can hold it; None for none.
    """
    record = draft.record
    reference = {"answer": record.reference.answer, "reasoning": record.reference.reasoning}
    said = {"question": record.question, "options": record.options, "image": image, "context": record.context}
    row: Row = {
        "id": record.id,
        **_told(said),
        "reference": _told(reference),
        "units": {axis: _units(draft, axis) for axis in draft.axes},
    }
    notes = {"judge": judge, "rubric": rubric, **_notes(draft), "digest": _digest(row)}
    return {**row, "meta": {"draft": notes}}


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def read_rows(path: Path) -> dict[str, Row]:
    """The lines of a draft that is there already, by id; none where there is no file.

    Raises:
        ConfigError: It is no draft, or was edited into something that is none.
    """
    rows: dict[str, Row] = {}
    for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), 1):
        if not line.strip():
            continue
        row = _parsed(line)
        if row is None or not isinstance(row.get("id"), str) or row["id"] in rows:
            problem = "is no JSON object with an id of its own"
            hint = "Mend the line, or --overwrite to draft everything afresh."
            raise ConfigError(f"{path}: line {number} {problem}.", hint=hint)
        rows[row["id"]] = row
    return rows


def is_edited(row: Mapping[str, Any]) -> bool:
    """Whether a person changed anything in a line but `meta`."""
    return notes_of(row).get("digest") != _digest(row)


def notes_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `meta.draft` of a line says; empty where it is gone."""
    meta = row.get("meta")
    notes = meta.get("draft") if isinstance(meta, dict) else None
    return notes if isinstance(notes, dict) else {}


def coverage_of(row: Mapping[str, Any]) -> Coverage:
    """The coverage that a line of ours tells of."""
    told = notes_of(row)["coverage"]
    return Coverage(**{**told, "uncovered": tuple(told["uncovered"])})


def _parsed(line: bytes) -> Row | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _digest(row: Mapping[str, Any]) -> str:
    return digest({name: value for name, value in row.items() if name != "meta"})[:_DIGITS]


def _units(draft: Draft, axis: str) -> list[dict[str, JsonValue]]:
    return [{"unit_id": name, **_fields(unit)} for name, unit in draft.units.items() if unit.axis == axis]


def _fields(unit: DraftUnit) -> dict[str, JsonValue]:
    return {name: value for name in _UNIT if (value := getattr(unit, name)) is not None}


def _notes(draft: Draft) -> dict[str, Any]:
    """What was found out about a draft; dropped units are there in full, so that a person can take one back."""
    coverage = asdict(draft.coverage)
    return {
        "coverage": {**coverage, "uncovered": list(draft.coverage.uncovered)},
        "merged": [
            {"axis": each.unit.axis, "claim": each.unit.claim, "into": draft.id_of(each.into)} for each in draft.merged
        ],
        "dropped": [{"axis": unit.axis, **_fields(unit), "reason": _NOT_FOUND} for unit in draft.dropped],
        "warnings": [asdict(each) for each in draft.warnings],
    }
