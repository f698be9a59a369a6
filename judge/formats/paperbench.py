"""PaperBench: a tree of what has to be reproduced, each part with its weight among those beside it.

{"id": "40ff", "requirements": "The paper is reproduced.", "weight": 1, "task_category": null, "sub_tasks": [
{"id": "9ad7", "requirements": "The data are loaded.", "weight": 2, "task_category": "Code Development",
"sub_tasks": []}]}

Source: openai/frontier-evals, paperbench/rubric/tasks.py: `TaskNode`. A null says what a missing field says there.
"""

from __future__ import annotations

from typing import Any, Final

from judge.axis import Criteria
from judge.criterion import Criterion
from judge.formats.format import Format, Imported, are_objects, as_json_number, beside, stated, without
from judge.rubric import Rubric

__all__ = ["PAPERBENCH"]

_KNOWN: Final = ("id", "requirements", "weight", "sub_tasks")
_CATEGORIES: Final = ("task_category", "finegrained_task_category")


def _fits(value: object) -> bool:
    return isinstance(value, dict) and "sub_tasks" in value and _is_node(value)


def _is_node(value: dict[str, Any]) -> bool:
    parts = value.get("sub_tasks") or []
    if "requirements" not in value or not (parts == [] or are_objects(parts, "requirements")):
        return False
    return all(map(_is_node, parts))


def _read(tree: dict[str, Any], name: str) -> Imported:
    axis = {
        "kind": "criteria",
        "scoring": "tree",
        "description": "Which parts of the work are there and right.",
        "criteria": [_node(tree)],
    }
    about = {"version": "1.0", "description": "What has to be reproduced, as in PaperBench."}
    return Imported(rubric={"name": name, **about, "axes": {"tree": axis}})


def _node(node: dict[str, Any]) -> dict[str, Any]:
    own = stated(id=node.get("id"), text=node["requirements"], points=node.get("weight"))
    meta = stated(**without(node, _KNOWN))
    children = [_node(one) for one in node.get("sub_tasks") or []]
    return {**own, **stated(meta=meta), **({"children": children} if children else {})}


def _write(rubric: Rubric, axis: Criteria) -> dict[str, Any]:
    """One root: where there are several criteria side by side, the rubric itself is what they are parts of."""
    parts = [_task(one, axis) for one in axis.criteria]
    if len(parts) == 1:
        return parts[0]
    return {**_fields(rubric.name, axis.description, 1.0), "sub_tasks": parts, **dict.fromkeys(_CATEGORIES)}


def _task(one: Criterion, axis: Criteria) -> dict[str, Any]:
    own = {**_fields(one.id, one.text, abs(axis.worth(one))), "sub_tasks": [_task(part, axis) for part in one.children]}
    return beside(own, {**dict.fromkeys(_CATEGORIES), **one.meta})


def _fields(name: str, text: str, weight: float) -> dict[str, Any]:
    return {"id": name, "requirements": text, "weight": as_json_number(weight)}


PAPERBENCH = Format(
    name="paperbench",
    about="a tree of `id`, `requirements`, `weight`, `task_category` and `sub_tasks`",
    fits=_fits,
    read=_read,
    write=_write,
    suffixes=(".json",),
)
