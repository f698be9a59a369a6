"""A question -> the labelled options at its end, where it is beyond doubt that they are some."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import Final

__all__ = ["find_options"]

_LINE: Final = re.compile(r"^[ \t]*\(?([A-Z])[.):][ \t]+(\S.*?)[ \t\r]*$", re.MULTILINE)
_SEGMENT: Final = re.compile(r"(?<![^\s(])\(?([A-Z])[.)][ \t]+")
_BEFORE: Final = re.compile(r"[?:.!)][ \t]*\Z")
_FEWEST_LINES: Final = 2
_FEWEST_SEGMENTS: Final = 3


def find_options(question: str) -> dict[str, str]:
    r"""Label -> text of the options that end a question; empty where there are none, or it may be another text.

    Options are lines at the end that begin with A, B, C … in order, or at least three such parts of one line after the
    end of a sentence: "Hepatitis A. Hepatitis B. Hepatitis C." has none.

    >>> find_options("Which lobe?\nA. Right lower\nB. Left upper")
    {'A': 'Right lower', 'B': 'Left upper'}
    >>> find_options("Which lobe? A) right B) left C) both")
    {'A': 'right', 'B': 'left', 'C': 'both'}
    """
    return _of_lines(question) or _of_segments(question)


def _of_lines(question: str) -> dict[str, str]:
    found = list(_LINE.finditer(question))
    if len(found) < _FEWEST_LINES or not _in_order([match[1] for match in found]):
        return {}
    from_first = [line for line in question[found[0].start() :].splitlines() if line.strip()]
    return {match[1]: match[2] for match in found} if len(from_first) == len(found) else {}


def _of_segments(question: str) -> dict[str, str]:
    found = list(_SEGMENT.finditer(question))
    if len(found) < _FEWEST_SEGMENTS or not _in_order([match[1] for match in found]):
        return {}
    ends = [*(match.start() for match in found[1:]), len(question)]
    texts = [question[match.end() : end].strip(" \t\n,;") for match, end in zip(found, ends, strict=True)]
    stem = question[: found[0].start()]
    safe = _BEFORE.search(stem.rstrip("\n")) and all(texts) and not any("\n" in text for text in texts)
    return {match[1]: text for match, text in zip(found, texts, strict=True)} if safe else {}


def _in_order(labels: list[str]) -> bool:
    return "".join(labels) == ascii_uppercase[: len(labels)]
