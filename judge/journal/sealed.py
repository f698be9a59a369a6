"""A reply -> bytes that nothing damaged can pass for, and back.

A stored reply is 16 bytes of a hash over its name and its JSON, and the JSON: without the seal, a flipped byte inside
the text would be another, readable reply, and a reply under another's name would be believed.
"""

from __future__ import annotations

import hashlib

import msgspec

from judge.backend import Reply
from judge.errors import CacheError

__all__ = ["DamagedError", "dump_reply", "is_sealed", "load_reply"]

_SEAL_BYTES = 16
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Reply)


class DamagedError(CacheError):
    """What is stored is not what was written."""


def dump_reply(name: str, reply: Reply) -> bytes:
    """Bytes of a reply, for `load_reply` under the same name."""
    body = _ENCODER.encode(reply)
    return _seal(name.encode(), body) + body


def load_reply(name: str, sealed: object) -> Reply:
    """A stored reply, as it was.

    Raises:
        DamagedError: These are not the bytes that were stored under this name.
    """
    if not isinstance(sealed, bytes) or not is_sealed(name.encode(), sealed):
        raise DamagedError("a stored reply was changed after it was written.")
    try:
        return _DECODER.decode(sealed[_SEAL_BYTES:])
    except msgspec.DecodeError as exc:
        raise DamagedError("a stored reply cannot be read.") from exc


def is_sealed(name: bytes, sealed: bytes) -> bool:
    """Whether these are the bytes that were stored under this name."""
    return sealed[:_SEAL_BYTES] == _seal(name, sealed[_SEAL_BYTES:])


def _seal(name: bytes, body: bytes) -> bytes:
    return hashlib.sha256(name + b"\0" + body).digest()[:_SEAL_BYTES]
