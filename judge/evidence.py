"""quote x trace -> Span: where in the trace does the judge's quote stand, if anywhere.

The judge names its evidence by quoting; code finds the quote. Three looks, strictest first:

    exact       the quote as it is
    normalised  case, white space, Unicode forms, quote marks, dashes and invisible characters aside
    near        the same words in the same order, punctuation and markdown aside, and few long words misspelt

An honest copy passes, a fabrication does not: a word swapped, a number changed, a "not" dropped, words
reordered or two distant passages stitched together are never found, as every look wants one contiguous run
of the trace.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice, pairwise
from typing import Final, Literal

from msgspec import Struct

from judge.fold import Folded
from judge.typo import same_words, typos_allowed

__all__ = ["FREE_CHARACTERS", "MAX_WINDOWS", "Found", "Span", "TraceText"]

Found = Literal["exact", "normalised", "near"]

FREE_CHARACTERS: Final = 12
"""A trimmed quote shorter than this stands between word boundaries, has a content word, and is never matched near."""

MAX_WINDOWS: Final = 500
"""Places of the trace that a near quote is tried at; only a repetitive trace has more."""

# Scripts written without spaces between words: a boundary cannot be asked for there. Hangul is with them
# because its particles are glued to the noun.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Accents and vowel signs belong to their letter, but `\w` leaves them out.
_MARKS: Final = "\u3099\u309a" + "".join(
    chr(code) for code in range(0x300, 0x1100) if unicodedata.category(chr(code)).startswith("M")
)
_LETTER: Final = rf"[^\W\d_{_UNSPACED}][{_MARKS}]*"
# Signs that turn a sentence around are words: `K > 5` is not `K < 5`, `ER-/PR+` is not `ER+/PR+`.
_SIGNS: Final = "<>=+%/\u00b1\u2264\u2265\u2190-\u2193\u2713-\u2718\u2705\u274c"

_WORD: Final = re.compile(
    rf"(?<![^\W_])\.\d+|\d+(?:[.,]\d+)*|(?:{_LETTER})+|[{_UNSPACED}][{_MARKS}]*|[{_SIGNS}][{_MARKS}]*"
    r"|(?<![^\W_])-(?=[\d.])|(?<=[^\W_])-(?![\s\w'-])"
)
_SAYS_SOMETHING: Final = re.compile(r"[^\W_]")
# They stand in every English text, so that quoting them shows nothing. Of contractions, both parts.
_FUNCTIONS: Final = """
    a about all also am an and any are as at be been being both but by can cannot could did do does doing each either
    else ever every for from had has have having he her here hers him his how however i if in into is it its just may me
    might more most much must my neither never no nor not of off on onto or other our ours out over own shall she should
    since so some such than that the their theirs them then there therefore these they this those though through thus to
    too under until up upon us very via was we were what when where whether which while who whom whose why will with
    within without would yet you your yours
    aren couldn d didn doesn don hadn hasn haven isn ll m re s shouldn t ve wasn weren won wouldn
"""
_FUNCTION_WORDS: Final = frozenset(_FUNCTIONS.split())
# Of these, what is an option or an abbreviation in capitals: a leukaemia, a stenosis, an odds ratio, an ultrasound.
_CAPITALS: Final = frozenset(re.findall(r"\w+", "ALL AM AN AS AT BE D DO HE IF IT M ME OR RE S SO T US WHO"))
_WORD_PART: Final = rf"(?:[^\W_{_UNSPACED}]|[{_MARKS}])"
# What a boundary parts, looked for at the boundary: a number, and what is written as one word.
_NUMBER_CUT: Final = r"(?<=\d)(?=[.,]?\d)|(?<=\d[.,])(?=\d)"
_CUTS_NUMBER: Final = re.compile(_NUMBER_CUT)
_CUTS: Final = re.compile(rf"{_NUMBER_CUT}|(?<={_WORD_PART})(?={_WORD_PART})")
_EDGES: Final = " '*_"


class Span(Struct, frozen=True, kw_only=True, gc=False):
    """Where a quote stands in the trace.

    Attributes:
        start: first code point, 0-based, in the trace as it was given (never in its normalised form).
        end: one past the last code point: `0 <= start < end <= len(trace)`.
        found: by which look.
    """

    start: int
    end: int
    found: Found


class TraceText:
    """A trace, made ready once for many quotes; the costlier forms are built when a quote first needs them.

    Args:
        text: the joined trace text, any length.

    Examples:
        >>> trace = TraceText("The heart is **enlarged**; no effusion.")
        >>> trace.find("heart is enlarged")
        Span(start=4, end=23, found='near')
        >>> trace.find("heart is not enlarged") is None
        True
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._fold = Folded(text)

    def find(self, quote: str) -> Span | None:
        """Find the first place where the trace says what the quote says.

        A quote may end inside a word, but it neither begins inside one nor cuts a number: `symptomatic` out
        of `asymptomatic` and `5 mg` out of `15 mg` are substrings and say something else.

        A short quote (below `FREE_CHARACTERS`) needs a number or a word that is no English function word: `the`
        stands everywhere and is evidence of nothing; `12 mg`, `MI` and the option `B` are. It may be of function
        words only where the trace says nothing else: `A` of a trace that is `A`.

        Args:
            quote: what the judge sent as evidence, any length.

        Returns:
            The span by the strictest look that finds it; None when no look does, and for a quote without any
            letter or digit.
        """
        if not _SAYS_SOMETHING.search(quote):
            return None
        return self._find_exact(quote) or self._find_normalised(quote)

    def _find_exact(self, quote: str) -> Span | None:
        free = len(quote) >= FREE_CHARACTERS and len(quote.strip(_EDGES)) >= FREE_CHARACTERS
        for start in _occurrences(self.text, quote, free=free):
            end = start + len(quote)
            if self._stands(start, end, free=free):
                return Span(start=start, end=end, found="exact")
        return None

    def _find_normalised(self, quote: str) -> Span | None:
        trimmed = _trim(quote)
        free = len(trimmed) >= FREE_CHARACTERS
        for first in _occurrences(self._fold.text, trimmed, free=free):
            start, end = self._unfold(first, first + len(trimmed))
            if not self._splits_character(first, first + len(trimmed)) and self._stands(start, end, free=free):
                return Span(start=start, end=end, found="normalised")
        return self._find_near(trimmed) if free else None

    def _find_near(self, trimmed: str) -> Span | None:
        quoted = _WORD.findall(trimmed)
        for first in self._windows(quoted):
            if same_words(quoted, self._words[first : first + len(quoted)]):
                opening, closing = self._matches[first], self._matches[first + len(quoted) - 1]
                start, end = self._unfold(opening.start(), closing.end())
                return Span(start=start, end=end, found="near")
        return None

    def _windows(self, quoted: Sequence[str]) -> list[int]:
        """Word indices at which the quote may begin, ascending.

        With at most t misspelt words, one of t + 1 equal blocks of the quote stands in the trace as it is.
        """
        blocks = typos_allowed(len(quoted)) + 1
        edges = [block * len(quoted) // blocks for block in range(blocks + 1)]
        starts = (self._starts(quoted, low, high) for low, high in pairwise(edges))
        last = len(self._words) - len(quoted)
        return sorted({first for first in islice(chain.from_iterable(starts), MAX_WINDOWS) if 0 <= first <= last})

    def _starts(self, quoted: Sequence[str], low: int, high: int) -> Iterator[int]:
        block, words, counted = _spaced(quoted[low:high]), 0, 0
        at = self._spaced.find(block)
        while at >= 0:
            words, counted = words + self._spaced.count(" ", counted, at), at
            yield words - low
            at = self._spaced.find(block, at + 1)

    def _stands(self, start: int, end: int, *, free: bool) -> bool:
        """Whether it is no part of another word or number and, where it is short, says something by itself."""
        if not free and not _has_content(self.text[start:end]) and not self._is_all(start, end):
            return False
        return not _cut(self.text, start, _CUTS) and not _cut(self.text, end, _CUTS_NUMBER if free else _CUTS)

    def _is_all(self, start: int, end: int) -> bool:
        """Whether the trace has no letter or digit before or after it."""
        return not _SAYS_SOMETHING.search(self.text, 0, start) and not _SAYS_SOMETHING.search(self.text, end)

    def _splits_character(self, first: int, last: int) -> bool:
        """One character may fold into several (`각`, `½`): half of it is not what the trace says."""
        origins = self._fold.origins
        return (first > 0 and origins[first - 1] == origins[first]) or (
            last < len(origins) and origins[last - 1] == origins[last]
        )

    def _unfold(self, first: int, last: int) -> tuple[int, int]:
        return self._fold.origins[first], self._fold.origins[last - 1] + 1

    @cached_property
    def _matches(self) -> list[re.Match[str]]:
        return list(_WORD.finditer(self._fold.text))

    @cached_property
    def _words(self) -> list[str]:
        return [match[0] for match in self._matches]

    @cached_property
    def _spaced(self) -> str:
        return _spaced(self._words)


def _trim(quote: str) -> str:
    """Folded, without the quote marks, emphasis and ellipses around it; a leading `.5` keeps its point."""
    folded = Folded(quote).text
    core = folded.strip(_EDGES).removeprefix("...").lstrip(_EDGES)
    return core.rstrip(_EDGES + ".")


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


def _occurrences(text: str, piece: str, *, free: bool) -> Iterator[int]:
    """Long pieces that overlap themselves stand at very many places; short ones are cheap to try.

    One of function words, in capitals too, can only be the whole of a trace: then it is its first place.
    """
    left = MAX_WINDOWS if free else len(text) if _has_content(piece.upper()) else 1
    at = text.find(piece)
    while at >= 0 and left > 0:
        yield at
        at, left = text.find(piece, at + 1), left - 1


def _has_content(passage: str) -> bool:
    words = filter(_SAYS_SOMETHING.match, _WORD.findall(passage))
    return any(word in _CAPITALS or word.casefold() not in _FUNCTION_WORDS for word in words)


def _cut(text: str, at: int, cuts: re.Pattern[str]) -> bool:
    """Whether a boundary there parts what belongs together; it never does next to a blank or at an end."""
    return 0 < at < len(text) and text[at - 1] != " " and cuts.match(text, at) is not None
