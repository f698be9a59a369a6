r"""A row of any known shape -> the fields of a record.

OpenMedReason has one column an axis, and its questions end with their options:

{"image": {"bytes": "…", "path": "ct.png"}, "question": "Which lobe?\nA. Right lower\nB. Left upper", "answer": "A",
"reasoning": "The right base is opaque …", "knowledge": [], "rationale": [],
"perception": [{"unit_id": "u1", "claim": "The right lower lobe is opaque.", "importance": "core"}]}

HealthBench has a conversation, and its criteria with their points:

{"prompt_id": "p1", "prompt": [{"role": "user", "content": "I cough."}],
"rubrics": [{"criterion": "Asks for how long.", "points": 5, "tags": ["axis:context_awareness"]}]}

Rubrics as Rewards has a reference answer, and criteria whose text begins with their importance:

{"question": "What is it?", "reference_answer": "Pneumonia.",
"rubric": [{"title": "Names it", "description": "Essential Criteria: Names pneumonia.", "weight": 5}]}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from judge.errors import RecordError
from judge.identifier import id_text
from judge.strict_json import StrictJsonError, parse_json
from judge.traces.mapping import move_fields
from judge.traces.options import find_options

__all__ = ["is_healthbench", "is_rar", "shape_fields"]

_AXES: Final = ("perception", "knowledge", "rationale")
_SOLUTION: Final = ("reasoning", "answer")
_OURS: Final = ("units", "reference")
_DESCRIBED: Final = ("description", "title", "weight")
_IMPORTANCE: Final = re.compile(r"(Essential|Important|Optional|Pitfall) Criteria:\s*")
_NOTHING: Final = ("", "null")
_SHOWN_NAMES: Final = 200  # characters


def shape_fields(
    row: Mapping[str, Any], mapped: Mapping[str, str] | None = None, *, number: int = 0
) -> Mapping[str, Any]:
    """The fields of a record; a row that has them already comes back as it is.

    Args:
        row: Parsed JSON, or a row of a table.
        mapped: What `parse_map` gives. Its fields are moved first and go before what a shape would give.
        number: Of the row, for messages.

    Raises:
        RecordError: The units of an axis are text that is no JSON, or the field that is mapped to the trace is missing.
    """
    fields = move_fields(row, mapped) if mapped else row
    if mapped and "trace" in mapped and fields.get("trace") is None:
        raise _no_trace(row, fields, mapped["trace"], number)
    if isinstance(units := fields.get("units"), Mapping) and any(isinstance(given, str) for given in units.values()):
        fields = {**fields, "units": {axis: _units(units, axis, number) for axis in units}}
    if is_healthbench(fields):
        return _from_healthbench(fields)
    if is_rar(fields):
        return _from_rar(fields)
    return _from_openmedreason(fields, number) if _is_openmedreason(row, fields) else fields


def _no_trace(row: Mapping[str, Any], fields: Mapping[str, Any], source: str, number: int) -> RecordError:
    hint = f"--map trace={source} finds no {source!r} here; the row has: {', '.join(map(str, row))[:_SHOWN_NAMES]}."
    return RecordError(
        "is missing or null.",
        line=number,
        field="trace",
        record_id=id_text(fields.get("id")),
        code="missing",
        hint=hint,
    )


def is_healthbench(fields: Mapping[str, Any]) -> bool:
    """A conversation and criteria, and no units under our name."""
    criteria = fields.get("rubrics")
    known = isinstance(criteria, list) and all(isinstance(one, Mapping) and "criterion" in one for one in criteria)
    return known and isinstance(fields.get("prompt"), list) and fields.get("units") is None


def _from_healthbench(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Points below 0 are for what should not be; they stay as they are written, as the score is a sum of them."""
    shaped = {name: value for name, value in fields.items() if name not in ("prompt", "prompt_id", "rubrics")}
    shaped.setdefault("id", fields.get("prompt_id"))
    shaped.setdefault("question", _conversation(fields["prompt"]))
    shaped["units"] = {"criteria": [_criterion(one, number) for number, one in enumerate(fields["rubrics"], start=1)]}
    return shaped


def _criterion(one: Mapping[str, Any], number: int) -> dict[str, Any]:
    rest = {name: value for name, value in one.items() if name != "criterion"}
    return {"unit_id": f"c{number}", "claim": one["criterion"], **rest}


def is_rar(fields: Mapping[str, Any]) -> bool:
    """A reference answer and weighted descriptions, and no units under our name."""
    criteria = fields.get("rubric")
    known = isinstance(criteria, list) and all(isinstance(one, Mapping) and "description" in one for one in criteria)
    return known and "reference_answer" in fields and fields.get("units") is None


def _from_rar(fields: Mapping[str, Any]) -> dict[str, Any]:
    shaped = {name: value for name, value in fields.items() if name not in ("reference_answer", "rubric")}
    shaped.setdefault("reference", {"answer": fields["reference_answer"]})
    shaped["units"] = {"criteria": [_described(one, number) for number, one in enumerate(fields["rubric"], start=1)]}
    return shaped


def _described(one: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Its importance, where the text begins with one, else its weight as points; the judge is shown neither.

    All are read as good where they hold, pitfalls too: so they are counted in the paper's sum.
    """
    text, rest = one["description"], {name: value for name, value in one.items() if name not in _DESCRIBED}
    unit = {"unit_id": f"c{number}", "claim": text, "topic": one.get("title"), **rest}
    found = _IMPORTANCE.match(text) if isinstance(text, str) else None
    if found is None:
        return {**unit, "points": one.get("weight")}
    told = {"importance": found[1], "polarity": "positive", "weight": one.get("weight")}
    return {**unit, "claim": text[found.end() :], **told}


def _conversation(messages: list[Any]) -> object:
    """One message as it is, several with who says them; what is no conversation is left for the record to refuse."""
    if not all(isinstance(one, Mapping) and isinstance(one.get("content"), str) for one in messages):
        return messages
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{one.get('role', 'user')}: {one['content']}" for one in messages)


def _is_openmedreason(row: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Units and reference in columns of their own, and nothing under our names, but for what was mapped there."""
    if any(row.get(name) is not None or not isinstance(fields.get(name) or {}, Mapping) for name in _OURS):
        return False
    columns = [fields[axis] for axis in _AXES if axis in fields]
    has_solution = any(name in fields for name in _SOLUTION) and fields.get("question") is not None
    return has_solution and bool(columns) and all(_are_units(column) for column in columns)


def _are_units(column: object) -> bool:
    """A list, its JSON, or nothing."""
    if isinstance(column, str):
        return column.strip() in _NOTHING or column.lstrip().startswith("[")
    return column is None or isinstance(column, list)


def _from_openmedreason(fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The question stays verbatim, options included: it is what the candidate was asked."""
    units = {axis: _units(fields, axis, number) for axis in _AXES if axis in fields}
    solution = {name: fields[name] for name in _SOLUTION if fields.get(name) is not None}
    shaped = {name: value for name, value in fields.items() if name not in (*_AXES, *_SOLUTION)}
    shaped["units"] = {**_with_unique_ids(units), **(fields.get("units") or {})}
    shaped["reference"] = {**solution, **(fields.get("reference") or {})}
    if fields.get("options") is None and isinstance(question := fields["question"], str):
        shaped["options"] = find_options(question) or None
    return shaped


def _units(columns: Mapping[str, Any], axis: str, number: int) -> Any:
    """A list of units; other things are left for the record to refuse."""
    column = columns[axis]
    if not isinstance(column, str):
        return [] if column is None else column
    try:
        return [] if column.strip() in _NOTHING else parse_json(column)
    except StrictJsonError as exc:
        message = f"is text that is no JSON list of units: {exc}."
        raise RecordError(message, line=number, field=f"units.{axis}", code=exc.code) from exc


def _with_unique_ids(units: dict[str, Any]) -> dict[str, Any]:
    """`perception.u1` and `knowledge.u1` where both are `u1`; one clash gives all units of the record longer ids."""
    in_axes = Counter(name for of_axis in units.values() for name in _names(of_axis))
    if not any(axes > 1 for axes in in_axes.values()):
        return units
    return {axis: [_prefixed(unit, axis) for unit in of_axis] for axis, of_axis in units.items()}


def _names(of_axis: Any) -> set[str]:
    given = (id_text(unit.get("unit_id")) for unit in of_axis if isinstance(unit, Mapping))
    return {name for name in given if name is not None}


def _prefixed(unit: Any, axis: str) -> Any:
    name = id_text(unit.get("unit_id")) if isinstance(unit, Mapping) else None
    return unit if name is None else {**unit, "unit_id": f"{axis}.{name}"}
