"""A claim × a trace -> how much of the claim the trace raises, and where.

    similarity = (1 − phrase_share) · coverage + phrase_share · phrases

coverage: the weight of the claim's terms that are found, over the weight of all of them. A term counts in full in the
best sentence, `beside_credit` in what is read with it, `trace_credit` elsewhere; a term of which only a relative is
there (`infectious`, `infectivity`) counts by the share of letters that the two begin with. phrases: the share of the
claim's adjacent pairs of terms that stand close together in the best sentence. A word that the question already has
says little about the trace, so it weighs `question_weight` of another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, takewhile

from judge.backends.lexical.parameters import Parameters
from judge.backends.lexical.text import (
    ROOT,
    ReadTrace,
    Sentence,
    Word,
    is_content,
    read_abbreviations,
    read_words,
)
from judge.backends.lexical.vocabulary import LIGHT_WORDS

KINSHIP = 0.6  # share of the longer word that these letters must be
PHRASE_REACH = 3  # content words between which a pair still counts as close together
CANDIDATES = 4  # sentences looked at closely: those with most of the claim in them

Earned = dict[int, list[float]]  # sentence -> the weight that it has of every term of the claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The distinct content terms of a claim in order, and the kind that each weighs by."""

    terms: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How much of a claim a trace raises: similarity in [0, 1], best sentences, terms found.

    `sentences` starts with the best one, then the next best; `similarities` are theirs. Both are empty where nothing
    of the claim is found. `found` of the `asked` terms stand in the best sentence.
    """

    similarity: float
    sentences: tuple[int, ...]
    similarities: tuple[float, ...]
    found: int
    asked: int


@lru_cache(maxsize=4_096)
def read_terms(text: str) -> Terms:
    """Return the content terms of a claim; an abbreviation that it explains itself is left out."""
    explained = read_abbreviations(text)
    words = [word for word in read_words(text) if is_content(word) and word.term not in explained]
    kinds = {word.term: _kind(word) for word in words}
    return Terms(terms=tuple(kinds), kinds=tuple(kinds.values()))


def measure_overlap(claim: str, trace: ReadTrace, parameters: Parameters, *, question: str = "") -> Overlap:
    """Return how much of a claim a trace raises, and the sentences that raise most of it."""
    terms = read_terms(claim)
    weights = weigh(terms, question, parameters)
    earned = _earned(terms.terms, weights, trace)
    if not earned:
        return Overlap(similarity=0.0, sentences=(), similarities=(), found=0, asked=len(weights))
    closest = sorted(earned, key=lambda at: (-sum(earned[at]), at))[:CANDIDATES]
    coverages = _coverages(closest, earned, trace, parameters)
    share, total = parameters.phrase_share, sum(weights)
    similarities = [
        (1 - share) * covered / total + share * phrases_of(terms.terms, trace.sentences[at])
        for at, covered in zip(closest, coverages, strict=True)
    ]
    ranked = sorted(zip(similarities, closest, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return Overlap(
        similarity=min(1.0, ranked[0][0]),
        sentences=tuple(at for _, at in ranked),
        similarities=tuple(similarity for similarity, _ in ranked),
        found=sum(map(bool, earned[ranked[0][1]])),
        asked=len(weights),
    )


def weigh(terms: Terms, question: str, parameters: Parameters) -> list[float]:
    """Return the weight of each term of a claim, by its kind and by whether the question has it."""
    by_kind = {"light": parameters.light_weight, "number": parameters.number_weight, "plain": 1.0}
    asked = read_terms(question).terms if question else ()
    return [
        by_kind[kind] * (parameters.question_weight if term in asked else 1.0)
        for term, kind in zip(terms.terms, terms.kinds, strict=True)
    ]


@lru_cache(maxsize=65_536)
def kinship(one: str, other: str) -> float:
    """Return the share of letters that two terms begin with, of the longer; 0 where that makes no relatives.

    >>> kinship("depress", "depressor"), kinship("hyperkalemia", "hypokalemia")
    (0.7777777777777778, 0.0)
    """
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    share = shared / max(len(one), len(other))
    return share if shared >= ROOT and share >= KINSHIP and one[0].isalpha() else 0.0


def phrases_of(terms: Sequence[str], sentence: Sentence) -> float:
    """Return the share of the claim's adjacent pairs of terms that stand close together in the sentence."""
    places: dict[str, int] = {}
    for at, word in enumerate(filter(is_content, sentence.words)):
        places.setdefault(word.term, at)
    if len(terms) < 2:
        return float(terms[0] in places)
    close = sum(
        abs(places[one] - places[other]) <= PHRASE_REACH
        for one, other in pairwise(terms)
        if one in places and other in places
    )
    return close / (len(terms) - 1)


def _kind(word: Word) -> str:
    if word.term[0].isdigit():
        return "number"
    return "light" if word.term in LIGHT_WORDS else "plain"


def _earned(terms: Sequence[str], weights: Sequence[float], trace: ReadTrace) -> Earned:
    earned: Earned = {}
    for number, (term, weight) in enumerate(zip(terms, weights, strict=True)):
        for relative in trace.roots.get(term[:ROOT], ()):
            credit = weight if relative == term else weight * kinship(term, relative)
            for at in trace.places[relative] if credit else ():
                row = earned.setdefault(at, [0.0] * len(terms))
                row[number] = max(row[number], credit)
    return earned


def _coverages(closest: Sequence[int], earned: Earned, trace: ReadTrace, parameters: Parameters) -> list[float]:
    """Return the weight covered when each of the closest sentences is taken as the best one."""
    anywhere = _highest(earned.values(), parameters.trace_credit)
    coverages = []
    for at in closest:
        rows = [earned[place] for place in trace.besides[at] if place in earned]
        beside = _highest(rows, parameters.beside_credit) if rows else anywhere
        coverages.append(sum(map(max, earned[at], beside, anywhere)))
    return coverages


def _highest(rows: Iterable[Sequence[float]], credit: float) -> list[float]:
    return [max(column) * credit for column in zip(*rows, strict=True)]
