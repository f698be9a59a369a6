"""A text -> its sentences and its words: offsets, stems, numbers, abbreviations.

    'Magnetic resonance imaging (MRI) shows 2,200 mL.'
    -> magnet reson imag mri show 2200 ml       and   mri <-> magnet reson imag

Everything downstream (overlap, conflict) compares what this file calls a *term*: the stem of a word, or the plain
digits of a number. Every regular expression here is linear in the length of the text: none has two repeats that can
match the same character, and the one repeat after a look-behind can start only once in a run.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from snowballstemmer.english_stemmer import EnglishStemmer

from judge.backends.lexical.vocabulary import EXPANSIONS, NUMBER_WORDS, SAME_WORD, STOP_WORDS, TITLES

MAX_SENTENCE = 400  # code points; a longer one is cut at a word, so that evidence stays a quote one can read

ROOT = 4  # letters that two related words share at least
MAX_LIST = 20  # entries; of a longer list an entry is read with its neighbours only
MAX_WORD = 40  # a longer run of letters is no word; a cap keeps the stemmer and its cache small

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]\w*(?:['’]\w+)?|%")
_MARKER = re.compile(r"^[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]", re.MULTILINE)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z_]{0,30})>")
_INLINE = frozenset({"b", "i", "u", "em", "strong", "sub", "sup", "span", "code"})  # tags inside a sentence
_BOUNDARY = re.compile(r"(?<=[.!?;])[\"')\]”’]?\s+|\n")
_ABBREVIATION = re.compile(r"\(([A-Z][A-Za-z0-9]{1,7})\)")


class Word(NamedTuple):
    """One word of a text: its lower-case form, its term, and its half-open code-point offsets."""

    form: str
    term: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A stretch of a text of at most `MAX_SENTENCE` code points, its words, and whether it is an entry of a list."""

    start: int
    end: int
    words: tuple[Word, ...]
    listed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTrace:
    """A trace read once, for many claims.

    Attributes:
        text: the trace as it came.
        sentences: its sentences in order.
        besides: for each sentence, which sentences it is read together with: its neighbours, and its whole list;
            may name -1 and one past the end, where no sentence is.
        places: term -> the sentences that have it.
        roots: first letters of a term -> the terms that begin so.
    """

    text: str
    sentences: tuple[Sentence, ...]
    besides: tuple[tuple[int, ...], ...]
    places: dict[str, tuple[int, ...]]
    roots: dict[str, tuple[str, ...]]


def read_trace(text: str) -> ReadTrace:
    """Return a trace read once, so that many claims can be judged against it."""
    sentences = tuple(read_sentences(text))
    holdings = [{word.term for word in sentence.words if is_content(word)} for sentence in sentences]
    _spell_out(holdings, read_abbreviations(text))
    places: dict[str, list[int]] = {}
    for at, held in enumerate(holdings):
        for term in held:
            places.setdefault(term, []).append(at)
    roots: dict[str, list[str]] = {}
    for term in places:
        roots.setdefault(term[:ROOT], []).append(term)
    return ReadTrace(
        text=text,
        sentences=sentences,
        besides=_besides(sentences),
        places={term: tuple(found) for term, found in places.items()},
        roots={root: tuple(sorted(terms)) for root, terms in roots.items()},
    )


def is_content(word: Word) -> bool:
    """Tell whether a word counts in overlap: no stop word, and no lone letter."""
    return word.form not in STOP_WORDS and (len(word.form) > 1 or not word.form.isalpha())


@lru_cache(maxsize=65_536)
def term_of(form: str) -> str:
    """Return the term of a lower-case word: digits of a number, else its stem, synonyms made one."""
    if form[0].isdigit():
        return form.replace(",", "").rstrip(".")
    if form in NUMBER_WORDS:
        return NUMBER_WORDS[form]
    bare = form.removesuffix("'s").removesuffix("’s")
    # A stemmer object keeps its word in itself: one per call is what makes this safe in threads.
    stem: str = EnglishStemmer().stemWord(bare)
    return SAME_WORD.get(stem, stem)


@lru_cache(maxsize=4_096)
def expansion_of(form: str) -> tuple[str, ...]:
    """Return the terms that a known abbreviation or compound stands for, or nothing."""
    return tuple(map(term_of, EXPANSIONS[form].split())) if form in EXPANSIONS else ()


def read_words(text: str) -> list[Word]:
    """Return the words of a text in order; `<think>` and its like are not words."""
    return _words_of(_bare(text))


def _words_of(bare: str) -> list[Word]:
    return [
        Word(form, term, match.start(), match.end())
        for match in _WORD.finditer(bare)
        for form in (match.group()[:MAX_WORD].lower(),)
        for term in expansion_of(form) or (term_of(form),)
    ]


def read_sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text that hold a word, in order, with offsets into that text."""
    bare = _bare(text)
    words = _words_of(bare)
    sentences, first = [], 0
    for stop in _stops(bare):
        last = first
        while last < len(words) and words[last].start < stop:
            last += 1
        sentences += [_sentence(text, bare, piece, stop) for piece in _pieces(words[first:last])]
        first = last
    return sentences


def read_abbreviations(text: str) -> dict[str, tuple[str, ...]]:
    """Return the abbreviations a text defines, as term -> terms of the long form.

    >>> read_abbreviations("Giant cell arteritis (GCA) is urgent.")
    {'gca': ('giant', 'cell', 'arter')}
    """
    found = {}
    for match in _ABBREVIATION.finditer(text):
        letters = match.group(1).lower().removesuffix("s")
        before = _WORD.findall(text[max(0, match.start() - 120) : match.start()])[-len(letters) :]
        if len(letters) > 1 and [form[0].lower() for form in before] == list(letters):
            found[term_of(match.group(1).lower())] = tuple(term_of(form.lower()) for form in before)
    return found


def _spell_out(holdings: Sequence[set[str]], abbreviations: dict[str, tuple[str, ...]]) -> None:
    """Give every sentence that has an abbreviation its long form, and the other way round."""
    for short, long in abbreviations.items():
        for held in holdings:
            if short in held:
                held.update(long)
            elif held.issuperset(long):
                held.add(short)


def _besides(sentences: Sequence[Sentence]) -> tuple[tuple[int, ...], ...]:
    """Return what each sentence is read with: an entry of a list needs the line above it and the other entries."""
    besides: list[tuple[int, ...]] = []
    for listed, run in groupby(range(len(sentences)), lambda at: sentences[at].listed):
        places = tuple(run)
        entries = places if listed and len(places) <= MAX_LIST else ()
        head = (places[0] - 1,) if listed else ()
        besides += [(*head, at - 1, at + 1, *entries) for at in places]
    return tuple(besides)


def _bare(text: str) -> str:
    """Blank out what is no word: offsets stay, a tag ends a sentence, and `1.` before an entry is no number."""
    if "<" in text:
        text = _TAG.sub(_blank, text)
    return _MARKER.sub(lambda match: " " * len(match.group()), text)


def _blank(tag: re.Match[str]) -> str:
    return (" " if tag.group(1).lower() in _INLINE else "\n") * len(tag.group())


def _stops(text: str) -> Iterator[int]:
    for match in _BOUNDARY.finditer(text):
        if match.group() == "\n" or not _ends_in_title(text, match.start()):
            yield match.end()
    yield len(text)


def _ends_in_title(text: str, end: int) -> bool:
    """Tell whether the full stop at `end` belongs to `Dr.`, `e.g.` or an initial and ends no sentence."""
    last = text[max(0, end - 8) : end].split()[-1:]
    return bool(last) and last[0].lower() in TITLES


def _pieces(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    first = 0
    for at in range(1, len(words)):
        if words[at].end - words[first].start > MAX_SENTENCE:
            yield words[first:at]
            first = at
    if words:
        yield words[first:]


def _sentence(text: str, bare: str, words: Sequence[Word], stop: int) -> Sentence:
    start, end = words[0].start, words[-1].end
    # Take the closing punctuation along where it follows at once: the quote reads better.
    closing = bare[end : min(stop, end + 3)]
    end += len(closing) - len(closing.lstrip(".!?)\"'"))
    listed = _MARKER.match(text, text.rfind("\n", 0, start) + 1) is not None
    return Sentence(start=start, end=min(end, start + MAX_SENTENCE), words=tuple(words), listed=listed)
