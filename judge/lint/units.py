"""A record's units -> remarks: answers and claims that are given away, and quotes that are of nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, TypeAlias

from judge.answer import Options, reference_answer
from judge.cue import CHOSEN, CUE, PRAISE, key_pattern, label_pattern
from judge.evidence import TraceText
from judge.fold import Folded
from judge.lint.finding import Remark

__all__ = ["Asked", "Remarked"]

Remarked: TypeAlias = tuple[str, str, Remark]
"""Field of a unit, its text, and what is wrong with it."""

_SHOWN: Final = ("claim", "topic", "presence_question", "correctness_question")
_LETTERS: Final[Options] = dict.fromkeys("ABCDEFGHIJ", "")
_GIVEN_AWAY: Final = 0.8
"""Share of a claim's words, beyond those of its topic, that a presence question may not say."""
_FEW: Final = 2
_OPEN: Final = re.compile(r"\b(?:which|what|where|when|how|who|whom|whose|whether)\b", re.IGNORECASE)
_SMALL: Final = re.compile(
    "about|after|also|and|any|are|been|being|but|can|did|does|for|from|had|has|have|how|into|its|may|must|not|than|that|the"
    "|their|them|then|there|these|they|this|those|was|were|what|when|where|whether|which|while|who|whom|whose|why|will|with"
    "|would|traces?|states?|stated|mentions?|mentioned|raises?|raised|says?|said|discuss|discusses|discussed"
)


class Asked:
    """What one record asks for, of which its units must give nothing away.

    Args:
        fields: Of the record, `trace` aside.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        reference = fields.get("reference")
        given: Mapping[str, Any] = reference if isinstance(reference, Mapping) else {}
        answer, reasoning = (_text(given.get(name)) for name in ("answer", "reasoning"))
        options = fields.get("options")
        self._options: Options = options if isinstance(options, Mapping) and options else _LETTERS
        self._answer = reference_answer(answer or None, reasoning or None, self._options)
        self._reference = "\n".join(filter(None, (reasoning, answer)))

    def remarks(self, unit: Mapping[str, Any]) -> Iterator[Remarked]:
        """Everything but the wording of its claim."""
        for field in _SHOWN:
            text = _text(unit.get(field))
            for found in self._letter.finditer(text):
                if self._gives_away(next(filter(None, found.groups()), None)):
                    yield field, text, _letter_remark(found)
                    break
        if remark := _claim_in_question(unit):
            yield "presence_question", _text(unit["presence_question"]), remark
        quote = _text(unit.get("source_quote"))
        if quote and self._reference and self._text.find(quote) is None:
            what = "this quote does not stand in the reference"
            yield (
                "source_quote",
                quote,
                Remark(rule="source-quote", what=what, to_do="copy it from reference.reasoning"),
            )

    def _gives_away(self, letter: str | None) -> bool:
        """Another option's letter tells little; without a known answer each may be the right one."""
        known = self._answer if self._answer in self._options else None
        return letter is None or known is None or letter.strip("()[]").casefold() == known.casefold()

    @cached_property
    def _text(self) -> TraceText:
        return TraceText(self._reference)

    @cached_property
    def _letter(self) -> re.Pattern[str]:
        keys = tuple(self._options)
        key, label = key_pattern(keys), label_pattern(keys)
        named = rf"\b(?i:options?|choices?|answers?)\s+({key}|[(\[]{key}[)\]])(?![\w'’-])"
        return re.compile(
            rf"(?:{CUE}|{CHOSEN})({label})|(?<![\w'’-])({key})[)\]]?{PRAISE}|{named}|(?i:<answer>)|\\boxed\b"
        )


def _letter_remark(found: re.Match[str]) -> Remark:
    what = f"{found[0].strip()!r} gives the answer's letter away"
    to_do = "say the finding or fact itself; `answer_correct` is for letters"
    return Remark(rule="answer-letter", start=found.start(), end=found.end(), what=what, to_do=to_do)


def _claim_in_question(unit: Mapping[str, Any]) -> Remark | None:
    """A question that says the claim asks whether it is right; one with a "which" or "whether" leaves that open."""
    asked = _text(unit.get("presence_question"))
    question = set() if _OPEN.search(asked) else _words(asked)
    told = _words(unit.get("claim")) - _words(unit.get("topic"))
    if len(told) < _FEW or len(told & question) < _GIVEN_AWAY * len(told):
        return None
    what = "this question says the claim, which only the question of correctness may say"
    return Remark(rule="presence-claim", what=what, to_do="ask whether its topic is raised, right or wrong")


def _words(text: object) -> set[str]:
    """Numbers and words that say something, by how they begin: `cause` is `causes`."""
    words = re.findall(r"\w+", Folded(_text(text)).text)
    return {word[:6] for word in words if (len(word) > _FEW or word.isdigit()) and not _SMALL.fullmatch(word)}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
