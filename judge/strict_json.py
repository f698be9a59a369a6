"""Bytes or text -> one JSON value, or an error that says what is wrong: one parser for records and for replies.

Stricter than the standard library's: no duplicate keys (parsers disagree which one wins), no NaN, Infinity or
1e999 (a NaN that is clamped carelessly becomes the best score), no lone surrogates (one of them ends a table write),
no number that other readers of the file would round.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

__all__ = ["StrictJsonError", "parse_json"]

_MAX_DIGITS = 18  # the most that always fits 64 bits; longer whole numbers are rounded by other readers
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class StrictJsonError(ValueError):
    """The text is not one strict JSON value.

    Args:
        code: `not_utf8`, `json_truncated`, `json_invalid`, `duplicate_key`, `non_finite`, `number_too_large`,
            `too_deep` or `lone_surrogate`.
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
    except json.JSONDecodeError as exc:
        raise _explain(exc, text) from exc
    except RecursionError as exc:
        raise StrictJsonError("too_deep", "is nested too deeply to be read") from exc
    if _SURROGATE_ESCAPE.search(text):
        _refuse_surrogates(value)
    return value


def _decode(source: bytes) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as exc:
        bad = source[exc.start : exc.start + 1]
        raise StrictJsonError("not_utf8", f"byte {exc.start} ({bad!r}) is not UTF-8") from exc


def _explain(exc: json.JSONDecodeError, text: str) -> StrictJsonError:
    if exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated string"):
        return StrictJsonError("json_truncated", f"ends in the middle of a JSON value, at character {exc.pos}")
    if exc.msg == "Extra data":
        return StrictJsonError("json_invalid", f"has a second JSON value at character {exc.pos}")
    return StrictJsonError("json_invalid", f"is not JSON: {exc.msg} at character {exc.pos}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise StrictJsonError("duplicate_key", f"has the key {twice!r} twice", twice)
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS + 1:
        raise StrictJsonError("number_too_large", f"has a whole number of {len(digits)} digits; {_MAX_DIGITS} fit")
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
