"""A statement -> remarks: it asks two things, is vague, or tells the judge how to score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from judge.lint.finding import Remark
from judge.lint.statement import Statement

__all__ = ["remark_on_wording"]

# Verbs that a criterion begins with, and those that claims are made of. A verb after "and" is a second thing that is
# asked; a noun there ("signs and symptoms") is mostly part of the first one.
_ASKING: Final = """
    acknowledge address advise advocate apologize ask assess assert attempt attribute calculate cite clarify
    classify communicate compare conclude confirm consider correct define describe determine diagnose differentiate
    discourage discuss distinguish emphasize encourage enumerate evaluate exclude explain express give highlight
    identify include indicate inform instruct interpret inquire interrogate introduce investigate justify make
    mention present prioritize propose provide recognize recommend refer remind say seek specify suggest summarize
    supply tell urge verify warn write
"""
_NOUNS_TOO: Final = """
    answer caution detail direct list name note offer order outline question report request rule show state stress
    use
"""
_OBJECT: Final = "(?:the|an?|that|whether|how|why|what|it|its|their|any|all|each|at|one|two)"
_CLAIMING: Final = """
    affect arise block bind cause contain decrease develop enhance improve increase induce inhibit involve lead lower
    need occur prevent produce promote raise reduce require result reveal stimulate suppress treat worsen
"""
_AUXILIARIES: Final = "is|are|was|were|has|have|had|can|cannot|may|might|must|should|will|would|does|do|did"
_SECOND: Final = (
    r"(?:,\s*)?\b(?:and/or|and|or|as well as|but)\s+(?:(?:also|then|it|they|clearly|explicitly|correctly)\s+){0,2}"
)
_LIST_OF_ALL: Final = re.compile(r"[^\s,;:][^,;:.]{1,60},\s[^,;:.]{2,60},\s(?:and|as well as)\s(?=\w)")
_SENTENCE: Final = re.compile(r"[.!?]['\")\]]*\s+(?=[A-Z0-9])(?!For (?:example|instance)\b|E_g_|Such as\b)")
_WHOLE: Final = re.compile(r"\b(?:combination|symptoms?|signs?|triad|presence|history) of\b[^.;]*", re.IGNORECASE)
_EXAMPLES: Final = re.compile(
    r"\b(?:such as|including|includes?|like|e_g_|i_e_|for example|for instance)\b.*", re.IGNORECASE
)

_CONDITION: Final = re.compile(r"\b(?:if|when|unless|whether|in case)\b.*", re.IGNORECASE | re.DOTALL)
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


def _verb(stem: str) -> str:
    if stem.endswith("y") and stem[-2] not in "aeiou":
        return f"{stem}|{stem[:-1]}ies"
    return rf"{stem}(?:es|s)?"


_FORMS: Final = {
    "criterion": "|".join(
        [
            *map(_verb, _ASKING.split()),
            "(?:does|do|did|should|must) not",
            rf"(?:{'|'.join(map(_verb, _NOUNS_TOO.split()))})(?=\s+{_OBJECT}\b)",
        ]
    ),
    "claim": "|".join([_AUXILIARIES, *map(_verb, _CLAIMING.split())]),
}
_SECOND_VERB: Final = {
    what: re.compile(rf"{_SECOND}(?:{forms})\b(?!\s+(?:of|to be)\b)", re.IGNORECASE) for what, forms in _FORMS.items()
}


def remark_on_wording(statement: Statement) -> Iterator[Remark]:
    """Levels of a scale say several things by their nature, and may speak of points; vague they must not be."""
    if statement.what != "level":
        yield from _compound(statement)
        yield from _instruction(statement)
    yield from _vague(statement)


def _vague(statement: Statement) -> Iterator[Remark]:
    """One remark a text. What a trace must say ("explains that …") is its own words, and not the judge's measure."""
    own = _SAID.sub(_blank, statement.bare) if statement.what == "criterion" else statement.bare
    found = list((_VAGUE_LEVEL if statement.what == "level" else _VAGUE).finditer(own))
    if found:
        words = ", ".join(dict.fromkeys(repr(statement.said(one)) for one in found))
        to_do = "say what must be there, so that two readers would agree"
        yield _remark("vague-word", found[0], f"{words} {'is' if len(found) == 1 else 'are'} vague", to_do)


def _compound(statement: Statement) -> Iterator[Remark]:
    """The first sign only: a text that asks two things is to be split, wherever."""
    bare = statement.bare
    told = _EXAMPLES.sub(_blank, bare)
    signs = {
        "several sentences": _SENTENCE.search(bare.rstrip()),
        "two statements with a semicolon between them": re.search(r";\s", bare),
        "a second verb": _SECOND_VERB["claim" if statement.what == "claim" else "criterion"].search(told),
        "a list of which all is asked": _LIST_OF_ALL.search(_CONDITION.sub("", _WHOLE.sub(_blank, told))),
    }
    for sign, found in signs.items():
        if found is not None:
            parts = "claims" if statement.what == "claim" else "criteria"
            what = f"this {statement.what} says several things ({sign})"
            yield _remark("compound", found, what, f"split it into {parts} that hold or fail alone")
            return


def _instruction(statement: Statement) -> Iterator[Remark]:
    found = _INSTRUCTION.search(statement.bare) or _VERDICT.search(statement.bare)
    if found is not None:
        what = f"{statement.said(found)!r} tells the judge how to score"
        yield _remark(
            "judge-instruction", found, what, "say what is met; points, levels and guidelines say what it counts"
        )


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _remark(rule: str, found: re.Match[str], what: str, to_do: str) -> Remark:
    return Remark(rule=rule, start=found.start(), end=found.end(), what=what, to_do=to_do)
