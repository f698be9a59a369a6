"""A statement -> the sign that it says two things, so that one half may hold and the other not.

Patterns, not a reader: docs/rubrics.md has what they find in statements that physicians wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from judge.bare import bare, blank

__all__ = ["Second", "find_second"]

_What: TypeAlias = Literal["criterion", "claim"]


class Second(NamedTuple):
    """Where a statement goes on to say a second thing, and the sign of it in words."""

    start: int
    end: int
    sign: str


# Verbs that a criterion begins with, and those that claims are made of. A verb after "and" is a second thing that is
# said; a noun there ("signs and symptoms") is mostly part of the first one.
_ASKING: Final = """
    acknowledge address advise advocate apologize ask assess assert attempt attribute calculate cite clarify
    classify communicate compare conclude confirm consider correct define describe determine diagnose differentiate
    discourage discuss distinguish emphasize encourage enumerate evaluate exclude explain express give highlight
    identify include indicate inform instruct interpret inquire interrogate introduce investigate justify make
    mention present prioritize propose provide recognize recommend refer remind say seek specify suggest summarize
    supply tell urge verify warn write
"""
_ASKING_NOUNS: Final = """
    answer caution detail direct list name note offer order outline question report request rule show state stress
    use
"""
_CLAIMING: Final = """
    affect arise block bind cause contain decrease develop enhance improve increase induce inhibit interact involve
    lead lower need occur prevent produce promote raise reduce require result reveal stimulate suppress treat worsen
"""
_CLAIMING_NOUNS: Final = "contact help"
_OBJECT: Final = r"(?=\s+(?:the|an?|that|whether|how|why|what|it|its|their|your|any|all|each|at|to|with|one|two)\b)"
_AUXILIARY: Final = r"is|are|was|were|has|have|had|can|cannot|may|might|must|should|will|would|does|do|did|[a-z]+n['’]t"


def _verbs(stems: str) -> str:
    forms = (
        rf"{stem[:-1]}(?:y|ies)" if re.search("[^aeiou]y$", stem) else f"{stem}(?:es|s)?" for stem in stems.split()
    )
    return f"(?:{'|'.join(forms)})"


_VERB: Final[Mapping[_What, str]] = {
    "criterion": rf"(?:{_verbs(_ASKING)}|(?:does|do|did|should|must)(?: not|n['’]t)|{_verbs(_ASKING_NOUNS)}{_OBJECT})",
    "claim": rf"(?:{_AUXILIARY}|{_verbs(_CLAIMING)}|{_verbs(_CLAIMING_NOUNS)}{_OBJECT})",
}
# "Clearly and urgently warns" says one thing, "warns and urgently asks" two.
_JOINED: Final = (
    r"(?:,\s*)?\b(?:and/or|and|or|as well as|but)\s+(?:(?:also|then|it|they)\s+|(?<!ly and )[a-z]+ly\s+){0,2}"
)
_SECOND_VERB: Final = {
    what: re.compile(rf"{_JOINED}{verb}\b(?!\s+(?:of|to be)\b)", re.IGNORECASE) for what, verb in _VERB.items()
}
_DETERMINER: Final = "the|an?|it|this|these|they|there|its|their"
_OWN_SUBJECT: Final = re.compile(
    rf"\b{_VERB['claim']}\b[^.;]*?(?P<second>\b(?:and|but|while|whereas)\s+(?:that\b|(?:{_DETERMINER})\s+"
    rf"(?:[\w'-]+\s+){{0,4}}?{_VERB['claim']}\b))",
    re.IGNORECASE,
)
_LIST_OF_ALL: Final = re.compile(r"[^\s,;:][^,;:.]{1,60},\s[^,;:.]{2,60},\s(?:and|as well as)\s(?=\w)")
_SENTENCE: Final = re.compile(r"[.!?]['\")\]]*\s+(?=[A-Z0-9])(?!For (?:example|instance)\b|E_g_|Such as\b)")
_SEMICOLON: Final = re.compile(r";\s")
_WHOLE: Final = re.compile(r"\b(?:combination|symptoms?|signs?|triad|presence|history) of\b[^.;]*", re.IGNORECASE)
_EXAMPLES: Final = re.compile(
    r"\b(?:such as|including|includes?|like|e_g_|i_e_|for example|for instance)\b.*", re.IGNORECASE
)
_CONDITION: Final = re.compile(r"\b(?:if|when|unless|whether|in case)\b.*", re.IGNORECASE | re.DOTALL)


def find_second(text: str, what: _What) -> Second | None:
    """The first sign that a statement says two things; None where there is none.

    >>> find_second("Names the fever and recommends rest.", "criterion")
    Second(start=16, end=30, sign='a second verb')
    >>> find_second("Names the signs and symptoms of sepsis.", "criterion") is None
    True
    """
    return next(_signs(bare(text), what), None)


def _signs(own: str, what: _What) -> Iterator[Second]:
    told = _EXAMPLES.sub(blank, own)
    if found := _SENTENCE.search(own.rstrip()):
        yield Second(*found.span(), "several sentences")
    if found := _SEMICOLON.search(own):
        yield Second(*found.span(), "two statements with a semicolon between them")
    if found := _SECOND_VERB[what].search(told):
        yield Second(*found.span(), "a second verb")
    if found := _OWN_SUBJECT.search(told):
        yield Second(*found.span("second"), "a second statement")
    if found := _LIST_OF_ALL.search(_CONDITION.sub("", _WHOLE.sub(blank, told))):
        yield Second(*found.span(), "a list of which all is asked")
