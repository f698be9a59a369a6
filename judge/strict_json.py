"""Bytes or text -> one JSON value, or an error that says what is wrong: one parser for records and for replies.

Stricter than the standard library's: no duplicate keys (parsers disagree which one wins), no NaN, Infinity or
1e999 (a NaN that is clamped carelessly becomes the best score), no lone surrogates (one of them ends a table write),
no number that other readers of the file would round.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

__all__ = ["StrictJsonError", "parse_json"]

_MAX_DIGITS = 18  # the most that always fits 64 bits; longer whole numbers are rounded by other readers
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What is left of the text where a word, a number or an escape was cut off: `tru`, `1.`, `1e+`, `\u00e`.
_CUT_OFF = re.compile(r"-|\.|[eE][+-]?|t(ru?)?|f(a(ls?)?)?|n(ul?)?|u[0-9a-fA-F]{0,4}")
_BLANK = " \t\r\n"
_SHOWN_LENGTH = 60


class StrictJsonError(ValueError):
    """The text is not one strict JSON value.

    Args:
        code: `not_utf8`, `bom_inside`, `json_truncated`, `json_invalid`, `duplicate_key`, `non_finite`,
            `number_too_large`, `too_deep` or `lone_surrogate`.
        message: What was found, and where.
        field: Dotted path of the value, where the fault lies in one.
    """

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field


def parse_json(source: bytes | str) -> Any:
    """Parse exactly one JSON value.

    Args:
        source: UTF-8 bytes or text, without a byte-order mark.

    Returns:
        Python objects: dict, list, str, int (up to 18 digits), finite float, bool, None.

    Raises:
        StrictJsonError: The source is anything else.
    """
    text = source if isinstance(source, str) else _decode(source)
    try:
        value = _DECODER.decode(text)
        # UTF-8 cannot carry a surrogate, so bytes hold one only as an escape; text may hold it as it is.
        if isinstance(source, str) or ("\\u" in text and _SURROGATE_ESCAPE.search(text)):
            _refuse_surrogates(value)
    except json.JSONDecodeError as exc:
        raise _explain(exc, text) from exc
    except RecursionError as exc:
        raise StrictJsonError("too_deep", "is nested too deeply to be read") from exc
    return value


def _decode(source: bytes) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.reason == "unexpected end of data":
            raise StrictJsonError("json_truncated", f"ends in the middle of a character, at byte {exc.start}") from exc
        bad = source[exc.start : exc.start + 1]
        raise StrictJsonError("not_utf8", f"byte {exc.start} ({bad!r}) is not UTF-8") from exc


def _explain(exc: json.JSONDecodeError, text: str) -> StrictJsonError:
    if text.startswith("\ufeff"):
        return StrictJsonError("bom_inside", "begins with a byte-order mark, which only the first line of a file may")
    rest = text[exc.pos :].rstrip(_BLANK)
    if not rest or _CUT_OFF.fullmatch(rest) or exc.msg.startswith("Unterminated string"):
        return StrictJsonError("json_truncated", f"ends in the middle of a JSON value, at character {exc.pos}")
    if exc.msg == "Extra data":
        return StrictJsonError("json_invalid", f"has a second JSON value at character {exc.pos}")
    return StrictJsonError("json_invalid", f"is not JSON: {exc.msg.removesuffix(' at')} at character {exc.pos}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = _first_twice(key for key, _ in pairs)
        raise StrictJsonError("duplicate_key", f"has the key {twice!r} twice", twice)
    return value


def _first_twice(keys: Iterable[str]) -> str:
    """Cut and without surrogates, as it goes into a message; a set, as a line may hold a million keys."""
    seen: set[str] = set()
    twice = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return twice[:_SHOWN_LENGTH].encode("utf-8", "backslashreplace").decode()


def _integer(digits: str) -> int:
    if (length := len(digits.removeprefix("-"))) > _MAX_DIGITS:
        raise StrictJsonError("number_too_large", f"has a whole number of {length} digits; {_MAX_DIGITS} fit")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise StrictJsonError("non_finite", f"has the number {digits}, which is not finite")
    return number


def _constant(name: str) -> NoReturn:
    raise StrictJsonError("non_finite", f"has {name}, which is not a JSON number")


# Built once: `json.loads` with hooks makes a decoder and a scanner on every call.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _refuse_surrogates(value: Any) -> None:
    for path, text in _strings(value, ""):
        if _SURROGATE.search(text):
            raise StrictJsonError("lone_surrogate", "has half of a surrogate pair, which is not text", path)


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield path, key
            yield from _strings(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _strings(child, f"{path}[{index}]")
