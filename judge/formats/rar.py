"""Rubrics as Rewards: a row of a question with its answer, and criteria whose texts begin with their importance.

{"question": "What is it?", "reference_answer": "Pneumonia.", "question_source": "…",
"rubric": [{"title": "Names it", "description": "Essential Criteria: Names pneumonia.", "weight": 5}],
"rubric_list": ["Essential Criteria: Names pneumonia."], "rubric_count": 1}

Source: arXiv 2507.17746, and the cards of ScaleAI/RaR-Medicine and RaR-Science, whose weights are 5, 3 to 4, 1 to 2 and
-1 to -2.
"""

from __future__ import annotations

from typing import Any, Final

from judge.axis import Criteria
from judge.criterion import Criterion
from judge.formats.flat import asked, own_id
from judge.formats.format import Format, Imported, are_objects, as_json_number, beside, without
from judge.formats.rows import read_row
from judge.rubric import Rubric
from judge.traces.shape import is_rar

__all__ = ["RAR"]

_WEIGHTS: Final = {"Essential": 5, "Important": 4, "Optional": 2, "Pitfall": -1}


def _fits(value: object) -> bool:
    return isinstance(value, dict) and are_objects(value.get("rubric"), "description") and is_rar(value)


def _read(row: dict[str, Any], name: str) -> Imported:
    """What only counts and repeats the criteria is not kept: it would be wrong once they are edited."""
    repeated = [key for key, value in _repeated(row["rubric"]).items() if row.get(key) == value]
    return read_row(without(row, repeated), built_in="rar", name=name, criteria="rubric", text="description")


def _write(rubric: Rubric, axis: Criteria) -> dict[str, Any]:
    criteria = [_criterion(one, points, own_id(number)) for number, (one, points) in enumerate(asked(axis), start=1)]
    row = {"question": rubric.description, "reference_answer": "", **rubric.meta, "rubric": criteria}
    return {**row, **_repeated(criteria), **rubric.meta, "rubric": criteria}


def _criterion(one: Criterion, points: float, number: str) -> dict[str, Any]:
    title = {} if one.id == number else {"title": one.id}
    if one.points is None and one.importance in _WEIGHTS:
        own = {"description": f"{one.importance} Criteria: {one.text}"}
        return beside(own, {**title, "weight": _WEIGHTS[one.importance], **one.meta})
    return beside({"description": one.text, "weight": as_json_number(points)}, {**title, **one.meta})


def _repeated(criteria: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rubric_list": [one["description"] for one in criteria], "rubric_count": len(criteria)}


RAR = Format(
    name="rar",
    about="a row with `question`, `reference_answer`, and `rubric` of `title`, `description` and `weight`",
    fits=_fits,
    read=_read,
    write=_write,
    suffixes=(".jsonl",),
)
