"""A text -> the same text as it is compared: case, white space, Unicode forms, quote marks and dashes folded.

Every character of the folded text knows the character that it comes from, so that what is found in the one has its
place in the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Final

__all__ = ["Folded"]

_BLANKS: Final = re.compile("  +")
_QUOTE_MARKS: Final = frozenset("\"'`\u00b4\u201a\u201e\u2032\u2033")


class Folded:
    """A text in its folded form; built when it is first asked for.

    Args:
        text: Any text, any length.
    """

    def __init__(self, text: str) -> None:
        self._given = text

    @cached_property
    def _flat(self) -> str:
        return self._given.translate(_FOLDS)

    @cached_property
    def text(self) -> str:
        """The folded text; runs of blanks are one blank."""
        return _BLANKS.sub(" ", self._flat)

    @cached_property
    def origins(self) -> Sequence[int]:
        """For each code point of the folded text the index in the given text that it comes from; ascending."""
        spread, last = _spread(self._given), 0
        if len(spread) == len(self.text):
            return spread
        kept: list[int] = []
        for run in _BLANKS.finditer(self._flat):
            kept += spread[last : run.start() + 1]
            last = run.end()
        return [*kept, *spread[last:]]


class _Folds(dict[int, str]):
    """Code point -> its folded text, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


_FOLDS: Final = _Folds()


def _fold_character(char: str) -> str:
    """Decomposed, not composed: then a character folds alone, and `é` still equals `e` + accent."""
    category = unicodedata.category(char)
    if char.isspace():
        return " "
    if category == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if category == "Pd" or char in "\u2212\u2043":
        return "-"
    if category in ("Pi", "Pf") or char in _QUOTE_MARKS:
        return "'"
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", char).casefold())


def _spread(text: str) -> Sequence[int]:
    """Before blanks are joined. Few texts hold a character that does not fold to exactly one."""
    if all(len(_FOLDS[ord(char)]) == 1 for char in set(text)):
        return range(len(text))
    return [at for at, char in enumerate(text) for _ in _FOLDS[ord(char)]]
