"""A value -> the hash that it goes by.

Two values that say the same have one hash: the order of fields says nothing, and a null says what a missing field says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

__all__ = ["digest", "without_bytes"]

_DIGITS = 32


def digest(value: Mapping[str, object]) -> str:
    """32 hex digits of the SHA-256 of the canonical JSON; bytes count by their own hash.

    Raises:
        TypeError: It cannot be written as JSON.
    """
    return hashlib.sha256(_canonical(value)).hexdigest()[:_DIGITS]


def without_bytes(value: object) -> Any:
    """The same as JSON holds it, with `sha256:…` for bytes: an image in Parquet is none, and may be large.

    Raises:
        TypeError: It cannot be written as JSON.
    """
    return value if value is None or isinstance(value, str) else orjson.loads(_written(value))


def _canonical(value: Mapping[str, object]) -> bytes:
    with suppress(TypeError):  # a mapping that is no dict, which is made one below
        written = _written(value)
        if b"null" not in written and b"{}" not in written:  # nothing to leave out, and most records are so
            return written
    return _written(_without_nulls(value))


def _without_nulls(value: Any) -> Any:
    """Exporters differ in whether they write a field that has no value, and tables have all fields in every row."""
    try:
        if isinstance(value, Mapping):
            kept = {key: _without_nulls(child) for key, child in value.items()}
            return {key: child for key, child in kept.items() if child is not None and child != {}}
        return [_without_nulls(child) for child in value] if isinstance(value, list) else value
    except RecursionError as exc:
        raise TypeError("Recursion limit reached") from exc


def _written(value: object) -> bytes:
    return orjson.dumps(value, default=_bytes_hash, option=orjson.OPT_SORT_KEYS)


def _bytes_hash(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")
    return f"sha256:{hashlib.sha256(value).hexdigest()}"
