"""A path -> the documents in it, with their places: one of JSON, YAML or TOML, or a row each of what holds traces too.

Strictly, as these files come from anywhere: no duplicate keys, no YAML aliases or tags, no number that is not finite,
no dates, and nothing that is nested so deeply that reading it would end the process.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from judge.errors import InputError, RecordError
from judge.record import read_fields
from judge.strict_json import StrictJsonError, parse_json
from judge.strict_yaml import StrictYamlError, parse_yaml
from judge.traces.source import open_source

__all__ = ["read_documents"]

_LARGEST: Final = 2**25  # bytes of one document
_DEEPEST: Final = 80  # a tree of 32 levels has 64, and sections and axes around it


def read_documents(path: Path) -> Iterator[tuple[str, Any]]:
    """Each with its place, such as `rows.jsonl, line 2`.

    Args:
        path: `.json`, `.yaml`, `.yml` and `.toml` are one document; others have rows: JSONL, compressed or not, or
            Parquet.

    Raises:
        InputError: It cannot be read, or is not what its name says.
    """
    parse = _PARSERS.get(path.suffix.lower())
    documents = _rows(path) if parse is None else iter([(str(path), _document(path, parse))])
    for place, value in documents:
        if _depth(value) > _DEEPEST:
            raise InputError(f"{place}: is nested more than {_DEEPEST} deep.")
        yield place, value


def _document(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: has more than {_LARGEST:,} bytes.", hint="Rows go one a line, in a .jsonl file.")
        return parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path}: cannot be read: {exc}.") from exc
    except StrictYamlError as exc:
        raise InputError(f"{path}:{exc.place}: {exc.problem}.") from exc
    except StrictJsonError as exc:
        hint = "If it has a row in each line, call it .jsonl." if "second JSON value" in str(exc) else ""
        raise InputError(f"{path}: {exc}.", hint=hint) from exc
    except tomllib.TOMLDecodeError as exc:
        raise InputError(f"{path}: is no TOML: {exc}.") from exc


def _yaml(text: str) -> Any:
    return parse_yaml(text).value


def _toml(text: str) -> Any:
    """As JSON has it, where there are no dates and no `inf`."""
    try:
        return parse_json(json.dumps(tomllib.loads(text)))
    except TypeError as exc:
        raise StrictJsonError("json_invalid", "has a date or a time, which no field is; put it in quotes") from exc
    except RecursionError as exc:
        raise StrictJsonError("too_deep", "is nested too deeply to be read") from exc


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    ".json": parse_json,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".toml": _toml,
}


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    with open_source(str(path)) as source:
        for number, row in source:
            if isinstance(row, RecordError):
                raise InputError(f"{path}: {row}") from row
            try:
                yield f"{path}, line {number}", dict(read_fields(row, number=number))
            except RecordError as exc:
                raise InputError(f"{path}: {exc}") from exc


def _depth(value: Any) -> int:
    """By levels: what calls itself for each would be ended by too many."""
    level, depth = [value], 0
    while level := [child for one in level for child in _within(one)]:
        depth += 1
    return depth


def _within(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
