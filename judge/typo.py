"""Two words -> whether one is the other misspelt, as an honest copier misspells it.

Few and long words only: in short ones a single letter makes another word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = [
    "FREE_TYPO_LETTERS",
    "TYPO_LETTERS",
    "TYPO_PREFIX",
    "TYPO_SHARE",
    "TYPO_WORDS",
    "same_words",
    "typos_allowed",
]

TYPO_WORDS: Final = 8
"""A near quote of fewer words may have no misspelt word at all."""

TYPO_SHARE: Final = 0.1
"""Share of a near quote's words that may be misspelt (at least one word from `TYPO_WORDS` words on)."""

TYPO_LETTERS: Final = 6
"""A word this long may lack or gain a vowel, one of two like letters, or its last letter (tumour, tumor)."""

FREE_TYPO_LETTERS: Final = 10
"""A word this long may lack, gain or replace any one letter, or swap two neighbours. In shorter ones that
makes other words: started and stated, neural and neutral, nitrate and nitrite."""

TYPO_PREFIX: Final = 3
"""Letters at the start of a word that no typo may touch: there sit a-, un-, ab-, ad-, in-, ex-."""

# Words that these rules would take for one another, and that mean different things.
_LOOKALIKES: Final = frozenset(
    frozenset(pair.split())
    for pair in (
        "patient patent",
        "cystine cysteine",
        "though thought",
        "construction constriction",
        "constructed constricted",
        "contacting contracting",
        "medication meditation",
        "preventing presenting",
    )
)


def typos_allowed(words: int) -> int:
    """Misspelt words that a quote of so many words may have."""
    return max(1, int(words * TYPO_SHARE)) if words >= TYPO_WORDS else 0


def same_words(quoted: Sequence[str], said: Sequence[str]) -> bool:
    """Whether a quote has the words that were said, in order; both are folded and of one length."""
    different = [pair for pair in zip(quoted, said, strict=True) if pair[0] != pair[1]]
    return len(different) <= typos_allowed(len(quoted)) and all(_is_typo(*pair) for pair in different)


def _is_typo(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) < TYPO_LETTERS or short[:TYPO_PREFIX] != long[:TYPO_PREFIX] or not short[0].isalpha():
        return False
    return {one, other} not in _LOOKALIKES and _one_edit(short, long)


def _one_edit(short: str, long: str) -> bool:
    pairs = enumerate(zip(short, long, strict=False))
    at = next((at for at, (left, right) in pairs if left != right), len(short))
    free = len(long) >= FREE_TYPO_LETTERS
    if len(short) < len(long):
        slight = free or long[at] in "aeiouy" or long[at] == long[at - 1] or at == len(short)
        return slight and short[at:] == long[at + 1 :]
    replaced = short[at + 1 :] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return free and (replaced or swapped)
