"""A row that brings its criteria -> a rubric of its own: what `judge score` reads of the row, and beside it all else.

It is the built-in rubric for such rows, with the criteria written into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from judge.formats.format import Imported, stated, without
from judge.rubric import load_rubric
from judge.traces.shape import shape_fields

__all__ = ["read_row"]

_READ: Final = ("points", "importance")
_STATED: Final = ("polarity", "gate")  # where the row has them; what is only taken for granted, lint is to see


def read_row(row: Mapping[str, Any], *, built_in: str, name: str, criteria: str, text: str) -> Imported:
    """The rubric that a row is.

    Args:
        row: As it is published.
        built_in: Rubric for such rows, of one axis.
        name: Of the rubric.
        criteria: Field that has them.
        text: Key of a criterion's text.
    """
    rubric = load_rubric(built_in)
    ((axis, body),) = rubric.axes.items()
    units = shape_fields(row)["units"]["criteria"]
    own = [_criterion(one, unit, text) for one, unit in zip(row[criteria], units, strict=True)]
    about = {"name": name, "version": rubric.version, "description": rubric.description}
    beside = stated(guidelines=rubric.guidelines or None, meta=without(row, (criteria,)))
    scored = {"kind": body.kind, **without(body.model_dump(exclude_defaults=True), ("kind",)), "criteria": own}
    return Imported(rubric={**about, **beside, "axes": {axis: scored}})


def _criterion(one: Mapping[str, Any], unit: Mapping[str, Any], text: str) -> dict[str, Any]:
    own = stated(**{key: unit.get(key) for key in _READ}, **{key: one.get(key) for key in _STATED})
    used = (text, "unit_id", *_READ, *_STATED, *(("weight",) if "points" in own else ()))
    return {"id": unit["unit_id"], "text": unit["claim"], **own, **stated(meta=without(one, used))}
