"""What a request sends -> the key that it goes by.

The key is the SHA-256 of one JSON list: who is asked, the system message, the user message, the schema, and the rest.
Many calls have its beginning and its middle in common, which are therefore hashed, or written, once: of 4 kB a call
that leaves 1, and so little that hashlib does not let go of the interpreter meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import orjson

__all__ = ["request_key"]

_KNOWN = 64


def request_key(
    named: Sequence[object], system: str, user: tuple[str, str], schema: str, rest: Sequence[object]
) -> str:
    """The key of a request.

    Args:
        named: Who is asked, and how.
        system: The system message.
        user: The user message: what it has in common with other calls, and what follows that.
        schema: Of the reply.
        rest: What else changes the answer, at least one thing.

    Returns:
        64 hex digits over `[*named, system, shared + own, schema, *rest]` as canonical JSON.
    """
    shared, own = user
    hashed = _hash_shared(_written(named), system, shared).copy()
    hashed.update(_written(own)[1:] + _between(schema) + _written(rest)[1:])
    return hashed.hexdigest()


@lru_cache(maxsize=_KNOWN)
def _hash_shared(named: bytes, system: str, shared: str) -> hashlib._Hash:
    """As far as the shared text; the string that it begins is still open."""
    hashed = _hash_system(named, system).copy()
    hashed.update(_written(shared)[1:-1])
    return hashed


@lru_cache(maxsize=_KNOWN)
def _hash_system(named: bytes, system: str) -> hashlib._Hash:
    return hashlib.sha256(named[:-1] + b"," + _written(system) + b',"')


@lru_cache(maxsize=_KNOWN)
def _between(schema: str) -> bytes:
    return b"," + _written(schema) + b","


def _written(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
