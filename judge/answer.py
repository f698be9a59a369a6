r"""trace x reference -> the answer that the trace gives, and whether it is right.

    {"options": {"A": "Asthma", "C": "Pneumonia"}, "reference": {"answer": "C"},
     "trace": "<think>Consolidation ...</think><answer>C</answer>"}

A trace states its answer on one of several levels (`_LEVELS`), and the first level that states anything
decides. Two different answers there are none. With options, every answer becomes the key of its option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import takewhile
from typing import Final

from judge.plain import box_content, plain_answer, unwrap

__all__ = ["Options", "answer_correct", "extract_answer", "reference_answer"]

Options = Mapping[str, str]
_Level = Callable[[str, Options], set[str | None]]

# Without options a lone capital still names one: many questions print theirs in the question's text.
_UNTOLD: Final[Options] = dict.fromkeys("ABCDEFGHIJ", "")

# Shorter option texts ("no", "2") stand in any prose and state nothing there.
_MENTION_CHARACTERS: Final = 4

_TAG: Final = re.compile("<answer>", re.IGNORECASE)
_TAG_END: Final = re.compile("</answer>", re.IGNORECASE)
_THINK_END: Final = "</think>"


_DECORATION: Final = r"[\s()\[\]{}*_`\"'“”‘’.,:;!$/\\]"
_JOINT: Final = r"(?i:and/or|or|and|oder|und|ou|et|y|o|или|и|或|和)"
_CUE: Final = (
    r"(?i:(?:answer|correct (?:option|choice)|(?:best|right|final|my) (?:option|choice)|réponse|respuesta"
    r"|resposta|risposta|antwort|ответ|答案|答え|정답)(?: (?:choice|option|letter))?[*_`\"']{0,3}"
    r"(?:\s{0,3}[:：=]|\s{0,3}\n|\s+(?:is|was|would be|should be|must be|es|est|é|ist)\b|是|为|為|は|은|는))"
    r"(?i:[\s*_`\"'“‘:：$]{0,9}\b(?:therefore|thus|clearly|likely|most likely|probably|indeed"
    r"|option|choice|letter)\b){0,2}"
    r"[\s*_`\"'“‘:：$]{0,9}"
)
_CHOSEN: Final = r"(?i:\b(?:choos(?:e|ing)|select(?:ing)?|pick(?:ing)?|go(?:ing)? with) (?:(?:option|answer|choice) )?)"
_PRAISE: Final = (
    r"[*_]{0,2}(?i: (?:is|would be) (?:the )?(?:most likely |single |best |correct |right ){0,3}"
    r"(?:answer|choice|option|correct)\b)"
)
_BLAME: Final = (
    r"(?!(?:[^\w.\n]+\w+){0,4}?[^\w.\n]+"
    r"(?i:not|never|cannot|isn|incorrect|inappropriate|wrong|unlikely|false|less|contraindicated|excluded"
    r"|out)\b)"
)
_UNNEGATED: Final = "".join(rf"(?<!\b{word} )" for word in ("no", "not", "nor", "than", "without", "excludes"))


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
    return answer is not None and _identity(answer, options) == _identity(reference_answer, options)


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


def _resolve(statement: str, options: Options) -> str | None:
    """The one answer of a text that is meant to be nothing but an answer."""
    statement = unwrap(statement).strip()
    if any(options.values()):
        return _decide((_same, _letters, _labelled, _cued, _named, _mentioned), statement, options)
    return _decide((_letters, _whole), statement, options)


# --- levels: each gives the answers that it finds stated; None stands for one that is no option -----------


def _tagged(text: str, options: Options) -> set[str | None]:
    """The last closed tag. A trace of a thousand opened tags costs no more than one."""
    last_end = max((match.start() for match in _TAG_END.finditer(text)), default=0)
    start = max((match.end() for match in _TAG.finditer(text, 0, last_end)), default=None)
    end = None if start is None else _TAG_END.search(text, start)
    return _stated(text[start : end.start()], options) if end else set()


def _boxed(text: str, options: Options) -> set[str | None]:
    content = box_content(text)
    return _stated(content, options) if content is not None else set()


def _cued(text: str, options: Options) -> set[str | None]:
    """`The answer is (C)`, `final answer: C or D`, `I choose C`, `C is correct`."""
    key, label = _key(tuple(options)), _label(tuple(options))
    bare = rf"(?<!\w){_key(tuple(options), any_case=True)}(?!\w)"
    joined = rf"{label}(?:\s*(?:{_JOINT}|/)\s*{label})*"
    statement = rf"(?:{_CUE}|{_CHOSEN})({joined})|(?<![\w'’-])({key}){_PRAISE}"
    stated = re.findall(statement, _conclusion(text))
    return {_spelt(found, options) for pair in stated for found in re.findall(bare, "/".join(filter(None, pair)))}


def _closing(text: str, options: Options) -> set[str | None]:
    """`C.` or `C. Pneumonia` alone on the last line. Several such lines list the options."""
    lines = [line.strip() for line in reversed(_conclusion(text).splitlines()) if line.strip()]
    answers = (_same(line, options) or _letters(line, options) or _labelled(line, options) for line in lines)
    return {answer for line in takewhile(bool, answers) for answer in line}


def _named(text: str, options: Options) -> set[str | None]:
    """`Option C`, unless the sentence goes on to rule it out."""
    key = _key(tuple(options))
    named = re.findall(rf"(?i:\b(?:option|choice)) ({key})(?![\w'’]){_BLAME}", _conclusion(text))
    return {_spelt(found, options) for found in named}


def _mentioned(text: str, options: Options) -> set[str | None]:
    """The options whose text stands in the conclusion; a text within a longer one's is not counted again."""
    keys = {plain_answer(told): key for key, told in options.items()}
    texts = sorted((told for told in keys if len(told) >= _MENTION_CHARACTERS), key=len, reverse=True)
    if not texts:
        return set()
    phrase = rf"(?<!\w){_UNNEGATED}(?:{'|'.join(map(re.escape, texts))})(?!\w)"
    return {keys[found] for found in re.findall(phrase, plain_answer(_conclusion(text)))}


_LEVELS: Final[tuple[_Level, ...]] = (_tagged, _boxed, _cued, _closing, _named, _mentioned)


# --- readings of a short statement -------------------------------------------------------------------------


def _same(statement: str, options: Options) -> set[str | None]:
    plain = plain_answer(statement)
    keys = {key for key in options if plain_answer(key) == plain}
    return {*keys} or {key for key, told in options.items() if plain and plain_answer(told) == plain}


def _letters(statement: str, options: Options) -> set[str | None]:
    """A statement of keys alone: `(c)`, `A or B`, `A, B`."""
    key = _key(tuple(options), any_case=True)
    gap = rf"{_DECORATION}+(?:{_JOINT}{_DECORATION}+)?"
    if not re.fullmatch(rf"{_DECORATION}*{key}(?:{gap}{key})*{_DECORATION}*", statement):
        return set()
    return {_spelt(found, options) for found in re.findall(rf"(?<!\w){key}(?!\w)", statement)}


def _labelled(statement: str, options: Options) -> set[str | None]:
    """`C. Pneumonia`: the text must not name another option, and `E. coli` is a name, not option E."""
    key = _key(tuple(options), any_case=True)
    label = rf"{_DECORATION}*(?:(?i:option) )?({key})([*_]*[).:\]]|\s+[-–—]|(?=\s))[\s*_]*(.+)"
    parts = re.match(label, statement, re.DOTALL)
    if not parts or not any(options.values()):
        return set()
    spelt, mark, rest = _spelt(parts[1], options), parts[2].strip("*_"), parts[3]
    told = _same(rest, options) or _mentioned(rest, options)
    if told and mark:
        return told | {spelt}
    named = mark in (")", "]", ":") or (mark == "." and not rest[0].islower())
    return {spelt} if named or told == {spelt} else set()


def _whole(statement: str, options: Options) -> set[str | None]:
    del options
    return {statement} if statement else set()


def _stated(statement: str, options: Options) -> set[str | None]:
    """Nothing for an empty tag or box, so that a later level may decide."""
    return {_resolve(statement, options)} if plain_answer(statement) else set()


# --- patterns ----------------------------------------------------------------------------------------------


@cache
def _key(keys: tuple[str, ...], *, any_case: bool = False) -> str:
    either = "|".join(map(re.escape, sorted(keys, key=len, reverse=True)))
    return rf"(?i:{either})" if any_case else rf"(?:(?<=[(\[])(?i:{either})(?=[)\]])|(?:{either})|(?i:{either})(?=\)))"


@cache
def _label(keys: tuple[str, ...]) -> str:
    """A key in running text. `A patient`, `I think`, `2 mg`, `B-cell`, `E. coli`, `1.5` and `B?` are none."""
    why = r"(?:because|since|as|due|given|and|or|for)\b"
    number_or_word = rf"(?!(?<=[AI\d])\s+(?!{why})[^\W\d_A-Z])(?!(?<=\d)\s*%)"
    end = rf"(?![\w'’]|-\w|[.,]\d|\.\s?[^\W\d_A-Z]|\s*\?){number_or_word}"
    start = r"(?<![A-Za-z0-9_'’-])"
    alone = rf"{start}(?i:{'|'.join(map(re.escape, keys))})(?=[.*_`\"']*\s*(?:\n|$))"
    return rf"(?:[(\[]?{start}{_key(keys)}{end}[)\]]?|{alone})"


# --- text --------------------------------------------------------------------------------------------------


def _spelt(found: str, options: Options) -> str | None:
    """The key as the options spell it."""
    return found if found in options else next((key for key in options if key.casefold() == found.casefold()), None)


def _conclusion(text: str) -> str:
    """What follows the last `</think>`, where anything does: thinking aloud tries answers out."""
    after = text.rpartition(_THINK_END)[2]
    return after if plain_answer(after) else text
