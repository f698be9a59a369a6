"""A statement -> remarks: it asks two things, is vague, or tells the judge how to score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from judge.bare import blank
from judge.compound import find_second
from judge.lint.finding import Remark
from judge.lint.statement import Statement

__all__ = ["remark_on_wording"]

_SAID: Final = re.compile(r"\bthat\b[^.;]*")

_ALWAYS_VAGUE: Final = (
    r"(?:in)?adequate(?:ly)?|(?:in)?appropriate(?:ly)?|properly|nicely|suitably|reasonabl[ey]|(?:un)?acceptabl[ey]"
    r"|(?:un)?satisfactor(?:y|ily)|(?:in)?sufficient(?:ly)?|thorough(?:ly)?|comprehensive(?:ly)?|high[- ]quality"
    r"|meaningful(?:ly)?|(?:un)?helpful(?:ly)?|well[- ]written|as (?:needed|appropriate|necessary)(?=\s*(?:[,.;)]|$))"
    r"|and so on|and the like"
)
# "Recommends good sleep" is what a trace says; "gives a good summary" is how.
_OFTEN_VAGUE: Final = "good|bad|poor|proper|nice|decent|suitable"
_WHAT_A_TRACE_HAS: Final = (
    "advice|analysis|answer|argument|context|depth|detail|evidence|explanation|format|grammar|guidance|information"
    "|justification|knowledge|language|level|manner|quality|question|reason|reasoning|response|structure|style|summary"
    "|tone|understanding|use|way"
)
_VAGUE: Final = re.compile(
    rf"\b(?:{_ALWAYS_VAGUE}|(?:{_OFTEN_VAGUE})(?=\s+(?:\w+\s+)?(?:{_WHAT_A_TRACE_HAS})s?\b))\b|\betc(?:[._]|\b)",
    re.IGNORECASE,
)
_VAGUE_LEVEL: Final = re.compile(rf"\b(?:{_ALWAYS_VAGUE}|{_OFTEN_VAGUE})\b|\betc(?:[._]|\b)", re.IGNORECASE)
_INSTRUCTION: Final = re.compile(
    r"\b(?:give|award|assign|deduct|subtract|add|grant|take off|remove|allow|earns?|worth)\b[^.;]{0,30}?"
    r"\b(?:points?|marks|credit|scores?)\b"
    r"|\b(?:full|partial|half|no|extra) (?:marks|credit|points)\b"
    r"|\b[-+]?\d+(?:\.\d+)? (?:points?|marks)\b(?= (?:if|for|when|each|per)\b)"
    r"|\b(?:score|rate|grade|mark|count|treat)\s+(?:it|this|the|an?)\s+(?:criterion|response|answer|trace|item|as)\b"
    r"|\bif (?:yes|no|not|so), (?:it |this )?(?:pass|fail)|^(?:judge|decide) (?:whether|if)\b|\bmark(?:ed)? as\b"
    r"|^(?:score|rate|grade)\b|\bscore (?:of )?\d+\b(?= (?:if|for|when)\b)"
    r"|\bthe (?:judge|grader|evaluator|rater) (?:should|must|may|has to|is to|will)\b",
    re.IGNORECASE,
)
_VERDICT: Final = re.compile(r"\b(?:MET|UNMET|CANNOT_ASSESS)\b")


def remark_on_wording(statement: Statement) -> Iterator[Remark]:
    """Levels of a scale say several things by their nature, and may speak of points; vague they must not be."""
    if statement.what != "level":
        yield from _compound(statement)
        yield from _instruction(statement)
    yield from _vague(statement)


def _vague(statement: Statement) -> Iterator[Remark]:
    """One remark a text. What a trace must say ("explains that …") is its own words, and not the judge's measure."""
    own = _SAID.sub(blank, statement.bare) if statement.what == "criterion" else statement.bare
    found = list((_VAGUE_LEVEL if statement.what == "level" else _VAGUE).finditer(own))
    if found:
        words = ", ".join(dict.fromkeys(repr(statement.said(one)) for one in found))
        to_do = "say what must be there, so that two readers would agree"
        yield _remark("vague-word", found[0], f"{words} {'is' if len(found) == 1 else 'are'} vague", to_do)


def _compound(statement: Statement) -> Iterator[Remark]:
    what, parts = ("claim", "claims") if statement.what == "claim" else ("criterion", "criteria")
    if second := find_second(statement.text, "claim" if statement.what == "claim" else "criterion"):
        told = f"this {what} says several things ({second.sign})"
        to_do = f"split it into {parts} that hold or fail alone"
        yield Remark(rule="compound", start=second.start, end=second.end, what=told, to_do=to_do)


def _instruction(statement: Statement) -> Iterator[Remark]:
    found = _INSTRUCTION.search(statement.bare) or _VERDICT.search(statement.bare)
    if found is not None:
        what = f"{statement.said(found)!r} tells the judge how to score"
        yield _remark(
            "judge-instruction", found, what, "say what is met; points, levels and guidelines say what it counts"
        )


def _remark(rule: str, found: re.Match[str], what: str, to_do: str) -> Remark:
    return Remark(rule=rule, start=found.start(), end=found.end(), what=what, to_do=to_do)
