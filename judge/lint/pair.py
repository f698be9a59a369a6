"""What a preference is about -> remarks: one of the two traces called by its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from judge.lint.finding import Remark
from judge.lint.source import Field
from judge.lint.statement import pieces

__all__ = ["list_questions", "remark_on_place"]

_TRACE: Final = "traces?|responses?|answers?|outputs?|replies|reply|candidates?|assistants?|models?"
_PLACE: Final = re.compile(
    rf"\b(?i:{_TRACE}) (?:[AB12]|(?i:one|two))\b|\b(?i:first|second|former|latter) (?i:{_TRACE}|one)\b"
    r"|(?:(?<=\bif )|(?<=\bwhere )|(?<=\bwhether ))[AB] (?:is|has|wins)\b"
)


def list_questions(value: object) -> Iterator[tuple[Field, str]]:
    """The descriptions of a rubric's axes of preference, with their places."""
    for name, axis in pieces(value, "axes").items():
        if isinstance(axis, dict) and axis.get("kind") == "preference":
            text = axis.get("description")
            if isinstance(text, str):
                yield ("axes", name, "description"), text


def remark_on_place(text: str) -> Iterator[Remark]:
    """Both orders are asked, so what is shown first is each of the two once."""
    found = _PLACE.search(text)
    if found is not None:
        what = f"{found[0]!r} calls a trace by its place, and both orders are asked"
        to_do = "say what makes a trace the better one, whichever it is"
        yield Remark(rule="pair-place", start=found.start(), end=found.end(), what=what, to_do=to_do)
