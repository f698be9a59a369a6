r"""trace x reference -> the answer that the trace gives, and whether it is right.

    {"options": {"A": "Asthma", "C": "Pneumonia"}, "reference": {"answer": "C"},
     "trace": "<think>Consolidation ...</think><answer>C</answer>"}

A trace states its answer on one of several levels (`_LEVELS`), and the first level that states anything
decides. Two different answers there are none. With options, every answer becomes the key of its option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Final

from judge.cue import BLAME, CHOSEN, CLAIM, CUE, DECORATION, JOINT, PRAISE, TOLD, UNNEGATED, key_pattern, label_pattern
from judge.plain import SHORT_ANSWER, box_content, plain_answer, unwrap

__all__ = ["Options", "answer_correct", "extract_answer", "reference_answer"]

Options = Mapping[str, str]
_Level = Callable[[str, Options], set[str | None]]

# Without options a lone capital still names one: many questions print theirs in the question's text.
_UNTOLD: Final[Options] = dict.fromkeys("ABCDEFGHIJ", "")

# Shorter option texts ("no", "2") stand in any prose and state nothing there.
_MENTION_CHARACTERS: Final = 4

_TAG: Final = re.compile("<answer>", re.IGNORECASE)
_CLAUSE_END: Final = r"(?=\s*(?:[.,;:!*_`\"')–—-]|$|(?:because|since|as)\b))"
_TAG_END: Final = re.compile("</answer>", re.IGNORECASE)
_THINK_END: Final = "</think>"

# A second label in what follows the first: `A: true, B: false` is no option A.
_SECOND_LABEL: Final = re.compile(r"(?<!\w)[A-J](?:[):]\s|\.\s+[A-Z])")


def extract_answer(trace: str, options: Options | None) -> str | None:
    r"""The answer that the trace gives.

    Args:
        trace: the joined trace text, any length.
        options: key -> text of the question's options, where it has them.

    Returns:
        The key of an option as `options` spells it; without options the text of the last `<answer>`, else of
        the last `\boxed{}`, else a letter A to J that is stated as the answer. None when nothing is stated,
        when the deciding level states two different answers, and when it states one that is none of the
        options.

    Examples:
        >>> extract_answer("... <answer>(c)</answer>", {"A": "Asthma", "C": "Pneumonia"})
        'C'
        >>> extract_answer("A patient with fever has pneumonia.", {"A": "Asthma", "C": "Pneumonia"})
        'C'
        >>> extract_answer("<answer>A or C</answer>", {"A": "Asthma", "C": "Pneumonia"}) is None
        True
    """
    return _decide(_LEVELS, trace, options or _UNTOLD)


def answer_correct(answer: str | None, reference_answer: str | None, options: Options | None) -> bool | None:
    """Whether the trace's answer is the reference's.

    Args:
        answer: what `extract_answer` gave.
        reference_answer: what `reference_answer` gave.
        options: key -> text of the question's options, where it has them.

    Returns:
        None only when the reference has no answer; False for a trace without one. Texts are compared without
        case, surrounding punctuation and the gap before a unit, numbers as decimals (`.5` is `0.50`, `1,000`
        is `1000`).
    """
    if reference_answer is None or not plain_answer(reference_answer):
        return None
    return answer is not None and _agree(answer, reference_answer, options)


def reference_answer(answer: str | None, reasoning: str | None, options: Options | None) -> str | None:
    r"""The reference's own answer, else the one in its reasoning's `<answer>` or `\boxed{}`.

    Args:
        answer: the reference's answer field.
        reasoning: the reference's reasoning.
        options: key -> text of the question's options, where it has them.

    Returns:
        The key of an option where it resolves to one, else the text; None when the reference has no answer.
    """
    if answer is not None and plain_answer(answer):
        return _resolve(answer, options or _UNTOLD) or answer.strip()
    return _decide(_LEVELS[:2], reasoning or "", options or _UNTOLD)


def _decide(levels: Iterable[_Level], text: str, options: Options) -> str | None:
    for level in levels:
        stated = level(text, options)
        if stated:
            return stated.pop() if len(stated) == 1 else None
    return None


def _identity(answer: str, options: Options | None) -> str:
    return plain_answer((_resolve(answer, options) if options else None) or answer)


def _agree(one: str, other: str, options: Options | None) -> bool:
    """Without options `C. Pneumonia` is C and, where the other names no letter, pneumonia."""
    same = _identity(one, options) == _identity(other, options)
    if same or options:
        return same
    (letter, told), (other_letter, other_told) = _letter_and_text(one), _letter_and_text(other)
    return letter == other_letter if letter and other_letter else told == other_told


def _letter_and_text(answer: str) -> tuple[str | None, str]:
    statement = unwrap(answer).strip()
    letter = _decide((_letters, _labelled), statement, _UNTOLD)
    return letter, plain_answer(_split(statement, _UNTOLD)[2] if letter else statement)


def _resolve(statement: str, options: Options) -> str | None:
    """The one answer of a text that is meant to be nothing but an answer."""
    if options is _UNTOLD and len(statement) <= SHORT_ANSWER:
        return _resolve_short(statement)
    return _resolve_any(statement, options)


@lru_cache(maxsize=4096)
def _resolve_short(statement: str) -> str | None:
    """Without options: the trace's answer, the reference's, and those of all traces of a question."""
    return _resolve_any(statement, _UNTOLD)


def _resolve_any(statement: str, options: Options) -> str | None:
    statement = unwrap(statement).strip()
    if any(options.values()):
        return _decide((_same, _letters, _labelled, _cued, _named, _mentioned), statement, options)
    return _decide((_letters, _whole), statement, options)


# --- levels: each gives the answers that it finds stated; None stands for one that is no option -----------


def _tagged(text: str, options: Options) -> set[str | None]:
    """The last tag, to its end or the text's: generation that stops at `</answer>` leaves it open."""
    *before, last = _TAG.split(text)
    return _stated(_TAG_END.split(last, maxsplit=1)[0], options) if before else set()


def _boxed(text: str, options: Options) -> set[str | None]:
    content = box_content(text)
    return _stated(content, options) if content is not None else set()


def _cued(text: str, options: Options) -> set[str | None]:
    """`The answer is (C)`, `final answer: C or D`, `I choose C`, `C is correct`, `the answer is pneumonia`."""
    key, label = key_pattern(tuple(options)), label_pattern(tuple(options))
    bare = rf"(?<!\w){key_pattern(tuple(options), any_case=True)}(?!\w)"
    joined = rf"{label}(?:\s*(?:{JOINT}|/)\s*{label})*"
    statement = rf"(?:{CUE}|{CHOSEN})({joined})|(?<![\w'’-])({key}){PRAISE}"
    stated = re.findall(statement, _conclusion(text))
    letters = {_spelt(found, options) for pair in stated for found in re.findall(bare, "/".join(filter(None, pair)))}
    return letters | _cued_texts(text, options)


def _cued_texts(text: str, options: Options) -> set[str | None]:
    """A short text ("no", "2") must be all that its clause says."""
    keys = _texts(options)
    if not keys:
        return set()
    told = "|".join(re.escape(told) + (_CLAUSE_END if len(told) < _MENTION_CHARACTERS else "") for told in keys)
    one = rf"(?:(?:the|an?|that|it is) )*[*_`\"'(]*(?:{told})(?![\w-]|\s*\?)"
    joined = re.compile(rf"{one}(?:\s*(?:{JOINT}|/)\s*{one})*")
    text, width = _conclusion(text), 2 * max(map(len, options.values())) + 80
    lines = (text[cue.end() : cue.end() + width].partition("\n")[0] for cue in TOLD.finditer(text))
    stated = (joined.match(plain_answer(line)) for line in lines)
    return {keys[found] for match in stated if match for found in re.findall(rf"(?<!\w)(?:{told})(?!\w)", match[0])}


def _closing(text: str, options: Options) -> set[str | None]:
    """`C.` or `C. Pneumonia` alone on the last line. Several such lines list the options."""
    lines = filter(None, (line.strip("# \t") for line in reversed(_conclusion(text).splitlines())))
    answers = (_same(line, options) or _letters(line, options) or _labelled(line, options) for line in lines)
    return {answer for line in takewhile(bool, answers) for answer in line}


def _named(text: str, options: Options) -> set[str | None]:
    """`Option C` and `Answer C`, unless the sentence goes on to rule it out."""
    key, label = key_pattern(tuple(options)), label_pattern(tuple(options))
    naming = rf"(?:(?i:\b(?:option|choice)) ({key})(?![\w'’])|{CLAIM}[ *_]{{0,5}}[(\[]?({label})[)\]]?){BLAME}"
    named = re.findall(naming, _conclusion(text))
    return {_spelt((one or other).strip("()[]"), options) for one, other in named}


def _mentioned(text: str, options: Options) -> set[str | None]:
    """The options whose text stands in the conclusion; a text within a longer one's is not counted again."""
    keys = _texts(options)
    texts = [told for told in keys if len(told) >= _MENTION_CHARACTERS]
    if not texts:
        return set()
    phrase = rf"(?<!\w){UNNEGATED}(?:{'|'.join(map(re.escape, texts))})(?!\w)"
    return {keys[found] for found in re.findall(phrase, plain_answer(_conclusion(text)))}


_LEVELS: Final[tuple[_Level, ...]] = (_tagged, _boxed, _cued, _closing, _named, _mentioned)


# --- readings of a short statement -------------------------------------------------------------------------


def _same(statement: str, options: Options) -> set[str | None]:
    plain = plain_answer(statement)
    keys = {key for key in options if plain_answer(key) == plain}
    return {*keys} or {key for key, told in options.items() if plain and plain_answer(told) == plain}


def _letters(statement: str, options: Options) -> set[str | None]:
    """A statement of keys alone: `(c)`, `A or B`, `A, B`."""
    only_keys, one_key = _key_statement(tuple(options))
    if not only_keys.fullmatch(statement):
        return set()
    return {_spelt(found, options) for found in one_key.findall(statement)}


@lru_cache(maxsize=1024)
def _key_statement(keys: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A statement of these keys alone, and each key in it."""
    key, gap = key_pattern(keys, any_case=True), rf"{DECORATION}+(?:{JOINT}{DECORATION}+)?"
    return re.compile(rf"{DECORATION}*{key}(?:{gap}{key})*{DECORATION}*"), re.compile(rf"(?<!\w){key}(?!\w)")


def _labelled(statement: str, options: Options) -> set[str | None]:
    """`C. Pneumonia`: the text must not name another option, and `E. coli` is a name, not option E."""
    spelt, mark, rest = _split(statement, options)
    told = _same(rest, options) or _mentioned(rest, options)
    if told and mark:
        return told | {spelt}
    named = mark in (")", "]", ":") or (mark == "." and rest[0].isspace() and not rest.lstrip()[:1].islower())
    return {spelt} if spelt and (told == {spelt} or (named and not _SECOND_LABEL.search(rest))) else set()


def _split(statement: str, options: Options) -> tuple[str | None, str, str]:
    """`C. Pneumonia` -> C, the mark, Pneumonia; no key where it starts with none."""
    key = key_pattern(tuple(options), any_case=any(options.values()))
    label = rf"{DECORATION}*(?:(?i:option) )?({key})([*_]*[).:\]]|\s+[-–—]|(?=\s))[*_]*(.+)"
    parts = re.match(label, statement, re.DOTALL)
    return (_spelt(parts[1], options), parts[2].strip("*_"), parts[3]) if parts else (None, "", statement)


def _whole(statement: str, options: Options) -> set[str | None]:
    del options
    return {statement} if statement else set()


def _stated(statement: str, options: Options) -> set[str | None]:
    """Nothing for an empty tag or box, so that a later level may decide."""
    return {_resolve(statement, options)} if plain_answer(statement) else set()


# --- patterns ----------------------------------------------------------------------------------------------


def _texts(options: Options) -> dict[str, str]:
    """Plain text -> key, the longest first; a text that is another option's key states only that one."""
    names = {plain_answer(key): key for key in options}
    keys = {plain_answer(told): key for key, told in options.items()}
    longest = sorted(filter(None, keys), key=len, reverse=True)
    return {told: keys[told] for told in longest if names.get(told, keys[told]) == keys[told]}


# --- text --------------------------------------------------------------------------------------------------


def _spelt(found: str, options: Options) -> str | None:
    """The key as the options spell it."""
    return found if found in options else next((key for key in options if key.casefold() == found.casefold()), None)


def _conclusion(text: str) -> str:
    """What follows the last `</think>`, where anything does: thinking aloud tries answers out."""
    after = text.rpartition(_THINK_END)[2]
    return after if plain_answer(after) else text
