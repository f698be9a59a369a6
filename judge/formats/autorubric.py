"""autorubric: a list of requirements with weights and names, some with options in place of yes and no.

[{"name": "fever", "weight": 10.0, "requirement": "Names the fever."},
{"name": "tone", "weight": 5.0, "requirement": "How kind is it?", "scale_type": "ordinal",
"options": [{"label": "Rude", "value": 0.0}, {"label": "Kind", "value": 1.0}]}]

Source: delip/autorubric: `Rubric.validate_and_create_criteria`, `Criterion` (a weight is 10 where none is given), and
`RubricDataset.to_json` (a rubric with the prompt it is for, and items, which are traces). Its score is that of
`scoring: weighted`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from judge.axis import Criteria, Scale
from judge.formats.flat import Dialect, Said, asked, is_flat, own_id, read_flat, write_flat
from judge.formats.format import Format, Imported, are_objects, as_json_number, beside
from judge.rubric import Rubric

__all__ = ["AUTORUBRIC"]

_WEIGHT: Final = 10
_ROUNDED: Final = 0.01  # 0.33 is written for a third


def _fits(value: object) -> bool:
    return is_flat(value, "requirement")


def _read(value: Any, name: str) -> Imported:
    said = Said(value)
    traces: tuple[str, ...] = ()
    if isinstance(said.meta.get("items"), list):
        traces = (f"items ({len(said.meta.pop('items'))} to grade): they are traces, for judge score",)
    read = read_flat(said, name, _dialect())
    return Imported(rubric=read.rubric, lost=(*read.lost, *traces, *_unasked(read.rubric)))


def _dialect() -> Dialect:
    answers = ("options", "scale_type")
    return Dialect(text="requirement", named="name", weight=_WEIGHT, anchors=_anchors, answers=answers, guided=True)


def _anchors(one: Mapping[str, Any]) -> Sequence[str] | None:
    """Labels of options that are even steps from 0 to 1, as the levels of a scale are."""
    options = one.get("options")
    if not are_objects(options, "label", "value") or one.get("scale_type", "ordinal") != "ordinal":
        return None
    assert isinstance(options, list)  # as was found
    values = [option["value"] for option in options]
    numbers = all(type(value) in (int, float) for value in values) and len(values) > 1
    if not numbers or any(option.get("na") for option in options) or _is_negative(one.get("weight")):
        return None
    ordered = sorted(options, key=lambda option: float(option["value"]))
    even = all(abs(option["value"] - at / (len(values) - 1)) < _ROUNDED for at, option in enumerate(ordered))
    return [option["label"] for option in ordered] if even else None


def _is_negative(weight: object) -> bool:
    return isinstance(weight, int | float) and weight < 0


def _unasked(rubric: Mapping[str, Any]) -> Iterator[str]:
    for one in rubric["axes"].get("criteria", {}).get("criteria", ()):
        if one.get("meta", {}).get("options"):
            yield f"options of {one['id']!r}, which are no even steps from 0 to 1: kept in its meta, and not asked"


def _write(rubric: Rubric, axis: Criteria) -> Any:
    criteria = []
    for number, (one, points) in enumerate(asked(axis), start=1):
        named = {} if one.id == own_id(number) else {"name": one.id}
        criteria.append(beside({**named, "weight": as_json_number(points), "requirement": one.text}, one.meta))
    scales = {name: scale for name, scale in rubric.axes.items() if isinstance(scale, Scale)}
    criteria += [_options(name, scale) for name, scale in scales.items()]
    guidelines = {"guidelines": rubric.guidelines} if rubric.guidelines else {}
    return write_flat(criteria, {**rubric.meta, **guidelines}, under="criteria")


def _options(name: str, scale: Scale) -> dict[str, Any]:
    steps = [{"label": one.anchor, "value": scale.share(one.level)} for one in scale.levels]
    return {"name": name, "requirement": scale.description, "scale_type": "ordinal", "options": steps}


AUTORUBRIC = Format(
    name="autorubric",
    about="a list of `requirement`, some with `weight`, `name` and `options`, also in sections or under `rubric`",
    fits=_fits,
    read=_read,
    write=_write,
    suffixes=(".json", ".yaml", ".yml"),
)
