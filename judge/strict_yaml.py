"""YAML text -> one value, and where each part of it is written.

Strict: no aliases (a bomb of 430 bytes ends the process later), no tags, no duplicate keys, and no silent conversion:
`no` as a key, a number such as `010` (8 in YAML 1.1) or `12:30` (750), and a date are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import yaml

__all__ = ["Code", "Document", "StrictYamlError", "parse_yaml"]

Code = Literal["syntax", "alias", "tag", "key", "duplicate", "value"]
_TO_DO: Final[Mapping[Code, str]] = {
    "syntax": "correct it; nothing after this place was looked at",
    "alias": "write the text again where it is needed",
    "tag": "leave it away, and put the value in quotes if it is text",
    "key": "put the key in quotes",
    "duplicate": "keep one of the two, or rename it",
    "value": 'write a plain number, or "…" for text',
}
"""Kinds of faults. All but `syntax` can be passed over, to look for more."""

_PLAIN_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_YAML = "tag:yaml.org,2002:"


class StrictYamlError(ValueError):
    """The text is not one strict YAML value.

    Args:
        place: `line:column`, from 1.
        problem: What is wrong there, without a full stop.
        code: What kind of fault it is.

    Attributes:
        to_do: How to mend it, in words that go on after a comma.
    """

    def __init__(self, place: str, problem: str, code: Code = "syntax") -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem
        self.code = code
        self.to_do = _TO_DO[code]

    @property
    def hint(self) -> str:
        """How to mend it, as a sentence."""
        return f"{self.to_do[0].upper()}{self.to_do[1:]}."


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

    def extent(self, field: Sequence[int | str]) -> tuple[int, int]:
        """Where a field is written: half-open, in code points of the text; (0, 0) where nothing is."""
        node = self._written(field)
        return (0, 0) if node is None else (node.start_mark.index, node.end_mark.index)

    def _written(self, field: Sequence[int | str]) -> yaml.Node | None:
        node = self._root
        for part in field:
            inner = _child(node, part)
            if inner is None:
                break
            node = inner
        return node


def parse_yaml(text: str, faults: list[StrictYamlError] | None = None) -> Document:
    """Parse one YAML value.

    Args:
        text: Of a whole file.
        faults: Where it is given, what can be passed over is added to it and not raised: an alias is its own name then,
            what has a tag, a number or a date is text, and of two equal keys the first one counts.

    Raises:
        StrictYamlError: The text is anything else.
    """
    try:
        loader = _StrictLoader(text)
        loader.faults = faults
        root = loader.get_single_node()
        return Document(loader.construct_document(root) if root is not None else None, root)
    except yaml.MarkedYAMLError as exc:
        code = exc.code if isinstance(exc, _RefusedError) else "syntax"
        raise StrictYamlError(_place(exc.problem_mark), str(exc.problem), code) from exc
    except (ValueError, OverflowError) as exc:  # PyYAML turns the number of an escape into a character unchecked
        raise StrictYamlError(_place(loader.get_mark()), "an escape such as \\U00110000 is of no character") from exc
    except yaml.reader.ReaderError as exc:
        before = text[: exc.position].split("\n")
        problem = f"the character {text[exc.position]!r} is not allowed in YAML"
        raise StrictYamlError(f"{len(before)}:{len(before[-1]) + 1}", problem) from exc
    except RecursionError as exc:
        raise StrictYamlError("1:1", "is nested too deeply to be read") from exc


class _RefusedError(yaml.MarkedYAMLError):
    """It is YAML, and not ours."""

    def __init__(self, problem: str, where: yaml.Event | yaml.Node, code: Code) -> None:
        mark: Any = where.start_mark
        super().__init__(problem=problem, problem_mark=mark)
        self.code = code


class _StrictLoader(yaml.SafeLoader):
    """YAML without aliases, tags, merge keys and duplicate keys."""

    faults: list[StrictYamlError] | None = None

    def refuse(self, problem: str, where: yaml.Event | yaml.Node, code: Code) -> None:
        refused = _RefusedError(problem, where, code)
        if self.faults is None:
            raise refused
        self.faults.append(StrictYamlError(_place(refused.problem_mark), problem, code))

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent):
            self.refuse("aliases (*name) are not allowed", event, "alias")
            self.get_event()  # type: ignore[no-untyped-call]
            start: Any = event.start_mark
            end: Any = event.end_mark
            return yaml.ScalarNode(f"{_YAML}str", f"*{event.anchor}", start, end)
        if getattr(event, "tag", None) is not None:
            self.refuse("tags (!name) are not allowed", event, "tag")
            event.tag, event.implicit = None, (False, True)  # a scalar is text then
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        node.value = list(self._text_keys(node))
        return super().construct_mapping(node, deep)

    def _text_keys(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        first: dict[str, int] = {}
        for key, value in node.value:
            if key.tag != f"{_YAML}str":
                problem = "a key must be text; words such as no, numbers and ~ need quotes, and << is not allowed"
                # YAML takes `on` for true, and `--on` is an option of ours.
                problem += f'; write "{key.value}"' if isinstance(key, yaml.ScalarNode) and key.value.isalpha() else ""
                self.refuse(problem, key, "key")
                if not isinstance(key, yaml.ScalarNode):
                    continue
                key.tag = f"{_YAML}str"
            if key.value in first:
                problem = f"the key {key.value!r} stands here and on line {first[key.value]}"
                self.refuse(problem, key, "duplicate")
                continue
            first[key.value] = key.start_mark.line + 1
            yield key, value

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        text = super().construct_scalar(node)
        if not text.isascii() and re.search("[\ud800-\udfff]", text):
            self.refuse("half of a surrogate pair is not text; write the character itself", node, "value")
        return text


def _number(loader: _StrictLoader, node: yaml.ScalarNode) -> int | float | str:
    """`010` is 8 and `12:30` is 750 in YAML 1.1, and text in YAML 1.2: only what every reader reads alike."""
    text: str = node.value
    if not _PLAIN_NUMBER.fullmatch(text):
        problem = f"the number {text[:40]!r} must be a plain decimal one, or stand in quotes if it is text"
        loader.refuse(problem, node, "value")
        return text
    return float(text) if node.tag == f"{_YAML}float" else int(text)


def _date(loader: _StrictLoader, node: yaml.ScalarNode) -> str:
    loader.refuse(f"the date {node.value!r} must stand in quotes: no field is a date", node, "value")
    text: str = node.value
    return text


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
