"""The end of a request and its reply schema -> AskedUnits: what is asked, one by one, and of which kind each is.

# Units
u1 (perception): "The left base is opaque."     answered by presence and correctness
# Criteria
u1 (safety): "Says when to seek help."          by a verdict: MET or UNMET
u2 (safety, bad): "Recommends an overdose."     likewise, and MET is bad
# Scales
u1 (quality): How good is the answer?           by a value: one of its levels
1: It misleads.
2: It is right.
# Questions
u1 (overall): Which trace is better?            of two traces, by a preference: A, B or tie
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

UnitKind: TypeAlias = Literal["checklist", "criteria", "scale", "preference"]


class _Mark(NamedTuple):
    """By what a kind is known: a field of its reply schema; where there is no schema, a heading."""

    field: str
    heading: str


MARKS: Mapping[UnitKind, _Mark] = {
    "checklist": _Mark("presence", "Units"),
    "criteria": _Mark("verdict", "Criteria"),
    "scale": _Mark("value", "Scales"),
    "preference": _Mark("preferred", "Questions"),
}
_HEADING = re.compile(r"^# (\w+)$", re.MULTILINE)
_UNIT = re.compile(r"^(u\d+) \(([^),\n]+)(, bad)?\): (.*)((?:\n  -?\d+: .*)*)$", re.MULTILINE)
_LEVEL = re.compile(r"^  (-?\d+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedUnit:
    """One unit, criterion, scale or question as the judge sees it.

    Args:
        name: `u1`, `u2`, …
        claim: What a unit claims, a criterion states, or a scale or question asks.
        bad: Of a criterion: that it holds is bad.
        levels: Of a scale: what a trace is like on each, from the lowest.
    """

    name: str
    axis: str
    claim: str
    kind: UnitKind = "checklist"
    bad: bool = False
    levels: Mapping[int, str] = field(default_factory=dict)


def read_units(text: str, schemas: Mapping[str, Mapping[str, object]]) -> tuple[AskedUnit, ...]:
    """What a text asks, in asking order: under the names of the schemas where there are any, else under its own.

    Args:
        text: What follows the trace, without a complaint.
        schemas: The properties of each unit of the reply schema, by name.
    """
    kind, found = _kind_of(text), {match[1]: match for match in _UNIT.finditer(text)}
    return tuple(_unit(name, found.get(name), kind, schemas.get(name, {})) for name in schemas or found)


def _unit(name: str, found: re.Match[str] | None, kind: UnitKind, schema: Mapping[str, object]) -> AskedUnit:
    kind = next((known for known, mark in MARKS.items() if mark.field in schema), kind)
    if found is None:
        return AskedUnit(name=name, axis="", claim="", kind=kind, levels=_levels("", schema))
    _, axis, bad, claim, anchors = found.groups()
    return AskedUnit(
        name=name, axis=axis, claim=_claim(claim), kind=kind, bad=bool(bad), levels=_levels(anchors, schema)
    )


def _kind_of(text: str) -> UnitKind:
    headings = _HEADING.findall(text)
    return next((kind for kind, mark in MARKS.items() if mark.heading in headings), "checklist")


def _claim(raw: str) -> str:
    """A scale's is no JSON string, as it is the rubric's own."""
    try:
        return str(json.loads(raw))
    except ValueError:
        return raw


def _levels(anchors: str, schema: Mapping[str, object]) -> dict[int, str]:
    """The levels that may be chosen, with their anchors as far as those are shown."""
    shown = {int(level): anchor for level, anchor in _LEVEL.findall(anchors)}
    value = schema.get(MARKS["scale"].field)
    choices = value.get("enum") if isinstance(value, Mapping) else None
    chosen = [level for level in choices if isinstance(level, int)] if isinstance(choices, list) else shown
    return {level: shown.get(level, "") for level in sorted(chosen)}
