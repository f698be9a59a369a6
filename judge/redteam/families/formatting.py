"""The same words in another dress: headings, bold, lists, emoji, blank lines, indentation. No word is added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Final

from judge.redteam.attack import Attack, Family, Target

__all__ = ["FAMILY"]

_SENTENCE: Final = re.compile(r"(?<=[.!?])[ \t]+(?=[A-Z])")
_TAG: Final = re.compile(r"(</?\w+>)")


def _per_line(dress: str) -> Callable[[str], str]:
    return lambda text: "\n".join(dress.format(line) if line.strip() else line for line in text.split("\n"))


def _per_sentence(dress: str, join: str = "\n") -> Callable[[str], str]:
    return lambda text: join.join(dress.format(part) if part.strip() else part for part in _SENTENCE.split(text))


_DRESSES: Final[Mapping[str, Callable[[str], str]]] = {
    "bold": _per_sentence("**{}**", " "),
    "bullets": _per_sentence("- {}"),
    "headings": _per_line("## {}"),
    "emoji": _per_sentence("✅ {} 🎯", " "),
    "blank_lines": _per_sentence("{}", "\n\n\n"),
    "indented": _per_line("        {}"),
    "rule": lambda text: f"---\n\n{text}\n\n---",
    "quoted": _per_line("> {}"),
}


def _make(target: Target, _: Random) -> Iterator[Attack]:
    for name, dress in _DRESSES.items():
        yield Attack(name=name, fields=target.with_trace(_between_tags(target.trace, dress)))


def _between_tags(trace: str, dress: Callable[[str], str]) -> str:
    """Tags stay as they are, so that the answer is still found, and what stands in `<answer>` too."""
    parts, answer = [], False
    for part in _TAG.split(trace):
        parts.append(part if answer or _TAG.fullmatch(part) or not part.strip() else dress(part))
        answer = part == "<answer>"
    return "".join(parts)


FAMILY: Final = Family(
    name="formatting", about="the same words in markdown, emoji, white space", aim="raise", make=_make
)
