"""YAML or units -> the texts that a judge decides on, with what is said about each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from judge.bare import bare
from judge.lint.source import Field

__all__ = [
    "Direction",
    "Statement",
    "criteria",
    "list_statements",
    "number",
    "pieces",
    "read_statement",
    "texts",
    "without_meta",
]

Direction = Literal["positive", "negative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One text that is met or not, raised or not, or that describes a level.

    Attributes:
        field: Where it is.
        what: `criterion`, `claim` or `level`.
        direction: What MET means by `polarity`, else by the sign of `points`; None where neither says.
        importance: Its name, where it has one.
    """

    field: Field
    what: Literal["criterion", "claim", "level"]
    text: str
    direction: Direction | None = None
    importance: str | None = None

    @property
    def bare(self) -> str:
        """As of `bare.py`."""
        return bare(self.text)

    def said(self, found: re.Match[str]) -> str:
        """What stands in the text where something was found in the bare one, on one line."""
        return " ".join(self.text[found.start() : found.end()].split())


def list_statements(value: object) -> Iterator[Statement]:
    """All that a rubric's YAML holds; what has another form than a rubric's is passed over."""
    for name, axis in pieces(value, "axes").items():
        for field, level in _mappings(axis, "levels", ("axes", name)):
            if isinstance(text := level.get("anchor"), str):
                yield Statement(field=(*field, "anchor"), what="level", text=text)
        for field, criterion in criteria(axis, ("axes", name)):
            if not criterion.get("children") and isinstance(text := criterion.get("text"), str):
                yield read_statement((*field, "text"), "criterion", text, criterion)


def read_statement(field: Field, what: Literal["criterion", "claim"], text: str, given: Mapping[str, Any]) -> Statement:
    """A criterion or a unit."""
    polarity, points, importance = given.get("polarity"), number(given.get("points")), given.get("importance")
    direction: Direction | None = None
    if polarity in ("positive", "negative"):
        direction = polarity
    elif points:
        direction = "positive" if points > 0 else "negative"
    name = importance if isinstance(importance, str) else None
    return Statement(field=field, what=what, text=text, direction=direction, importance=name)


def criteria(axis: object, field: Field) -> Iterator[tuple[Field, Mapping[str, Any]]]:
    """Every criterion of an axis or of a criterion, in the order of the file, parents first."""
    for key in ("criteria", "children"):
        for place, criterion in _mappings(axis, key, field):
            yield place, criterion
            yield from criteria(criterion, place)


def _mappings(value: object, key: str, field: Field) -> Iterator[tuple[Field, dict[str, Any]]]:
    """Those of the list under a key."""
    listed = value.get(key) if isinstance(value, dict) else None
    for index, inner in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(inner, dict):
            yield (*field, key, index), inner


def texts(value: object, field: Field = ()) -> Iterator[tuple[Field, str]]:
    """Every text of a YAML value, keys aside."""
    if isinstance(value, str):
        yield field, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, child in inner:
        yield from texts(child, (*field, part))


def without_meta(value: object, under: str = "") -> object:
    """The same without what is kept beside a rubric and its criteria, which no judge reads.

    Args:
        value: YAML, or a part of it.
        under: Key of that part. Names of axes and importances are the author's own, and may be `meta`.
    """
    if isinstance(value, dict):
        kept = (one for one in value.items() if one[0] != "meta" or under in ("axes", "importance"))
        return {part: without_meta(child, part) for part, child in kept}
    return [without_meta(child) for child in value] if isinstance(value, list) else value


def pieces(value: object, key: str | None = None) -> dict[str, Any]:
    """The mapping under a key, or the value itself; empty where it is no mapping."""
    found = value.get(key) if key is not None and isinstance(value, dict) else value
    return found if isinstance(found, dict) else {}


def number(value: object) -> float | None:
    """A weight or points; None for what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
