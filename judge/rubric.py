"""A YAML file -> Rubric.

    name: pkr
    version: "1.0"
    description: Perception, knowledge and rationale of a medical reasoning trace.
    guidelines: |
      How to judge.
    axes:
      perception: {kind: checklist, description: What is seen., importance: {default: 1, core: 2}}

YAML is read strictly: no aliases (a bomb of 430 bytes ends the process later), no tags, no duplicate keys, and no
silent conversion: `no` where text is wanted is an error, not `False`, and a weight of `010` is one too, not 8.
"""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any, Literal, NoReturn

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from judge.errors import RubricError
from judge.resource import resource_path

__all__ = ["Axis", "Rubric", "load_rubric"]

# `{axis}_score` and its like are columns; these axis names would collide with the record's own.
_RESERVED_AXES = {"trace", "answer", "units", "overall"}
_PLAIN_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_YAML = "tag:yaml.org,2002:"


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
    path = _locate(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise RubricError(f"{path}: cannot be read: {exc}.") from exc
    return _parse(text, path)


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    path = resource_path("rubrics", f"{text}.yaml")
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in resource_path("rubrics").glob("*.yaml")))
        raise RubricError(f"no built-in rubric is called {text!r}; there are: {known}.", hint="Or give a file's path.")
    return path


def _refused(problem: str, where: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    mark: Any = where.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


class _StrictLoader(yaml.SafeLoader):
    """YAML without aliases, tags, merge keys and duplicate keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent):
            raise _refused("aliases (*name) are not allowed", event)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags (!name) are not allowed", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        first: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag != f"{_YAML}str":
                problem = "a key must be text; words such as no, numbers and ~ need quotes, and << is not allowed"
                raise _refused(problem, key)
            if key.value in first:
                problem = f"the key {key.value!r} stands here and on line {first[key.value]}"
                raise _refused(problem, key)
            first[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        text = super().construct_scalar(node)
        if not text.isascii() and re.search("[\ud800-\udfff]", text):
            raise _refused("half of a surrogate pair is not text; write the character itself", node)
        return text


def _number(_: _StrictLoader, node: yaml.ScalarNode) -> int | float:
    """`010` is 8 and `12:30` is 750 in YAML 1.1, and text in YAML 1.2: only what every reader reads alike."""
    text: str = node.value
    if not _PLAIN_NUMBER.fullmatch(text):
        problem = f"the number {text[:40]!r} must be a plain decimal one, or stand in quotes if it is text"
        raise _refused(problem, node)
    return float(text) if node.tag == f"{_YAML}float" else int(text)


def _date(_: _StrictLoader, node: yaml.ScalarNode) -> NoReturn:
    problem = f"the date {node.value!r} must stand in quotes: no field is a date"
    raise _refused(problem, node)


_StrictLoader.add_constructor(f"{_YAML}int", _number)
_StrictLoader.add_constructor(f"{_YAML}float", _number)
_StrictLoader.add_constructor(f"{_YAML}timestamp", _date)


def _parse(text: str, path: Path) -> Rubric:
    node, value = _read_yaml(text, path)
    try:
        return Rubric.model_validate(value)
    except ValidationError as exc:
        raise _first_error(exc, node, path) from exc


def _read_yaml(text: str, path: Path) -> tuple[yaml.Node | None, Any]:
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as exc:
        raise RubricError(f"{path}:{_place(exc.problem_mark)}: {exc.problem}.") from exc
    except (ValueError, OverflowError) as exc:  # PyYAML turns the number of an escape into a character unchecked
        problem = "an escape such as \\U00110000 is of no character"
        raise RubricError(f"{path}:{_place(loader.get_mark())}: {problem}.") from exc
    except yaml.reader.ReaderError as exc:
        before = text[: exc.position].split("\n")
        problem = f"the character {text[exc.position]!r} is not allowed in YAML"
        raise RubricError(f"{path}:{len(before)}:{len(before[-1]) + 1}: {problem}.") from exc
    except RecursionError as exc:
        raise RubricError(f"{path}:1:1: is nested too deeply to be read.") from exc


def _first_error(exc: ValidationError, node: yaml.Node | None, path: Path) -> RubricError:
    error = exc.errors(include_url=False)[0]
    field = ".".join(str(part) for part in error["loc"]) or "the file"
    found = "" if error["type"] == "missing" else f" It is {error.get('input')!r}."
    text = error["msg"].removeprefix("Value error, ")
    written = _written(node, error["loc"])
    place = _place(written.start_mark if written is not None else None)
    converted = error["type"] == "string_type" and isinstance(written, yaml.ScalarNode) and written.value
    hint = f'If it is text, write it in quotes: "{converted}".' if converted else ""
    return RubricError(f"{path}:{place}: {field}: {text}.{found}", hint=hint)


def _place(mark: Any) -> str:
    return f"{mark.line + 1}:{mark.column + 1}" if mark is not None else "1:1"


def _written(node: yaml.Node | None, field: tuple[int | str, ...]) -> yaml.Node | None:
    """Where a field is written, or the nearest thing around it that is."""
    for part in field:
        inner = _child(node, part)
        if inner is None:
            break
        node = inner
    return node


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None
