"""A statement -> its own words, each where it stood: what is quoted or in brackets is blank."""

from __future__ import annotations

import re

__all__ = ["bare", "blank"]

_QUOTED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\"[^\"]*\"|“[^“”]*”|`[^`]*`")
_DEPTH = 3  # brackets in brackets
_POINTED = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|fig|no|dr|mr|mrs|ms|st|spp|[A-Za-z])\.", re.IGNORECASE)


def bare(text: str) -> str:
    """The text with what stands in brackets or quotes blanked out, and `_` for points that end no sentence.

    >>> bare("Names E. coli (see below).")
    'Names E_ coli            .'
    """
    for _ in range(_DEPTH):  # from within
        text = _QUOTED.sub(blank, text)
    return _POINTED.sub(lambda match: match[0].replace(".", "_"), text)


def blank(found: re.Match[str]) -> str:
    """As many spaces."""
    return " " * len(found[0])
