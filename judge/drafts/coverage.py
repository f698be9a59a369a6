"""A reference × the passages that units quote -> Coverage: what of the reference no unit comes from.

Tags and the final answer are no reasoning: they count on neither side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Coverage", "Passage", "cover", "sentences"]

Passage = tuple[int, int]
"""Half-open code points of the reference."""

_NO_REASONING = re.compile(r"</?think>|<answer>.*?</answer>", re.DOTALL | re.IGNORECASE)
_ABBREVIATIONS = ("vs", "Dr", "Fig", "ca", "approx", r"e\.g", r"i\.e")
_NOT_AFTER = "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS)
_ENDS = re.compile(rf"(?<=[.!?]){_NOT_AFTER}\s+(?![a-z])|(?<=[.!?][\"'”’)\]])\s+(?![a-z])|\s*\n\s*|(?<=[。！？])")
_SAYS_SOMETHING = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of one reference, or of several, is quoted.

    Attributes:
        sentences: All that have a letter; `covered` of them are quoted, in part at least.
        characters: Letters and digits in them; `quoted` of them stand in a quote.
        uncovered: The sentences that no quote touches, as they are written.
    """

    sentences: int = 0
    covered: int = 0
    characters: int = 0
    quoted: int = 0
    uncovered: tuple[str, ...] = ()

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            sentences=self.sentences + other.sentences,
            covered=self.covered + other.covered,
            characters=self.characters + other.characters,
            quoted=self.quoted + other.quoted,
            uncovered=self.uncovered + other.uncovered,
        )


def cover(reference: str, quoted: Iterable[Passage]) -> Coverage:
    """Count what is quoted of a reference.

    Args:
        reference: Its reasoning, verbatim.
        quoted: Passages of it, which may overlap.
    """
    marked = bytearray(len(reference))
    for start, end in quoted:
        marked[start:end] = b"\1" * (end - start)
    total = Coverage()
    for start, end in sentences(reference):
        said = [at for at in range(start, end) if reference[at].isalnum()]
        inside = sum(marked[at] for at in said)
        left = () if inside else (reference[start:end],)
        total += Coverage(sentences=1, covered=inside > 0, characters=len(said), quoted=inside, uncovered=left)
    return total


def sentences(reference: str) -> Iterator[Passage]:
    """Where the sentences of a reference stand, in order; lines end them too."""
    for first, last in _between(_NO_REASONING, reference, 0, len(reference)):
        for start, end in _between(_ENDS, reference, first, last):
            if _SAYS_SOMETHING.search(reference, start, end):
                text = reference[start:end]
                yield start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def _between(cuts: re.Pattern[str], text: str, first: int, last: int) -> Iterator[Passage]:
    """What stands between the matches of a pattern in a part of a text."""
    edges = [edge for cut in cuts.finditer(text, first, last) for edge in cut.span()]
    bounds = [first, *edges, last]
    yield from (pair for index, pair in enumerate(pairwise(bounds)) if index % 2 == 0)
