"""A value -> YAML that reads back as the same value, and that a person can edit.

Strings are JSON strings, or blocks of lines where they have some, so that no text of others can be YAML. Single words
stand as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from judge.prompt import quoted

__all__ = ["yaml_text"]

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FEW: Final = 80  # letters
_NOT_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # of YAML 1.1
# What YAML does not print, and what ends a line or turns its direction: written as an escape.
_HIDDEN: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]")


def yaml_text(value: dict[str, Any] | list[Any]) -> str:
    """Block YAML of a value of JSON's types; floats are finite."""
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    """Of a mapping or list that is not empty."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _entry(f"{indent}{_word(key)}:", inner, f"{indent}  ")
        return
    for inner in value:
        if isinstance(inner, dict) and inner:
            first, *rest = _lines(inner, f"{indent}  ")
            yield f"{indent}- {first.lstrip(' ')}"
            yield from rest
        else:
            yield from _entry(f"{indent}-", inner, f"{indent}  ")


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if _is_short(value):
        yield f"{head} [{', '.join(map(_scalar, value))}]"
    elif isinstance(value, dict | list) and value:
        yield head
        yield from _lines(value, indent)
    elif isinstance(value, str) and _is_block(value):
        yield f"{head} |{'' if value.endswith(chr(10)) else '-'}"
        yield from (f"{indent}{line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        yield f"{head} {_scalar(value)}"


def _is_short(value: Any) -> bool:
    """A list of few plain values, which goes on one line."""
    return isinstance(value, list) and not any(isinstance(one, dict | list) for one in value) and len(str(value)) < _FEW


def _is_block(text: str) -> bool:
    """Lines that a block holds as they are: it takes its indent from the first, and gives back one line end at most."""
    lines = text.removesuffix("\n").split("\n")
    plain = not re.search(r"[\x00-\x08\x0b-\x1f]", text) and not _HIDDEN.search(text)
    return "\n" in text and plain and lines[0][:1] not in ("", " ", "\t") and lines[-1].strip(" \t") != ""


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, float):
        return _number(value)
    return orjson.dumps(value).decode()


def _number(value: float) -> str:
    """YAML 1.1 takes `1e+300` for text: its numbers have a point."""
    digits, exponent, power = repr(value).partition("e")
    return f"{digits if '.' in digits else f'{digits}.0'}{exponent}{power}"


def _word(text: str) -> str:
    if _WORD.fullmatch(text) and text.casefold() not in _NOT_WORDS:
        return text
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted(text))
