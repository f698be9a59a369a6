"""A YAML file -> Rubric.

    name: pkr
    version: "1.0"
    description: Perception, knowledge and rationale of a medical reasoning trace.
    guidelines: |
      How to judge.
    axes:
      perception: {kind: checklist, description: What is seen., importance: {default: 1, core: 2}}

YAML is read strictly (`strict_yaml.py`): `no` where text is wanted is an error, not `False`.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from judge.errors import RubricError
from judge.resource import resource_path, rubric_names
from judge.strict_yaml import Document, StrictYamlError, parse_yaml

__all__ = ["Axis", "Rubric", "load_rubric", "locate_rubric"]

# `{axis}_score` and its like are columns; these axis names would collide with the record's own.
_RESERVED_AXES = {"trace", "answer", "units", "overall"}


class Axis(BaseModel):
    """One capability that is scored on its own.

    Attributes:
        kind: How it is scored; `checklist` judges the record's units.
        description: What the axis is about; shown to the judge.
        importance: Weight (finite, at least 0) per importance name, with a `default` for units without one.
            None gives every unit weight 1, whatever its importance is called.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    kind: Literal["checklist"]
    description: str = Field(min_length=1)
    importance: dict[str, float] | None = None

    @field_validator("importance", mode="before")
    @classmethod
    def _whole_weights_are_numbers(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: float(weight) if type(weight) is int else weight for key, weight in value.items()}

    @field_validator("importance")
    @classmethod
    def _weights_can_score(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value is None:
            return None
        for name, weight in value.items():
            if not math.isfinite(weight) or weight < 0:
                raise ValueError(f"the weight of {name!r} is {weight}; it must be finite and at least 0")
        if "default" not in value:
            raise ValueError("the weight `default` is missing; units without an importance get it")
        return value

    def weight(self, importance: str | None) -> float:
        """Weight of a unit, at least 0.

        Raises:
            KeyError: The rubric does not list this importance.
        """
        if self.importance is None:
            return 1.0
        return self.importance["default" if importance is None else importance]


class Rubric(BaseModel):
    """What is scored, and how a judge is told to do it.

    Attributes:
        axes: Axis name -> axis, in the order of the tables.
        guidelines: Text for the judge, the same in every prompt.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(min_length=1)
    description: str = Field(min_length=1)
    guidelines: str = ""
    axes: dict[str, Axis] = Field(min_length=1)

    @field_validator("axes")
    @classmethod
    def _names_can_be_columns(cls, value: dict[str, Axis]) -> dict[str, Axis]:
        for name in value:
            if not (name.isascii() and name.isidentifier() and name.islower()):
                raise ValueError(f"the axis name {name!r} must be lower-case letters, digits and underscores")
            if name in _RESERVED_AXES:
                raise ValueError(f"the axis name {name!r} is taken; columns such as `{name}_score` exist already")
        return value

    @property
    def fingerprint(self) -> str:
        """12 hex digits over what the rubric means; comments, order of keys and white space between them are free."""
        # The order of the axes is part of a prompt, so it counts; sorted keys would hide it.
        body = {**self.model_dump(), "order": list(self.axes)}
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    @classmethod
    def load(cls, name_or_path: str | Path) -> Rubric:
        """Load a built-in rubric by name (`"pkr"`) or any rubric by its path; see `load_rubric`."""
        return load_rubric(name_or_path)


def load_rubric(name_or_path: str | Path) -> Rubric:
    """Read a rubric.

    Args:
        name_or_path: Name of a built-in rubric, or path of a YAML file (it has a `/` or ends in `.yaml` or `.yml`).

    Raises:
        RubricError: No such rubric, or the file is wrong; says where, with line and column.
    """
    path = locate_rubric(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise RubricError(f"{path}: cannot be read: {exc}.") from exc
    return _parse(text, path)


def locate_rubric(name_or_path: str | Path) -> Path:
    """The file of a rubric, as `load_rubric` finds it; a file of another path may not exist.

    Raises:
        RubricError: No built-in rubric has this name.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    path = resource_path("rubrics", f"{text}.yaml")
    if not path.exists():
        known = ", ".join(rubric_names())
        raise RubricError(f"no built-in rubric is called {text!r}; there are: {known}.", hint="Or give a file's path.")
    return path


def _parse(text: str, path: Path) -> Rubric:
    try:
        document = parse_yaml(text)
    except StrictYamlError as exc:
        raise RubricError(f"{path}:{exc.place}: {exc.problem}.") from exc
    try:
        return Rubric.model_validate(document.value)
    except ValidationError as exc:
        raise _first_error(exc, document, path) from exc


def _first_error(exc: ValidationError, document: Document, path: Path) -> RubricError:
    error = exc.errors(include_url=False)[0]
    field = ".".join(str(part) for part in error["loc"]) or "the file"
    found = "" if error["type"] == "missing" else f" It is {error.get('input')!r}."
    text = error["msg"].removeprefix("Value error, ")
    converted = document.words(error["loc"]) if error["type"] == "string_type" else ""
    hint = f'If it is text, write it in quotes: "{converted}".' if converted else ""
    return RubricError(f"{path}:{document.place(error['loc'])}: {field}: {text}.{found}", hint=hint)
