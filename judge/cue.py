"""The words that announce an answer -> patterns that find it: "the answer is (C)", "I choose C", "C is correct"."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = [
    "BLAME",
    "CHOSEN",
    "CLAIM",
    "CUE",
    "DECORATION",
    "JOINT",
    "PRAISE",
    "TOLD",
    "UNNEGATED",
    "key_pattern",
    "label_pattern",
]

DECORATION: Final = r"[\s()\[\]{}*_`\"'“‘’”.,:;!$/\\]"
JOINT: Final = r"(?i:and/or|or|and|oder|und|ou|et|y|o|или|и|或|和)"
CLAIM: Final = (
    r"(?i:(?:answer|correct (?:option|choice)|(?:best|right|final|my) (?:option|choice)|réponse|respuesta"
    r"|resposta|risposta|antwort|ответ|答案|答え|답|정답))"
)
CUE: Final = (
    rf"{CLAIM}(?i:(?: (?:choice|option|letter))?[*_`\"']{{0,3}}"
    r"(?:\s{0,3}[:：=–—-]|\s{0,3}\n|\s+(?:is|was|would be|should be|must be|es|est|é|ist)\b|是|为|為|は|은|는))"
    r"(?i:[\s*_`\"'“‘:：$]{0,9}\b(?:therefore|thus|clearly|likely|most likely|probably|indeed"
    r"|option|choice|letter)\b){0,2}"
    r"[\s*_`\"'“‘:：$]{0,9}"
)
CHOSEN: Final = (
    r"(?:(?i:\b(?:choos(?:e|ing)|select(?:ing)?|pick(?:ing)?|go(?:ing)? with) (?:(?:option|answer|choice) )?)"
    r"|(?<!不)(?<!不能)[选選][择擇]?)"
)
TOLD: Final = re.compile(f"{CUE}|{CHOSEN}")
PRAISE: Final = (
    r"[*_]{0,2}(?i: (?:is|would be) (?:the )?(?:most likely |single |best |correct |right ){0,3}"
    r"(?:answer|choice|option|correct)\b)"
)
BLAME: Final = (
    r"(?!(?:[^\w.\n]+\w+){0,4}?[^\w.\n]+"
    r"(?i:not|never|cannot|isn|incorrect|inappropriate|wrong|unlikely|false|less|contraindicated|excluded"
    r"|out)\b)"
)
UNNEGATED: Final = "".join(rf"(?<!\b{word} )" for word in ("no", "not", "nor", "than", "without", "excludes"))


@lru_cache(maxsize=1024)
def key_pattern(keys: tuple[str, ...], *, any_case: bool = False) -> str:
    either = "|".join(map(re.escape, sorted(keys, key=len, reverse=True)))
    return rf"(?i:{either})" if any_case else rf"(?:(?<=[(\[])(?i:{either})(?=[)\]])|(?:{either})|(?i:{either})(?=\)))"


@lru_cache(maxsize=1024)
def label_pattern(keys: tuple[str, ...]) -> str:
    """A key in running text. `A patient`, `I think`, `2 mg`, `B-cell`, `E. coli`, `1.5` and `B?` are none."""
    why = r"(?:because|since|as|due|given|and|or|for)\b"
    number_or_word = rf"(?!(?<=[AI\d])\s+(?!{why})[^\W\d_A-Z])(?!(?<=\d)\s*%)"
    end = rf"(?![^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|['’]|-\w|[.,]\d|\.\s?[^\W\d_A-Z]|\s*\?){number_or_word}"
    start = r"(?<![A-Za-z0-9_'’-])"
    alone = rf"{start}(?i:{'|'.join(map(re.escape, keys))})(?=[.*_`\"']*\s*(?:\n|$))"
    return rf"(?:[(\[]?{start}{key_pattern(keys)}{end}[)\]]?|{alone})"
