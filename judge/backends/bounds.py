r"""What a server says of its reply -> what a journal and a table can hold.

{"model": "m", "choices": [{"message": {"content": "half \ud83d"}}], "usage": {"prompt_tokens": -1}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from judge.backends.secret import hide_sent

__all__ = ["as_count", "as_object", "as_text", "with_whole_escapes"]

_MOST_TOKENS: Final = 2**40
_HIGH, _LOW = rb"[dD][89abAB][0-9a-fA-F]{2}", rb"[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE: Final = re.compile(rb"\\(?:u%b\\u%b|(u%b|u%b)|.)" % (_HIGH, _LOW, _HIGH, _LOW), re.DOTALL)


def as_count(value: object) -> int | None:
    """What can be no count of tokens is as good as none: it would be money, too."""
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None


def as_object(value: object) -> Mapping[str, object] | None:
    """What is no object says nothing; the reply that it stands beside is paid for."""
    return value if isinstance(value, Mapping) else None


def as_text(value: object, hide: Callable[[str], str] = hide_sent) -> str | None:
    r"""A text without the secrets that were sent, and with U+FFFD for half of a surrogate pair; None for what is none.

    Nothing can write such a half, and the reply is paid for.

    >>> as_text("half \ud83d"), as_text(5)
    ('half \ufffd', None)
    """
    if not isinstance(value, str):
        return None
    if value.isascii():
        return hide(value)
    return hide(value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def with_whole_escapes(body: bytes) -> bytes:
    r"""JSON with `\ufffd` for every escape that is half of a surrogate pair, which strict parsers refuse."""
    if b"\\u" not in body or not _SURROGATE.search(body):
        return body
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)
