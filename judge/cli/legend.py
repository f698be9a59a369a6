"""Axes of a rubric -> what the columns of its table of means say, a line a column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap

from judge.axis import Axis, Criteria, Kind
from judge.cli.means import NO_SUCH_NUMBER
from judge.criterion import Scoring
from judge.score import MEASURES, TRACE_MEASURES

__all__ = ["PARTS", "SCORES", "legend"]

_WIDTH, _INDENT = 80, 13

PARTS: Mapping[str, str] = {
    "grounding": "how much of the reference the trace raised",
    "correctness": "how much of what it raised is right, where it raised anything",
    "contradicted": "share of what the trace claims that the record contradicts",
}
"""What is measured besides the score."""
SCORES: Mapping[Kind | Scoring, str] = {
    "checklist": "grounding × correctness of each record",
    "weighted": "points met / all that can be gained, cut at 0 and 1",
    "healthbench": "points met / all that can be gained; a record may be below 0, the mean is cut at 0 and 1",
    "rar_explicit": "weight of the criteria that turn out well / weight of all",
    "rar_implicit": "one rating of all criteria, from 1 to 10, on the way from 0 to 1",
    "tree": "weighted mean of the criteria that turn out well, up to the root",
    "scale": "how far up from the lowest level, 0, to the highest, 1",
    "faithfulness": "share of what the trace claims that the record supports",
}
"""What a score is, by kind; of criteria by their scoring."""


def legend(axes: Mapping[str, Axis]) -> str:
    """What the columns say of these axes, and of no other kind; at most 80 characters a line."""
    return "\n".join(line for name, meaning in _entries(axes) for line in _lines(name, meaning))


def _entries(axes: Mapping[str, Axis]) -> Iterator[tuple[str, str]]:
    kinds = {axis.kind for axis in axes.values()}
    measured = {part for kind in kinds for part in MEASURES[kind]}
    yield from ((part, meaning) for part, meaning in PARTS.items() if part in measured)
    yield from zip(("score", *[""] * len(axes)), _scores(axes), strict=False)
    if any(measured - {*row} for row in (TRACE_MEASURES, *(MEASURES[kind] for kind in kinds))):
        yield NO_SUCH_NUMBER, "of this axis there is no such number"
    fewer = "; 3/5 where only 3 of 5 have a correctness" if "correctness" in measured else ""
    yield "n", f"records with a score{fewer}"


def _scores(axes: Mapping[str, Axis]) -> Iterator[str]:
    """Once what all have in common; else each meaning with the axes that it is the meaning of."""
    named: dict[str, list[str]] = {}
    for name, axis in axes.items():
        named.setdefault(SCORES[axis.scoring if isinstance(axis, Criteria) else axis.kind], []).append(name)
    mean = "trace: mean of the axes"
    if len(named) == 1:
        yield f"{next(iter(named))}{f'; {mean}' * (len(axes) > 1)}"
    else:
        yield from (f"{', '.join(names)}: {meaning}" for meaning, names in named.items())
        yield from [mean] * bool(named)


def _lines(name: str, meaning: str) -> list[str]:
    return wrap(meaning, _WIDTH, initial_indent=f"{name:<{_INDENT}}", subsequent_indent=" " * _INDENT)
