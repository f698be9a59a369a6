"""A list of criteria with weights -> the shape of our YAML, and back: rubric, autorubric and verifiers have such lists.

[{"weight": 5, "requirement": "Names the fever."}], or in sections [{"title": "History", "criteria": […]}], and either
of them under "rubric", "sections" or "criteria". Sections mean nothing there: they stay in `meta` of their criteria.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeAlias

from judge.axis import Criteria
from judge.criterion import Criterion, each_criterion
from judge.formats.format import Imported, are_objects, stated, without
from judge.identifier import id_text
from judge.rubric import RESERVED_AXES

__all__ = ["Dialect", "Said", "asked", "is_flat", "own_id", "read_flat", "write_flat"]

_Anchors: TypeAlias = Callable[[Mapping[str, Any]], Sequence[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one tool writes such lists.

    Attributes:
        text: Key of a criterion's text.
        named: Key of its id.
        weight: Of a criterion without one; None where that is 1, as it is here.
        anchors: The answers of a criterion, from the worst and in even steps; None where they are no and yes.
        answers: Keys that these say all of.
        guided: `guidelines` beside the list are for the judge.
    """

    text: str
    named: str
    weight: float | None = None
    anchors: _Anchors = lambda _: None
    answers: Sequence[str] = ()
    guided: bool = False


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


def read_flat(said: Said, name: str, dialect: Dialect) -> Imported:
    """The rubric that a list of criteria is; each that has more answers than yes and no is an axis of its own, a scale.

    Args:
        said: Of a document that `is_flat`.
        name: Of the rubric.
        dialect: Whose list it is.
    """
    own, scales, lost = [], [], [*said.lost]
    for number, one in enumerate(said.criteria, start=1):
        called, anchors = id_text(one.get(dialect.named)) or own_id(number), dialect.anchors(one)
        if anchors is None:
            own.append(_criterion(called, one, dialect))
        else:
            scales.append((called, _scale(one[dialect.text], anchors)))
            lost += _lost_of_scale(called, one, dialect, alone=len(said.criteria) == 1)
    about = {"name": name, "version": "1.0", "description": "Weighted criteria of another tool."}
    guidelines = said.meta.get("guidelines") if dialect.guided else None
    beside = stated(guidelines=guidelines, meta=without(said.meta, ("guidelines",) if dialect.guided else ()))
    return Imported(rubric={**about, **beside, "axes": _axes(own, scales)}, lost=tuple(lost))


def write_flat(criteria: Sequence[Mapping[str, Any]], around: Mapping[str, Any], under: str) -> Any:
    """A list of criteria, in sections where some have one; where more is to be said, under a key beside it."""
    whole: Any = list(criteria)
    if any(map(_section, criteria)):
        parts = [(about, [_bare(one) for one in part]) for about, part in groupby(criteria, _section)]
        whole = [{**about, "criteria": part} for about, part in parts]
    return {**without(around, _LISTS), under: whole} if around else whole


def asked(axis: Criteria) -> Iterator[tuple[Criterion, float]]:
    """What is asked, and what it is worth; of a tree its leaves, with their share of the whole."""
    for one in each_criterion(axis.criteria):
        if not one.children:
            yield one, axis.leaves[one.id].share if axis.scoring == "tree" else axis.worth(one)


def own_id(number: int) -> str:
    """Of a criterion that has none, by its place."""
    return f"c{number}"


def _section(one: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the section that a criterion is in."""
    found = one.get("section")
    return found if isinstance(found, dict) else {}


def _bare(one: Mapping[str, Any]) -> dict[str, Any]:
    return without(one, ("section",) if _section(one) else ())


def _unfolded(items: Sequence[Any]) -> Iterator[Any]:
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("criteria"), list):
            yield item
            continue
        section = stated(section=without(item, ("criteria",)))
        yield from ({**one, **section} if isinstance(one, dict) else one for one in item["criteria"])


def _criterion(called: str, one: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    meta = without(one, (dialect.text, dialect.named, "weight"))
    points = one.get("weight", dialect.weight)
    return {"id": called, "text": one[dialect.text], **stated(points=points, meta=meta)}


def _scale(asks: Any, anchors: Sequence[str]) -> dict[str, Any]:
    levels = [{"level": level, "anchor": anchor} for level, anchor in enumerate(anchors)]
    return {"kind": "scale", "description": asks, "levels": levels}


def _axes(own: Sequence[Any], scales: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    if own:
        axes["criteria"] = {"kind": "criteria", "description": "What is asked of the trace.", "criteria": own}
    for called, scale in scales:
        axes[_axis_name(called, axes)] = scale
    return axes


def _lost_of_scale(called: str, one: Mapping[str, Any], dialect: Dialect, *, alone: bool) -> Iterator[str]:
    more = {"weight": dialect.weight or 1, **without(one, (dialect.text, dialect.named, *dialect.answers))}
    for key, value in more.items():
        why = ", and axes count alike" if key == "weight" else ""
        if not (alone and why):
            yield f"{key} {value!r} of {called!r}: it has levels, so it is an axis of its own{why}"


def _axis_name(called: str, taken: Mapping[str, Any]) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", called.lower()).strip("_")
    if not name.isidentifier() or name in RESERVED_AXES:
        name = f"scale_{name}"
    while name in taken:
        name += "_"
    return name
