"""claim × trace -> Finding: an honest opinion from word overlap, good enough to test with.

This is not a judge of medicine. It gives the scripts an answer that is a pure function of (trace, claim), so
that it does not matter how units are grouped into calls, and that quotes the trace word for word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

# A full stop ends a sentence only before white space: "1.8 cm" stays whole. Tags are no part of a sentence.
_BREAK = re.compile(r"\n+|</?\w+>|(?<=[.!?])\s+")
_WORD = re.compile(r"\d+(?:\.\d+)?|\w+")
_NEGATIONS = frozenset(("no", "not", "without", "never", "none", "neither", "nor", "cannot", "absent", "denies"))
_STOP_WORDS = frozenset(("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "in", "is", "it"))
_FUNCTION_WORDS = _NEGATIONS | _STOP_WORDS | {"its", "of", "on", "or", "that", "the", "this", "to", "was", "with"}
_CLEAR, _PARTLY = 0.6, 0.3
_LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a trace says on a claim.

    Args:
        presence: 0 not raised, 1 partly, 2 clearly.
        correctness: -1 wrong, 1 right; None when not raised.
        evidence: An exact substring of the trace; None when not raised.
        overlap: Share of the claim's words in the best sentence, in [0, 1].
    """

    presence: int
    correctness: int | None
    evidence: str | None
    overlap: float


class _Sentence(NamedTuple):
    """A text, all its words, and the stems of those that carry meaning."""

    text: str
    said: frozenset[str]
    stems: frozenset[str]


_SILENCE = _Sentence("", frozenset(), frozenset())


@lru_cache(maxsize=2048)
def find(trace: str, claim: str) -> Finding:
    """Compare a claim with the sentence of the trace that shares most words with it; ties go to the first."""
    wanted = _read(claim)
    best = _closest(trace, wanted)
    share = len(wanted.stems & best.stems) / max(1, len(wanted.stems))
    if share < _PARTLY:
        return Finding(presence=0, correctness=None, evidence=None, overlap=share)
    return Finding(
        presence=2 if share >= _CLEAR else 1,
        correctness=-1 if _contradicts(wanted, best) else 1,
        evidence=best.text[:_LONGEST_QUOTE].rstrip(),
        overlap=share,
    )


def share_said(trace: str, text: str) -> float:
    """The share of a text's words that a trace has, in [0, 1]."""
    wanted = _read(text).stems
    return len(wanted & _read(trace).stems) / max(1, len(wanted))


def closest(trace: str, text: str) -> str | None:
    """The sentence of a trace that shares most words with a text, cut as quotes are; None where none shares any."""
    wanted = _read(text)
    best = _closest(trace, wanted)
    return best.text[:_LONGEST_QUOTE].rstrip() if wanted.stems & best.stems else None


@lru_cache(maxsize=256)
def sentences(trace: str) -> tuple[_Sentence, ...]:
    """The sentences of a trace, each an exact substring of it."""
    return tuple(_read(text) for text in _split(trace))


def _closest(trace: str, wanted: _Sentence) -> _Sentence:
    """Ties go to the first; a trace without a sentence says nothing on anything."""
    return max(sentences(trace), key=lambda said: len(wanted.stems & said.stems), default=_SILENCE)


def _split(trace: str) -> Iterator[str]:
    for piece in _BREAK.split(trace):
        if text := piece.strip():
            yield text


def _read(text: str) -> _Sentence:
    said = frozenset(_WORD.findall(text.casefold()))
    stems = frozenset([word.removesuffix("s") for word in said - _FUNCTION_WORDS])
    return _Sentence(text, said, stems)


def _contradicts(wanted: _Sentence, sentence: _Sentence) -> bool:
    """Negated in one and not in the other, or both with numbers and the claim's not among them."""
    negated = _NEGATIONS.isdisjoint(wanted.said) != _NEGATIONS.isdisjoint(sentence.said)
    numbers = _numbers(sentence)
    return negated or (bool(numbers) and not _numbers(wanted) <= numbers)


def _numbers(sentence: _Sentence) -> set[str]:
    return {word for word in sentence.said if word[0].isdigit()}
