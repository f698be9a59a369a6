"""Claims -> whether two say the same, and what a person should look at in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from judge.fold import Folded
from judge.typo import same_words

__all__ = ["gives_answer", "is_same", "share_words"]

# Signs and decimals stay: `K > 5` is not `K < 5`, and -5 is not 5.
_BREAKS = re.compile(r"[\s;:!?'\"()\[\]*_]+|[.,](?!\d)|-(?!\d)")
_ARTICLES_AND_BE = "a an the is are was were be been being of that which there"
_FREE = frozenset(_ARTICLES_AND_BE.split())
"""Words that two wordings of one claim may or may not have. `not`, `left` and prepositions are none of them."""
_ALIKE = 0.75
_ANNOUNCED = r"(?i:\b(?:option|answer|choice|letter|alternative)s?\b(?:\s+(?:is|was|be|letter|option))*)\W{0,3}"


def is_same(one: str, other: str) -> bool:
    """Whether two claims have the same words in the same order; articles, forms of "be" and misspellings aside.

    The order counts: "A causes B" has the words of "B causes A".
    """
    mine, theirs = _words(one), _words(other)
    return len(mine) == len(theirs) and bool(mine) and same_words(mine, theirs)


def share_words(one: str, other: str) -> bool:
    """Whether two claims share three quarters of their words: nearly the same, or one word apart (left, right)."""
    mine, theirs = set(_words(one)), set(_words(other))
    return bool(mine | theirs) and len(mine & theirs) / len(mine | theirs) >= _ALIKE


def gives_answer(text: str, answer: str | None) -> bool:
    """Whether a text names the letter of the right option.

    Only after a word that announces it, or in brackets: vitamin C and hepatitis B are no options.
    """
    letter = (answer or "").strip().strip("().")
    if not re.fullmatch(r"[A-Za-z]", letter):
        return False
    return re.search(rf"{_ANNOUNCED}{letter.upper()}\b|\({letter.upper()}\)", text) is not None


def _words(claim: str) -> list[str]:
    return [word for word in _split(claim) if word not in _FREE]


def _split(claim: str) -> Iterator[str]:
    return filter(None, _BREAKS.split(Folded(claim).text))
