"""A path -> its rows, numbered.

JSONL, plain or compressed with gzip or Zstandard, and Parquet. The first bytes say what a file is, not its name; a name
that promises more than they hold is an error. Everything is read as a stream, so memory stays flat; of a file that
grows meanwhile what was there at the start, so that a run ends.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from judge.errors import InputError
from judge.traces.row import MAGIC, Format, Row

__all__ = ["UNREADABLE", "Source", "count_rows", "measure", "open_source", "read_stream"]

UNREADABLE: Final = "unreadable"
"""Code of an InputError that is no mistake of the user's and may come at any row, after others were paid for."""

_SUFFIXES: Final[dict[str, Format]] = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".zst": "Zstandard",
    ".zstd": "Zstandard",
    ".parquet": "Parquet",
    ".pq": "Parquet",
}
_OTHERS: Final = {b"PK\x03\x04": "a ZIP archive", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
_LONGEST_MAGIC: Final = 6
_BUFFER_BYTES: Final = 2**18
_PORTION_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The rows of one input, to be gone through once.

    Attributes:
        rows: In the input's order; reading the first one may raise InputError.
        waits: Reading may take long, as from a pipe.
    """

    rows: Iterator[Row]
    waits: bool = False

    def __iter__(self) -> Iterator[Row]:
        return self.rows


def measure(path: str) -> int | None:
    """Bytes of a file for `open_source`, so that all who read it read the same rows though it grows.

    None where that is not known: of what is no file, and of an empty one, as files of the kernel say that they are.
    """
    if path == "-" or not Path(path).is_file():
        return None
    with _opened(path) as file:  # over a network, only who opens a file is sure of its size
        return file.seek(0, io.SEEK_END) or None


@contextmanager
def open_source(path: str, *, size: int | None = None) -> Iterator[Source]:
    """Open an input for reading; nothing is read before the first row is asked for.

    Args:
        path: Of a file, a named pipe, or `-` for standard input.
        size: Bytes of the file that are read, Parquet aside; None for those that it has when the first row is read.

    Raises:
        InputError: Standard input is closed, or the file cannot be opened. With the first row: the input is of no known
            format, or is broken. With any row, of the code `unreadable`: the disk or the network failed.
    """
    if path == "-":
        yield read_stream(_standard_input(), name="-")
        return
    with _unbuffered(path) as file:
        yield read_stream(file, name=path, size=size)


def read_stream(stream: io.RawIOBase | io.BytesIO, *, name: str = "-", size: int | None = None) -> Source:
    """The rows of an open stream.

    Args:
        stream: Opened for bytes, at its start.
        name: Its path, for messages and for Parquet, which is read by path; `-` where it has none.
        size: As of `open_source`.
    """
    return Source(rows=_readable(_rows(stream, name, size), name), waits=not stream.seekable())


def _readable(rows: Iterator[Row], name: str) -> Iterator[Row]:
    with _reading(name):
        yield from rows


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Say of an error of the disk that it is the input's: whoever writes a run would take it for one of its own."""
    try:
        yield
    except OSError as exc:
        message = f"{_called(name)} cannot be read: {exc.strerror or exc}."
        raise InputError(message, code=UNREADABLE, hint="Once it can, the same command goes on.") from exc


async def count_rows(path: str, limit: int | None) -> int | None:
    """Rows of a file for the time left, blank lines too; `limit` at most, and None where it cannot be known before.

    Pipes can be read but once, and compressed files are not counted: that would cost as much as reading them. Either
    may end long before the limit.
    """
    found = _file_format(path)
    counted = None
    if found == "JSONL":
        counted = await _count_lines(path, limit)
    elif found == "Parquet":
        from judge.traces.parquet import count_table

        with suppress(InputError):  # which the run itself will say
            counted = await asyncio.to_thread(count_table, path)
    return counted if limit is None or counted is None else min(counted, limit)


def _file_format(path: str) -> Format | None:
    """Of a file; None where it is a pipe, which can be read but once."""
    if path == "-" or not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        return _format(file.peek(_LONGEST_MAGIC))


def _unbuffered(path: str) -> io.FileIO:
    with _reading(path):
        return Path(path).open("rb", buffering=0)


def _opened(path: str) -> io.BufferedReader:
    return Path(path).open("rb")


async def _count_lines(path: str, limit: int | None) -> int:
    """Read in portions beside the loop: a line may be larger than memory, and the end of the run ends it."""
    lines, last = 0, b""
    with _opened(path) as file:  # in place: a thread would leave it open where the wait for it is cancelled
        while (limit is None or lines < limit) and (portion := await asyncio.to_thread(file.read, _PORTION_BYTES)):
            lines, last = lines + portion.count(b"\n"), portion
    return lines + (last != b"" and not last.endswith(b"\n"))


def _standard_input() -> io.RawIOBase:
    if sys.stdin is None:  # its number may be another file's by now
        raise InputError("standard input is closed.", hint="Give a file, or pipe records into it.")
    # Not sys.stdin, and never closed: both wait for the lock that a thread holds while it waits for a silent writer.
    return open(0, "rb", buffering=0, closefd=False)


def _rows(stream: io.RawIOBase | io.BytesIO, name: str, size: int | None) -> Iterator[Row]:
    size = _size(stream) if size is None else size
    head = _head(stream, size)
    found = _format(head)
    _refuse_wrong_name(name, found, head)
    if found == "Parquet":
        from judge.traces.parquet import read_table

        yield from read_table(_file_path(name))
        return
    whole = io.BufferedReader(_Rejoined(head, stream, size), _BUFFER_BYTES)
    if found == "JSONL":
        from judge.traces.jsonl import read_lines

        yield from read_lines(whole, name)
    else:
        from judge.traces.compressed import read_compressed

        yield from read_compressed(whole, found, name)


def _size(stream: io.RawIOBase | io.BytesIO) -> int:
    """Bytes that a file has now; as good as endless where that is not known, as of a pipe."""
    if not stream.seekable():
        return sys.maxsize
    begin = stream.tell()
    size = stream.seek(0, io.SEEK_END) - stream.seek(begin)
    return size or sys.maxsize  # files of the kernel say that they are empty, and are not


def _head(stream: io.RawIOBase | io.BytesIO, size: int) -> bytes:
    """The first bytes, and no more than it takes to know: the writer of a pipe may pause after any of them."""
    head = b""
    magics = (*MAGIC, *_OTHERS)
    while any(magic.startswith(head) and magic != head for magic in magics):
        more = stream.read(min(_LONGEST_MAGIC, size) - len(head))
        if not more:
            break
        head += more
    return head


def _format(head: bytes) -> Format:
    return next((found for magic, found in MAGIC.items() if head.startswith(magic)), "JSONL")


def _refuse_wrong_name(name: str, found: Format, head: bytes) -> None:
    for magic, other in _OTHERS.items():
        if head.startswith(magic):
            hint = "Unpack it first; JSONL, JSONL in gzip or Zstandard, and Parquet are read."
            raise InputError(f"{_called(name)} is {other}.", hint=hint)
    promised = _SUFFIXES.get(Path(name).suffix.lower(), "JSONL")
    if head and found == "JSONL" and promised != "JSONL":
        hint = "If it is plain JSONL, rename it; else get it anew."
        raise InputError(f"{_called(name)} is no {promised} file: it begins with {head!r}.", hint=hint)


def _file_path(name: str) -> Path:
    if name == "-" or not Path(name).is_file():
        hint = "Give the path of the file."
        raise InputError(f"{_called(name)} is Parquet, which cannot be read from a pipe.", hint=hint)
    return Path(name)


def _called(name: str) -> str:
    return "standard input" if name == "-" else name


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were looked at, and are to be read all the same; `size` bytes of it."""

    def __init__(self, head: bytes, rest: io.RawIOBase | io.BytesIO, size: int) -> None:
        super().__init__()
        self._head = head
        self._rest = rest
        self._left = size - len(head)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._head:
            size = min(len(buffer), len(self._head))
            buffer[:size], self._head = self._head[:size], self._head[size:]
            return size
        read = self._rest.readinto(memoryview(buffer)[: self._left])
        self._left -= read or 0
        return read
