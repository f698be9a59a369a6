"""YAML -> findings: what YAML and the format refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from judge.errors import RubricError
from judge.lint.finding import Finding
from judge.lint.source import Field, Source
from judge.lint.statement import criteria, pieces
from judge.rubric import load_rubric

__all__ = ["check_format", "check_ids", "check_texts", "check_yaml"]

_TEXTS: Final = frozenset(
    {"name", "version", "description", "guidelines", "kind", "id", "text", "anchor", "polarity", "scoring"}
)


def check_yaml(source: Source) -> Iterator[Finding]:
    """What strict YAML refuses, all of it."""
    for fault in source.faults:
        yield source.at_place(fault.place, f"yaml-{fault.code}", fault.problem, fault.to_do)


def check_texts(source: Source, value: object, field: Field = ()) -> Iterator[Finding]:
    """`no`, `1.0` and their like where a text is wanted: YAML has made something else of them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, child in inner:
        here = (*field, part)
        if part in _TEXTS and isinstance(child, bool | int | float) and source.document is not None:
            words = source.document.words(here)
            read = f"{'' if isinstance(child, bool) else 'the number '}{child}"
            yield source.at(here, "yaml-value", f"YAML reads {words} as {read}, not as text", f'write "{words}"')
        elif part != "importance":  # its keys are names of the author's
            yield from check_texts(source, child, here)


def check_ids(source: Source, value: object) -> Iterator[Finding]:
    """Two criteria of one id: their verdicts could not be told apart."""
    for name, axis in pieces(value, "axes").items():
        first: dict[str, str] = {}
        for field, criterion in criteria(axis, ("axes", name)):
            given = criterion.get("id")
            if not isinstance(given, str) or source.document is None:
                continue
            line = source.document.place((*field, "id")).split(":")[0]
            if given in first:
                what = f"the id {given!r} stands here and on line {first[given]}"
                yield source.at((*field, "id"), "duplicate-id", what, "give each criterion of an axis an id of its own")
            first.setdefault(given, line)


def check_format(source: Source) -> Iterator[Finding]:
    """What loading it as a rubric says, which is one thing at a time.

    Raises:
        RubricError: It says something that has no place in the file.
    """
    try:
        load_rubric(source.path)
    except RubricError as exc:
        found = re.fullmatch(r"(\d+:\d+): (.*?)\.?", exc.message.removeprefix(f"{source.path}:"), re.DOTALL)
        if found is None:
            raise
        hint = exc.hint.rstrip(".") or "see docs/rubrics.md"
        yield source.at_place(found[1], "format", found[2], hint[:1].lower() + hint[1:])
