"""A list of criteria with weights -> the shape of our YAML, and back: rubric, autorubric and verifiers have such lists.

[{"weight": 5, "requirement": "Names the fever."}], or in sections [{"title": "History", "criteria": […]}], and either
of them under "rubric", "sections" or "criteria". Sections mean nothing there: they stay in `meta` of their criteria.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

from judge.axis import Criteria, Criterion, each_criterion
from judge.formats.format import Imported, are_objects, stated, without
from judge.identifier import id_text
from judge.rubric import RESERVED_AXES

__all__ = ["Anchors", "Said", "asked", "is_flat", "own_id", "read_flat", "write_flat"]

Anchors: TypeAlias = Callable[[Mapping[str, Any]], Sequence[str] | None]
"""The answers of a criterion that is no question of yes and no, from the worst and in even steps; else None."""

_LISTS: Final = ("rubric", "sections", "criteria")


class Said:
    """What a list of criteria says, in any of its forms.

    Attributes:
        criteria: All of them, those of a section with its other fields as `section`.
        meta: What stands beside the list.
        lost: What stood there twice.
    """

    def __init__(self, value: Any) -> None:
        self.meta: dict[str, Any] = {}
        self.lost: list[str] = []
        while isinstance(value, dict):
            key = next((key for key in _LISTS if key in value), "")
            around = without(value, (key,))
            twice = {name: value for name, value in self.meta.items() if name in around}
            self.lost += [f"{name} {value!r}, as another stands further in" for name, value in twice.items()]
            self.meta |= around
            value = value.get(key)
        self.criteria = list(_unfolded(value)) if isinstance(value, list) else []


def is_flat(value: object, *keys: str) -> bool:
    """Whether it is a list of criteria that all have these keys."""
    return are_objects(Said(value).criteria, *keys)


def read_flat(
    said: Said,
    name: str,
    *,
    text: str,
    named: str,
    weight: float | None = None,
    anchors: Anchors = lambda _: None,
    answers: Sequence[str] = (),
    guided: bool = False,
) -> Imported:
    """The rubric that a list of criteria is.

    Args:
        said: Of a document that `is_flat`.
        name: Of the rubric.
        text: Key of a criterion's text.
        named: Key of its id.
        weight: Of a criterion without one.
        anchors: A criterion that has some becomes an axis of its own, a scale.
        answers: Keys that are said by its levels then.
        guided: `guidelines` beside the list are for the judge.
    """
    axes: dict[str, Any] = {}
    lost, own, scales = [*said.lost], [], []
    for number, one in enumerate(said.criteria, start=1):
        called, levels = id_text(one.get(named)) or own_id(number), anchors(one)
        if levels is None:
            points = one.get("weight", weight)
            meta = without(one, (text, named, "weight"))
            own.append({"id": called, "text": one[text], **stated(points=points, meta=meta)})
        else:
            scales.append((called, one[text], levels))
            more = {"weight": weight or 1, **without(one, (text, named, *answers))}
            lost += _lost(called, more if len(said.criteria) > 1 else without(more, ("weight",)))
    if own:
        axes["criteria"] = {"kind": "criteria", "description": "What is asked of the trace.", "criteria": own}
    for called, asks, levels in scales:
        steps = [{"level": level, "anchor": anchor} for level, anchor in enumerate(levels)]
        axes[_axis_name(called, axes)] = {"kind": "scale", "description": asks, "levels": steps}
    about = {"name": name, "version": "1.0", "description": "Weighted criteria of another tool."}
    guidelines = said.meta.get("guidelines") if guided else None
    beside = stated(guidelines=guidelines, meta=without(said.meta, ("guidelines",) if guided else ()))
    return Imported(rubric={**about, **beside, "axes": axes}, lost=tuple(lost))


def write_flat(criteria: Sequence[Mapping[str, Any]], around: Mapping[str, Any], under: str) -> Any:
    """A list of criteria, in sections where some have one; where more is to be said, under a key beside it."""
    whole: Any = list(criteria)
    if any(isinstance(one.get("section"), dict) for one in criteria):
        parts = groupby(criteria, lambda one: one.get("section"))
        whole = [{**(about or {}), "criteria": [without(one, ("section",)) for one in part]} for about, part in parts]
    return {**around, under: whole} if around else whole


def asked(axis: Criteria) -> Iterator[tuple[Criterion, float]]:
    """What is asked, and what it is worth; of a tree its leaves, with their share of the whole."""
    for one in each_criterion(axis.criteria):
        if not one.children:
            yield one, axis.leaves[one.id].share if axis.scoring == "tree" else axis.worth(one)


def own_id(number: int) -> str:
    """Of a criterion that has none, by its place."""
    return f"c{number}"


def _unfolded(items: Sequence[Any]) -> Iterator[Any]:
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("criteria"), list):
            yield item
            continue
        section = stated(section=without(item, ("criteria",)))
        yield from ({**one, **section} if isinstance(one, dict) else one for one in item["criteria"])


def _lost(called: str, fields: Mapping[str, Any]) -> Iterator[str]:
    for key, value in fields.items():
        why = ", and axes count alike" if key == "weight" else ""
        yield f"{key} {value!r} of {called!r}: it has levels, so it is an axis of its own{why}"


def _axis_name(called: str, taken: Mapping[str, Any]) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", called.lower()).strip("_")
    if not name.isidentifier() or name in RESERVED_AXES:
        name = f"scale_{name}"
    while name in taken:
        name += "_"
    return name
