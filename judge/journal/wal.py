"""SQLite's write-ahead log -> whether replies are lost in it.

A killed process leaves a log, and the next one reads it up to the first frame whose checksum is wrong: what comes after
a damaged frame would be gone without a word. A log is a head of 32 bytes and frames of 24 bytes and a page; every frame
repeats the salt of the head, and its checksum goes on from the frame before.

Source: The SQLite file format, section 4, "The Write-Ahead Log".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

__all__ = ["FRAME_HEAD_BYTES", "LOG_HEAD_BYTES", "PAGE_BYTES", "log_of", "log_state"]

PAGE_BYTES = 4096
LOG_HEAD_BYTES = 32
FRAME_HEAD_BYTES = 24
_FRAME_BYTES = FRAME_HEAD_BYTES + PAGE_BYTES
_ORDERS = {b"\x37\x7f\x06\x82": "<", b"\x37\x7f\x06\x83": ">"}
_MOST_TURNS = 2**20
_Sums = tuple[int, int]


def log_of(path: Path) -> Path:
    """The log of a database."""
    return path.with_name(f"{path.name}-wal")


def log_state(log: bytes) -> Literal["whole", "cut", "broken"]:
    """How much of a log SQLite will read.

    Returns:
        `broken`: A damaged frame hides later ones. `cut`: The last frame is not whole, as a kill in the middle of a
        write leaves it; then its reply was never said to be committed.
    """
    head, frames = log[:LOG_HEAD_BYTES], _frames(log)
    if not frames:
        return "whole"
    order = _ORDERS.get(head[:4])
    if order is None or _summed((0, 0), head[:24], order) != _stored(head[24:32]):
        return "broken"  # SQLite reads none of them
    salts, sums = head[16:24], _stored(head[24:32])
    for start in frames:
        sums = _summed(_summed(sums, log[start : start + 8], order), _page(log, start), order)
        if log[start + 8 : start + 16] != salts or sums != _stored(log[start + 16 : start + 24]):
            lost = [other for other in frames if other >= start and not _is_earlier(log, other, salts)]
            return "whole" if not lost else "cut" if lost == [start] else "broken"
    return "cut" if (len(log) - LOG_HEAD_BYTES) % _FRAME_BYTES else "whole"


def _is_earlier(log: bytes, start: int, salts: bytes) -> bool:
    """Whether a frame is of an earlier turn through the file, and so was taken over long ago.

    Every turn adds one to the first salt and draws the second. Whatever else is there was of this turn: zeros are what
    a power cut leaves where the length of a file was written and its blocks were not.
    """
    page, salt = log[start : start + 4], log[start + 8 : start + 16]
    turns = (int.from_bytes(salts[:4]) - int.from_bytes(salt[:4])) % 2**32
    return any(page) and 0 < turns <= _MOST_TURNS and salt[4:] != salts[4:]


def _frames(log: bytes) -> range:
    return range(LOG_HEAD_BYTES, len(log) - _FRAME_BYTES + 1, _FRAME_BYTES)


def _page(log: bytes, start: int) -> bytes:
    return log[start + FRAME_HEAD_BYTES : start + _FRAME_BYTES]


def _stored(data: bytes) -> _Sums:
    first, second = struct.unpack(">2I", data)
    return first, second


def _summed(sums: _Sums, data: bytes, order: str) -> _Sums:
    first, second = sums
    for one, other in _pairs(data, order):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _pairs(data: bytes, order: str) -> Iterator[tuple[int, ...]]:
    return struct.iter_unpack(f"{order}2I", data)
