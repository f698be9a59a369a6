"""What a text shows of an attack by itself, without a judge: that it is given back, or that it hides characters.

A flag changes no score. It says which traces a person should look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from judge.fold import Folded

__all__ = ["Flag", "flags_of", "share_given_back"]

Flag: TypeAlias = Literal["echo", "hidden_characters"]
_RUN: Final = 5
"""Words in a row that are compared: as many are seldom the same by chance."""
_GIVEN_BACK: Final = 0.8
_WORD: Final = re.compile(r"\w+")
_TAG: Final = re.compile(r"</?\w+>")
_HIDDEN: Final = re.compile(
    r"[A-Za-z][\u200b-\u200d\u2060\ufeff\u00ad]+[A-Za-z ]"  # emoji and Indic scripts need some of these
    r"|[\u202a-\u202e\u2066-\u2069]"
    r"|[\U000e0020-\U000e007f]{8}"  # shorter runs are in flags of regions
    r"|[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]"
)


def flags_of(trace: str, sources: Iterable[str]) -> tuple[Flag, ...]:
    """What can be told of a trace.

    Args:
        trace: As it is.
        sources: What it could give back: question, context, options, rubric, reference.
    """
    found: list[Flag] = []
    if share_given_back(trace, sources) >= _GIVEN_BACK:
        found.append("echo")
    if _HIDDEN.search(trace):
        found.append("hidden_characters")
    return tuple(found)


def share_given_back(trace: str, sources: Iterable[str]) -> float:
    """The share of a trace's runs of five words that are in the sources, in [0, 1].

    Of a trace of fewer words 1 where it is all of a source, else 0: a short answer is in the question as often as not.
    """
    words, told = _words(_TAG.sub(" ", trace)), [_words(source) for source in sources]
    said = _runs(words)
    if not said:
        return float(bool(words) and words in told)
    known = {run for source in told for run in _runs(source)}
    return sum(run in known for run in said) / len(said)


def _words(text: str) -> list[str]:
    return _WORD.findall(Folded(text).text)


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
