"""Files of recordings -> their rows, each with what a declaration puts beside it.

{"idx": 3, "gpt_result": "1", "item": {"idx": 3, "annotator1": 1}, "bloom": …}
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from judge.errors import InputError, RecordError
from judge.formats.given import read_documents
from judge.record import read_fields
from judge.recordings.form import fits
from judge.recordings.recording import Each, Join, RecordedFormat, Split
from judge.recordings.template import fill, fill_text
from judge.strict_json import StrictJsonError, parse_json
from judge.traces.source import open_source

__all__ = ["Row", "read_rows"]

_LONGEST_LIST: Final = 10_000
_LONGEST_TEXT: Final = 2**22  # code points of a list that is written as text


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recording, before its text is read.

    Attributes:
        path: Of its file.
        line: In it.
        fields: With what was joined, split and taken from a list; or why it has none.
    """

    path: Path
    line: int
    fields: Mapping[str, Any] | RecordError


def read_rows(paths: Sequence[Path], declared: RecordedFormat) -> Iterator[Row | None]:
    """The recordings of files, in order; None for a row that is of another format.

    Raises:
        InputError: A file cannot be read, or one that is joined is missing or ambiguous.
    """
    for path in paths:
        beside = {join.name: _table(path.parent, join) for join in declared.join}
        for line, row in _rows(path):
            yield from _recordings(path, line, row, declared, beside)


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix.lower() == ".json":
        documents = [value for _, value in read_documents(path)]
        listed = documents[0] if len(documents) == 1 and isinstance(documents[0], list) else documents
        yield from enumerate(listed, start=1)
        return
    with open_source(str(path)) as source:
        yield from source


def _recordings(
    path: Path, line: int, row: Any, declared: RecordedFormat, beside: Mapping[str, Mapping[str, Any]]
) -> Iterator[Row | None]:
    try:
        if isinstance(row, RecordError):
            raise row
        fields = read_fields(row, number=line)
        if not fits(declared.when, fields):
            yield None
            return
        whole = _completed(fields, declared, beside)
        listed = [whole] if declared.each is None else list(_elements(whole, declared.each))
    except RecordError as exc:
        yield Row(path=path, line=line, fields=exc)
        return
    for one in listed:
        yield Row(path=path, line=line, fields=one)


def _completed(
    fields: Mapping[str, Any], declared: RecordedFormat, beside: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    whole = dict(fields)
    for join in declared.join:
        key = fill_text(join.ours, whole)
        if key not in beside[join.name]:
            message = f"{join.files} has no row whose {join.theirs} is {key!r}."
            raise RecordError(message, field=join.ours, code="not_joined")
        whole[join.name] = beside[join.name][key]
    for split in declared.split:
        whole |= _split(split, whole)
    return whole


def _split(split: Split, fields: Mapping[str, Any]) -> dict[str, str]:
    text = fill_text(split.text, fields)
    parts = text.split(split.at)
    if len(parts) != len(split.into):
        message = f"is {text[:80]!r}, which has {split.at!r} {len(parts) - 1} times; once splits it in two."
        raise RecordError(message, field=split.text, code="not_split")
    return dict(zip(split.into, parts, strict=True))


def _table(folder: Path, join: Join) -> dict[str, Any]:
    """The rows of the files that are joined, by what they are met on."""
    found = sorted(folder.glob(join.files))
    if not found:
        hint = "Put it beside the recordings, or leave `join` away."
        raise InputError(f"{folder / join.files}: no such file, and the format joins it.", hint=hint)
    rows: dict[str, Any] = {}
    for path in found:
        for place, value in read_documents(path):
            for row in value if isinstance(value, list) else [value]:
                key = fill_text(join.theirs, row)
                if rows.setdefault(key, row) != row:
                    raise InputError(f"{place}: {join.theirs} is {key!r} a second time, in a row that differs.")
    return rows


def _elements(whole: Mapping[str, Any], each: Each) -> Iterator[dict[str, Any]]:
    elements = _list(fill(each.list, whole), each)
    others = elements if each.beside is None else _list(fill(each.beside, whole), each)
    if len(others) != len(elements):
        message = f"{each.list} has {len(elements)} elements and {each.beside} has {len(others)}."
        raise RecordError(message, field=each.list, code="wrong_length")
    for index, (element, other) in enumerate(zip(elements, others, strict=True), start=1):
        yield {**whole, "each": element, "beside": other, "number": index}


def _list(value: Any, each: Each) -> list[Any]:
    found = _parsed(value, each) if isinstance(value, str) else value
    if not isinstance(found, list) or not 0 < len(found) <= _LONGEST_LIST:
        message = f"must be a list of 1 to {_LONGEST_LIST:,} elements."
        raise RecordError(message, field=each.list, code="wrong_type")
    return found


def _parsed(text: str, each: Each) -> Any:
    if len(text) > _LONGEST_TEXT:
        message = f"has {len(text):,} characters; {_LONGEST_TEXT:,} are read."
        raise RecordError(message, field=each.list, code="too_long")
    try:
        return parse_json(text) if each.written == "json" else _python(text)
    except (StrictJsonError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as exc:
        message = f"cannot be read as {each.written}: {exc}."
        raise RecordError(message, field=each.list, code="not_a_list") from exc


def _python(text: str) -> Any:
    """Values only: names, calls and operators are refused, and so is what Python would warn about."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ast.literal_eval(text)
