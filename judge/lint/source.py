"""A rubric's file -> its YAML, and places in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from judge.lint.finding import Finding, Remark
from judge.resource import resource_path
from judge.rubric import load_rubric
from judge.strict_yaml import Document, StrictYamlError, parse_yaml

__all__ = ["Field", "Source", "find_words", "line_and_column", "read_source"]

Field: TypeAlias = tuple[int | str, ...]


class Source:
    """One rubric file, as it is written.

    Args:
        path: Of the file.
        text: All of it.

    Attributes:
        faults: What strict YAML refuses, in order; all that can be passed over was.
        document: What is left; None where the text is no YAML.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._text = text
        self.faults: list[StrictYamlError] = []
        self.document: Document | None = None
        try:
            self.document = parse_yaml(text, self.faults)
        except StrictYamlError as exc:
            self.faults.append(exc)

    def at_place(self, place: str, rule: str, what: str, to_do: str) -> Finding:
        """A finding at `line:column`."""
        line, column = map(int, place.split(":"))
        return Finding(file=str(self.path), line=line, column=column, rule=rule, what=what, to_do=to_do)

    def at(self, field: Field, rule: str, what: str, to_do: str) -> Finding:
        """A finding at the value of a field."""
        return self.at_place(self._written.place(field), rule, what, to_do)

    def at_words(self, field: Field, text: str, remark: Remark) -> Finding:
        """A finding at the words of a text that the remark is about; at the text where they are written otherwise."""
        start, end = self._written.extent(field)
        found = find_words(self._text[start:end], text, remark)
        if found is None:
            return self.at(field, remark.rule, remark.what, remark.to_do)
        line, column = line_and_column(self._text, start + found)
        return self.at_place(f"{line}:{column}", remark.rule, remark.what, remark.to_do)

    def covers(self, outer: Finding, inner: Finding) -> bool:
        """Whether a finding says what an inner one says: at the same place, or at the field of an axis around it."""
        if (outer.line, outer.column) == (inner.line, inner.column):
            return True
        place = f"{outer.line}:{outer.column}"
        at = sum(len(line) + 1 for line in self._text.split("\n")[: inner.line - 1]) + inner.column - 1
        extents = (self._written.extent(field) for field in self._fields() if self._written.place(field) == place)
        return any(start <= at < end for start, end in extents)

    def _fields(self) -> Iterator[Field]:
        """Those of an axis, such as `axes.seen.importance`."""
        axes = self.document.value.get("axes") if self.document and isinstance(self.document.value, dict) else None
        for name, axis in axes.items() if isinstance(axes, dict) else ():
            yield from (("axes", name, key) for key in (axis if isinstance(axis, dict) else ()))

    @property
    def _written(self) -> Document:
        assert self.document is not None  # else there is no field to speak of
        return self.document


def read_source(name_or_path: str) -> Source:
    """Read a rubric's file as `load_rubric` finds it.

    Raises:
        RubricError: It cannot be read.
    """
    built_in = resource_path("rubrics", f"{name_or_path}.yaml")
    path = built_in if "/" not in name_or_path and built_in.is_file() else Path(name_or_path)
    try:
        return Source(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        load_rubric(name_or_path)  # which says it
        raise


def find_words(written: str, text: str, remark: Remark) -> int | None:
    """Where words of a text stand in what is written for it, blanks and line ends aside; None where they do not."""
    words = text[remark.start : remark.end].split()
    if not words:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    before = _count(pattern.finditer(text, 0, remark.start))
    return next((match.start() for at, match in enumerate(pattern.finditer(written)) if at == before), None)


def _count(matches: Iterable[re.Match[str]]) -> int:
    return sum(1 for _ in matches)


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Both from 1, of a place in a text."""
    before: Sequence[str] = text[:at].split("\n")
    return len(before), len(before[-1]) + 1
