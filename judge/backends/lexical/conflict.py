"""A claim × a sentence that raises it -> where the two contradict each other.

Five kinds, each a list of what stands against what:

    negation      "does not improve sleep"         against "improves sleep"
    opposite      "left kidney", "hyperkalemia"    against "right kidney", "hypokalemia"
    number        "5 mg"                           against "10 mg"
    substitution  "was diagnosed with asthma"      against "was diagnosed with bronchitis"

A word alone is no conflict: an opposite counts only where both stand near the same term, a number only before the same
unit, a substitution only behind or before the same four words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from judge.backends.lexical.opposites import NEGATIONS, SCOPE_ENDS, SIDES
from judge.backends.lexical.text import Word, is_content, read_words
from judge.backends.lexical.vocabulary import LIGHT_WORDS

SCOPE = 5  # words that a negation reaches
NEAR = 4  # words around an opposite in which its subject is looked for
FRAME = 4  # words that a substitution shares with the claim on one side
FLIPPED = 0.25  # share of the shared terms that must stand negated in one text only
STEM = 6  # letters that a word needs before a prefix makes it another: "in" + "dex" is no contrary
PREFIXES = ("un", "in", "im", "ir", "non", "dis", "a")


Frames = dict[tuple[str, ...], Word]  # the terms of `FRAME` words in a row -> the word next to them
Kind = Literal["opposite", "negation", "number", "substitution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A word that takes a side in an opposition: which, how (+1 or -1, negation counted in), near which terms."""

    opposition: int
    sign: int
    term: str
    form: str
    near: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What a text commits itself to: terms, those negated, marks, numbers by unit, and what stands in which frame."""

    terms: frozenset[str]
    negated: frozenset[str]
    marks: tuple[Mark, ...]
    numbers: dict[str, frozenset[str]]
    behind: Frames
    before: Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two words or phrases that stand against each other: the claim's and the trace's."""

    kind: Kind
    claim: str
    trace: str


@lru_cache(maxsize=4_096)
def read_stance(text: str) -> Stance:
    """Return what a claim or a sentence commits itself to."""
    words = tuple(read_words(text))
    negated = _negated(words, text)
    return Stance(
        terms=frozenset(word.term for word in words if is_content(word)),
        negated=frozenset(words[at].term for at in negated if is_content(words[at])),
        marks=tuple(_marks(words, negated)),
        numbers=_numbers(words),
        behind=dict(_framed(words)),
        before=dict(_framed(words[::-1])),
    )


def find_conflicts(claim: Stance, sentence: Stance) -> list[Conflict]:
    """Return where a sentence contradicts a claim, surest kind first; empty where it does not."""
    return [
        *_opposites(claim, sentence),
        *_contraries(claim, sentence),
        *_negations(claim, sentence),
        *_other_numbers(claim, sentence),
        *_substitutions(claim, sentence),
    ]


def _negated(words: Sequence[Word], text: str) -> frozenset[int]:
    """Return the places of the words that stand in the scope of a negation."""
    reached: set[int] = set()
    for at, word in enumerate(words):
        if word.form not in NEGATIONS and not word.form.endswith(("n't", "n’t")):
            continue
        if words[at + 1 : at + 2] and words[at + 1].form == "only":
            continue
        for place in range(at + 1, min(at + 1 + SCOPE, len(words))):
            between = text[words[place - 1].end : words[place].start]
            if words[place].form in SCOPE_ENDS or any(stop in between for stop in ".,;:("):
                break
            reached ^= {place}
    return frozenset(reached)


def _marks(words: Sequence[Word], negated: frozenset[int]) -> Iterator[Mark]:
    for at, word in enumerate(words):
        for opposition, sign in SIDES.get(word.term, ()):
            around = (*words[max(0, at - NEAR) : at], *words[at + 1 : at + 1 + NEAR])
            near = frozenset(other.term for other in around if is_content(other))
            yield Mark(
                opposition=opposition, sign=-sign if at in negated else sign, term=word.term, form=word.form, near=near
            )


def _numbers(words: Sequence[Word]) -> dict[str, frozenset[str]]:
    numbers: dict[str, set[str]] = {}
    for word, unit in pairwise(words):
        if word.term[0].isdigit() and is_content(unit) and not unit.term[0].isdigit():
            numbers.setdefault(unit.term, set()).add(word.term)
    return {unit: frozenset(values) for unit, values in numbers.items()}


def _opposites(claim: Stance, sentence: Stance) -> Iterator[Conflict]:
    for mark in claim.marks:
        theirs = [other for other in sentence.marks if other.opposition == mark.opposition and other.near & mark.near]
        # The same word negated is the business of `_negations`.
        if theirs and all(other.sign != mark.sign and other.term != mark.term for other in theirs):
            yield Conflict(kind="opposite", claim=mark.form, trace=theirs[0].form)


def _contraries(claim: Stance, sentence: Stance) -> Iterator[Conflict]:
    for term in claim.terms - sentence.terms:
        for other in contraries_of(term) & sentence.terms - claim.terms:
            yield Conflict(kind="opposite", claim=term, trace=other)


@lru_cache(maxsize=16_384)
def contraries_of(term: str) -> frozenset[str]:
    """Return the terms that a prefix makes the contrary of this one: hyper against hypo, un-, in-, non-."""
    if term.startswith("hyper"):
        return frozenset({"hypo" + term[5:]})
    if term.startswith("hypo"):
        return frozenset({"hyper" + term[4:]})
    if len(term) < STEM or not term.isalpha():
        return frozenset()
    bare = {term.removeprefix(prefix) for prefix in PREFIXES if len(term) - len(prefix) >= STEM}
    return frozenset({prefix + term for prefix in PREFIXES} | bare) - {term}


def _negations(claim: Stance, sentence: Stance) -> Iterator[Conflict]:
    shared = claim.terms & sentence.terms
    flipped = (claim.negated ^ sentence.negated) & shared
    if flipped and len(flipped) >= FLIPPED * len(shared):
        word = min(flipped)
        ours, theirs = ("not " * (word in stance.negated) + word for stance in (claim, sentence))
        yield Conflict(kind="negation", claim=ours, trace=theirs)


def _other_numbers(claim: Stance, sentence: Stance) -> Iterator[Conflict]:
    for unit, values in claim.numbers.items():
        theirs = sentence.numbers.get(unit)
        if theirs and not values & sentence.terms:
            yield Conflict(kind="number", claim=f"{min(values)} {unit}", trace=f"{min(theirs)} {unit}")


def _substitutions(claim: Stance, sentence: Stance) -> Iterator[Conflict]:
    """Yield a word of the claim in whose place, behind or before the same words, the sentence has another."""
    for ours, theirs in ((claim.behind, sentence.behind), (claim.before, sentence.before)):
        for frame, word in ours.items():
            other = theirs.get(frame)
            if other and _strange(word, sentence) and _strange(other, claim):
                yield Conflict(kind="substitution", claim=word.form, trace=other.form)


def _framed(words: Sequence[Word]) -> Iterator[tuple[tuple[str, ...], Word]]:
    """Yield every word behind `FRAME` others of which one at least is a content word."""
    for at in range(len(words) - FRAME):
        frame = words[at : at + FRAME]
        if any(map(is_content, frame)):
            yield tuple(word.term for word in frame), words[at + FRAME]


def _strange(word: Word, stance: Stance) -> bool:
    """Tell whether a word says something that the other text does not: a commonplace one is often a paraphrase."""
    return is_content(word) and word.term not in stance.terms and word.term not in LIGHT_WORDS
