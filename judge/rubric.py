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
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from judge.axis import AskedKind, Axis, Kind, Level, Preference, ScoredAxis, asked_kind, form_of, takes_units
from judge.criterion import Criterion, Meta
from judge.errors import RubricError
from judge.misfit import MisfitError, remedy
from judge.resource import resource_path, rubric_names
from judge.strict_yaml import Document, StrictYamlError, parse_yaml

__all__ = ["RESERVED_AXES", "Rubric", "as_name", "load_rubric", "locate_rubric", "parse_rubric", "rubric_schema"]

# `{axis}_score` and its like are columns; these axis names would collide with the record's own.
RESERVED_AXES = {"trace", "answer", "units", "overall"}
_LONGEST_NAME = 100


class Rubric(BaseModel):
    """What is scored, and how a judge is told to do it.

    Attributes:
        axes: Axis name -> axis, in the order of the tables.
        guidelines: Text for the judge, the same in every prompt.
        meta: What is kept beside it, such as the question that it was written for.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(min_length=1)
    description: str = Field(min_length=1)
    guidelines: str = ""
    meta: Meta = Field(default_factory=dict, exclude=True, repr=False)
    axes: dict[str, Axis] = Field(min_length=1)

    @field_validator("axes")
    @classmethod
    def _names_can_be_columns(cls, value: dict[str, Axis]) -> dict[str, Axis]:
        for name, axis in value.items():
            if not (name.isascii() and name.isidentifier() and name.islower()):
                problem = f"the axis name {name!r} must be lower-case letters, digits and underscores"
                raise MisfitError(problem, "Rename it: it becomes the beginning of columns.")
            if name in RESERVED_AXES and not (
                name == "overall" and isinstance(axis, Preference)
            ):  # which has no column
                problem = f"the axis name {name!r} is taken; columns such as `{name}_score` exist already"
                raise MisfitError(problem, "Choose another name.")
        return value

    @property
    def fingerprint(self) -> str:
        """12 hex digits over what the rubric means; comments, order of keys and white space between them are free."""
        # The order of the axes is part of a prompt, so it counts; sorted keys would hide it.
        body = {**self.model_dump(), "order": list(self.axes)}
        for axis in body["axes"].values():  # rubrics of before keep theirs
            if axis["view"] is None:
                del axis["view"]
            for criterion in axis.get("criteria", ()):
                if not criterion["children"]:
                    del criterion["children"]
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    @property  # not cached: a copy with other axes would keep those of before
    def scored(self) -> dict[str, ScoredAxis]:
        """The axes that one trace has a score on: all but preferences, which compare two."""
        return {name: axis for name, axis in self.axes.items() if axis.kind != "preference"}

    @property
    def preferences(self) -> dict[str, Preference]:
        """The axes that compare two traces."""
        return {name: axis for name, axis in self.axes.items() if isinstance(axis, Preference)}

    @property
    def shows_images(self) -> bool:
        """Whether any score is judged by the record's images."""
        return any(axis.view is None or "image" in axis.view for axis in self.scored.values())

    @property
    def kinds(self) -> tuple[AskedKind, ...]:
        """Of what the axes that are scored ask, each once, in their order."""
        return tuple(dict.fromkeys(map(asked_kind, self.scored.values())))

    @property
    def takes_units(self) -> bool:
        """Whether records say what is asked on any axis."""
        return any(map(takes_units, self.axes.values()))

    @classmethod
    def load(cls, name_or_path: str | Path) -> Rubric:
        """Load a built-in rubric by name (`"pkr"`) or any rubric by its path; see `load_rubric`."""
        return load_rubric(name_or_path)


def as_name(text: str) -> str:
    """A text as the name of a rubric, which is that of a file too: what no name may have is left out, or all of it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:_LONGEST_NAME]


def rubric_schema() -> dict[str, Any]:
    """JSON Schema of a rubric file, by which editors complete and check one; `rubrics/schema.json` holds it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Rubric.model_json_schema()}


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
    return parse_rubric(text, path)


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


def parse_rubric(text: str, path: Path) -> Rubric:
    """Read a rubric from the text of a file; see `load_rubric`.

    Args:
        text: YAML.
        path: What messages call it.
    """
    try:
        document = parse_yaml(text)
    except StrictYamlError as exc:
        raise RubricError(f"{path}:{exc.place}: {exc.problem}.", hint=exc.hint) from exc
    try:
        return Rubric.model_validate(document.value)
    except ValidationError as exc:
        raise _first_error(exc, document, path) from exc


def _first_error(exc: ValidationError, document: Document, path: Path) -> RubricError:
    error = exc.errors(include_url=False)[0]
    where = _where(error["type"], error["loc"])
    field = ".".join(str(part) for part in where) or "the file"
    converted = document.words(where) if error["type"] == "string_type" else ""
    in_quotes = f'If it is text, write it in quotes: "{converted}".' if converted else ""
    hint = in_quotes or remedy(error, _fields(where, document.value) if error["type"] == "extra_forbidden" else ())
    return RubricError(f"{path}:{document.place(where)}: {field}: {_said(error)}", hint=hint)


def _fields(where: tuple[int | str, ...], value: Any) -> Iterable[str]:
    """The fields of what a field is in."""
    if len(where) == 1:
        return Rubric.model_fields
    if len(where) == 3:
        return form_of(value["axes"][where[1]]["kind"]).model_fields
    return (Level if "levels" in where else Criterion).model_fields


def _said(error: Mapping[str, Any]) -> str:
    kind, value, text = error["type"], error.get("input"), error["msg"].removeprefix("Value error, ")
    if kind in ("missing", "union_tag_not_found"):
        return "Field required."
    if kind == "union_tag_invalid":
        return f"must be one of: {', '.join(get_args(Kind))}. It is {error['input']['kind']!r}."
    if kind == "value_error" and isinstance(value, dict | list | tuple):  # the text names what is wrong in it
        return f"{text}."
    return f"{text}. It is {value!r}."


def _where(kind: str, found_at: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The field; pydantic puts the kind of an axis, by which it was read, among the keys."""
    if kind.startswith("union_tag"):
        return (*found_at, "kind")
    of_axis = found_at[:1] == ("axes",)
    return tuple(part for index, part in enumerate(found_at) if not (of_axis and index == 2))
