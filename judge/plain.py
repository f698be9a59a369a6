r"""An answer -> its plain text: two answers that say the same have the same.

\boxed{\text{12 mg}}  ->  12mg        1,000.50  ->  1000.5        ``Yes.``  ->  yes
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

__all__ = ["SHORT_ANSWER", "box_content", "plain_answer", "unwrap"]

SHORT_ANSWER: Final = 80
"""Characters; longer texts are whole conclusions, of which no two are alike."""

_BOX: Final = re.compile(r"\\boxed\s*\{")
_BRACE: Final = re.compile(r"(?<!\\)[{}]")
_WRAPPER: Final = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it|sf)|rm|bf)\s*\{|" + _BRACE.pattern)
_ESCAPE: Final = re.compile(r"\\(?=[%$#&_{}])|\\[,;: !]")
_NUMBER: Final = re.compile(r"(?<![\w.,])(?:(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?|\.(\d+))(?![.,]?\d)")
_UNIT_GAP: Final = re.compile(r"(?<=\d) (?=[^\W\d]{1,4}\b|%)")
_SIGNS: Final = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212\u2044\u2018\u2019\u201c\u201d", "------/''\"\"")
_AROUND: Final = " \t\n()[]{}*_`\"'.,:;!?$\u3002\u3001"


def box_content(text: str) -> str | None:
    r"""What stands in the last `\boxed{}`; None where there is none and where it is not closed."""
    start = max((match.end() for match in _BOX.finditer(text)), default=None)
    depth = 1
    for brace in _BRACE.finditer(text, start) if start is not None else ():
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return None


def unwrap(text: str) -> str:
    r"""Without `\boxed{}`, `\text{}` and their like, however deep they are nested."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub("", _without_wrappers(box_content(text) or text))


def _without_wrappers(text: str) -> str:
    """One walk over the braces: each closing one takes its opening one along where that is a wrapper's."""
    pieces: list[str] = []
    opened: list[int] = []
    end = 0
    for brace in _WRAPPER.finditer(text):
        pieces += (text[end : brace.start()], brace[0])
        end = brace.end()
        if brace[0] != "}":
            opened.append(len(pieces) - 1)
        elif opened and pieces[start := opened.pop()] != "{":
            pieces[start] = pieces[-1] = ""
    return "".join((*pieces, text[end:]))


def plain_answer(text: str) -> str:
    """Two texts that say the same answer have the same plain text."""
    return _short_plain(text) if len(text) <= SHORT_ANSWER else _plain(text)


@lru_cache(maxsize=4096)
def _short_plain(text: str) -> str:
    """Answers come again: in a record as the trace's and the reference's, and in all traces of a question."""
    return _plain(text)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", unwrap(text)).casefold().translate(_SIGNS)
    text = " ".join(_NUMBER.sub(_decimal, text).split())
    return _UNIT_GAP.sub("", text).strip(_AROUND)


def _decimal(number: re.Match[str]) -> str:
    """By digits, not by `Decimal`: an answer of a thousand digits is neither rounded nor refused."""
    whole = (number[1] or "").replace(",", "").lstrip("0") or "0"
    fraction = (number[2] or number[3] or "").rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
