"""YAML text -> one value, and where each part of it is written.

Strict: no aliases (a bomb of 430 bytes ends the process later), no tags, no duplicate keys, and no silent conversion:
`no` as a key, a number such as `010` (8 in YAML 1.1) or `12:30` (750), and a date are errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import yaml

__all__ = ["Document", "StrictYamlError", "parse_yaml"]

_PLAIN_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_YAML = "tag:yaml.org,2002:"


class StrictYamlError(ValueError):
    """The text is not one strict YAML value.

    Args:
        place: `line:column`, from 1.
        problem: What is wrong there, without a full stop.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


class Document:
    """What a text says, and where.

    Attributes:
        value: dict, list, str, int, float, bool or None; None for an empty text.
    """

    def __init__(self, value: Any, root: yaml.Node | None) -> None:
        self.value = value
        self._root = root

    def place(self, field: Sequence[int | str]) -> str:
        """`line:column` of the value of a field, or of the nearest thing around it that is written."""
        node = self._written(field)
        return _place(node.start_mark if node is not None else None)

    def place_of_key(self, key: str) -> str:
        """`line:column` of a key of the outermost mapping, as it is written."""
        keys = self._root.value if isinstance(self._root, yaml.MappingNode) else ()
        return _place(next((node.start_mark for node, _ in keys if node.value == key), None))

    def words(self, field: Sequence[int | str]) -> str:
        """How a scalar is written, such as `no` where its value is False; empty for what is no scalar."""
        node = self._written(field)
        return node.value if isinstance(node, yaml.ScalarNode) else ""

    def _written(self, field: Sequence[int | str]) -> yaml.Node | None:
        node = self._root
        for part in field:
            inner = _child(node, part)
            if inner is None:
                break
            node = inner
        return node


def parse_yaml(text: str) -> Document:
    """Parse one YAML value.

    Raises:
        StrictYamlError: The text is anything else.
    """
    try:
        loader = _StrictLoader(text)
        root = loader.get_single_node()
        return Document(loader.construct_document(root) if root is not None else None, root)
    except yaml.MarkedYAMLError as exc:
        raise StrictYamlError(_place(exc.problem_mark), str(exc.problem)) from exc
    except (ValueError, OverflowError) as exc:  # PyYAML turns the number of an escape into a character unchecked
        raise StrictYamlError(_place(loader.get_mark()), "an escape such as \\U00110000 is of no character") from exc
    except yaml.reader.ReaderError as exc:
        before = text[: exc.position].split("\n")
        problem = f"the character {text[exc.position]!r} is not allowed in YAML"
        raise StrictYamlError(f"{len(before)}:{len(before[-1]) + 1}", problem) from exc
    except RecursionError as exc:
        raise StrictYamlError("1:1", "is nested too deeply to be read") from exc


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
                # YAML takes `on` for true, and `--on` is an option of ours.
                problem += f'; write "{key.value}"' if isinstance(key, yaml.ScalarNode) and key.value.isalpha() else ""
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


def _place(mark: Any) -> str:
    return f"{mark.line + 1}:{mark.column + 1}" if mark is not None else "1:1"


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None
