"""rubric, the package: a list of requirements with weights, in JSON or YAML.

[{"weight": 5, "requirement": "Names the fever."}, {"weight": -2, "requirement": "Recommends aspirin."}]

Source: The-LLM-Data-Company/rubric 2.2.0: `Rubric.validate_and_create_criteria`, which passes over further fields. Its
score is that of `scoring: weighted`.
"""

from __future__ import annotations

from typing import Any, Final

from judge.axis import Criteria
from judge.formats.flat import Dialect, Said, asked, is_flat, own_id, read_flat, write_flat
from judge.formats.format import Format, Imported, as_json_number, beside
from judge.rubric import Rubric

__all__ = ["RUBRIC"]

_AUTORUBRIC: Final = ("name", "options", "guidelines", "items")  # which mean something there, and nothing here


def _fits(value: object) -> bool:
    said = Said(value)
    named = any(isinstance(one, dict) and not {*one}.isdisjoint(_AUTORUBRIC) for one in said.criteria)
    return is_flat(value, "requirement", "weight") and not named and said.meta.keys().isdisjoint(_AUTORUBRIC)


def _read(value: Any, name: str) -> Imported:
    return read_flat(Said(value), name, Dialect(text="requirement", named="id"))


def _write(rubric: Rubric, axis: Criteria) -> Any:
    criteria = []
    for number, (one, points) in enumerate(asked(axis), start=1):
        own = {"weight": as_json_number(points), "requirement": one.text}
        named = {} if one.id == own_id(number) else {"id": one.id}
        criteria.append(beside({**named, **own}, one.meta))
    return write_flat(criteria, rubric.meta, under="rubric")


RUBRIC = Format(
    name="rubric",
    about="a list of `requirement` and `weight`, also in sections, without names and options",
    fits=_fits,
    read=_read,
    write=_write,
    suffixes=(".json", ".yaml", ".yml"),
)
