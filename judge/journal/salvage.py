"""A damaged journal -> every reply in it that is still whole.

SQLite gives up a whole branch of its tree when one page of it is broken. Here every page of the file, and of its log,
is taken for a leaf with rows, whatever it says of itself; what comes out is believed only where its seal is whole.

Source: The SQLite file format, sections 1.5 "B-tree Pages", 1.6 "Overflow Pages" and 2.1 "Record Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from judge.journal.file import RETIRED
from judge.journal.sealed import is_sealed
from judge.journal.wal import FRAME_HEAD_BYTES, LOG_HEAD_BYTES, PAGE_BYTES, log_of

__all__ = ["Row", "Salvaged", "salvage"]

_LEAF_HEAD = 8
_MOST_LOCAL = PAGE_BYTES - 35
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_OVERFLOW_BYTES = PAGE_BYTES - 4
_LARGEST_ROW = 2**26
_LARGEST_GAP = 1000
_Entry = tuple[bytes, int, int]  # call id, retired, row number
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)  # by serial type; 8 and 9 are the constants 0 and 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the journal; `sealed` is as it was stored."""

    number: int
    call_id: str
    sealed: bytes
    retired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What is left of a journal.

    Attributes:
        rows: The whole ones, in the order in which they were committed.
        held: How many there were, as far as row numbers tell; at least those in `rows`.
    """

    rows: list[Row]
    held: int


def salvage(path: Path) -> Salvaged:
    """Read what can be read of a journal and its log. Nothing is changed.

    Raises:
        OSError: The file cannot be read at all.
    """
    pages = _Pages(_content(path), _content(log_of(path)))
    found: dict[tuple[str, bytes], Row] = {}
    entries = set[_Entry]()
    for page in pages:
        for start in _cells(page):
            with suppress(ValueError):  # no cell of ours, or a broken one
                entries.add(_entry(page, start))
            with suppress(ValueError):
                row = _row(page, start, pages)
                entries.add((row.call_id.encode(), row.retired, row.number))
                found[row.call_id, row.sealed] = row
    # Pages are there in several states, and what retires a reply is in the index too. It is never un-retired.
    rows = [
        replace(row, retired=RETIRED) if (row.call_id.encode(), RETIRED, row.number) in entries else row
        for row in sorted(found.values(), key=lambda row: row.number)
    ]
    return Salvaged(rows=rows, held=max(len(rows), _highest({number for _, _, number in entries})))


class _Pages:
    """Pages by number, in the state that was written last; going through them gives all states."""

    def __init__(self, file: bytes, log: bytes) -> None:
        self._file = file
        self._log = log
        self._frames: dict[int, int] = {}
        for start in range(LOG_HEAD_BYTES, len(log) - FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + PAGE_BYTES):
            self._frames[int.from_bytes(log[start : start + 4])] = start + FRAME_HEAD_BYTES

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._file), PAGE_BYTES):
            yield self._file[start : start + PAGE_BYTES]
        for start in range(LOG_HEAD_BYTES, len(self._log), FRAME_HEAD_BYTES + PAGE_BYTES):
            yield self._log[start + FRAME_HEAD_BYTES : start + FRAME_HEAD_BYTES + PAGE_BYTES]

    def page(self, number: int) -> bytes:
        """A page, or ValueError."""
        if (start := self._frames.get(number)) is not None:
            return self._log[start : start + PAGE_BYTES]
        if not 0 < number <= len(self._file) // PAGE_BYTES:
            raise ValueError("no such page")
        return self._file[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _cells(page: bytes) -> Iterator[int]:
    """Where the cells of a leaf begin, whatever the page says of their number."""
    for at in range(_LEAF_HEAD, len(page) - 1, 2):
        start = int.from_bytes(page[at : at + 2])
        if not at < start < len(page):
            return
        yield start


def _row(page: bytes, start: int, pages: _Pages) -> Row:
    """The row of a cell.

    Raises:
        ValueError: There is none, or it is broken.
    """
    length, start = _varint(page, start)
    number, start = _varint(page, start)
    match _values(_payload(page, start, length, pages)):
        case [bytes(call_id), bytes(sealed), int(retired)] if retired in (0, RETIRED) and is_sealed(call_id, sealed):
            return Row(number=number, call_id=call_id.decode(), sealed=sealed, retired=retired)
    raise ValueError("no row of a journal")


def _entry(page: bytes, start: int) -> _Entry:
    """What a cell of the index says, which tells of rows that are lost too; or ValueError."""
    length, start = _varint(page, start)
    match _values(page[start : start + min(length, PAGE_BYTES)]):
        case [bytes(call_id), int(retired), int(number)] if retired in (0, RETIRED) and number > 0:
            return call_id, retired, number
    raise ValueError("no entry of the index")


def _payload(page: bytes, start: int, length: int, pages: _Pages) -> bytes:
    if length > _LARGEST_ROW:
        raise ValueError("longer than any row")
    if length <= _MOST_LOCAL:
        return page[start : start + length]
    local = _LEAST_LOCAL + (length - _LEAST_LOCAL) % _OVERFLOW_BYTES
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    parts, following = [page[start : start + local]], page[start + local : start + local + 4]
    for _ in range(-(-(length - local) // _OVERFLOW_BYTES)):
        overflow = pages.page(int.from_bytes(following))
        parts.append(overflow[4:])
        following = overflow[:4]
    return b"".join(parts)[:length]


def _values(payload: bytes) -> list[object]:
    """The columns of a record: texts and blobs as bytes, integers; ValueError for anything else."""
    size, at = _varint(payload, 0)
    values: list[object] = []
    begin = size
    while at < size:
        kind, at = _varint(payload, at)
        width = (kind - 12) // 2 if kind >= 12 else _INTEGER_BYTES[kind] if kind < len(_INTEGER_BYTES) else 0
        data = payload[begin : begin + width]
        begin += width
        values.append(data if kind >= 12 else kind - 8 if kind in (8, 9) else int.from_bytes(data, signed=True))
    if begin != len(payload):
        raise ValueError("lengths that do not add up")
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where the next thing begins."""
    value = 0
    for place in range(9):
        if at >= len(data):
            raise ValueError("cut")
        byte, at = data[at], at + 1
        if place == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    raise AssertionError("nine bytes end it")


def _highest(numbers: set[int]) -> int:
    """The highest row number that is near another: a broken one may be anything."""
    highest = 0
    for number in sorted(numbers):
        if number - highest <= _LARGEST_GAP:
            highest = number
    return highest
