r"""A JSONL stream -> its lines, numbered.

Lines are bytes split on `\n` and nothing else: `str.splitlines` also cuts at U+2028, inside a text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, cast

from judge.errors import InputError, RecordError
from judge.working import END, reader

__all__ = ["MAX_LINE_BYTES", "Line", "Lines", "read_lines"]

MAX_LINE_BYTES = 64 * 1024 * 1024
_UTF8_BOM = b"\xef\xbb\xbf"
Line = tuple[int, tuple[int, bytes | RecordError]]
"""Position from 0; line number from 1, and the line without its end, or why it cannot be held."""


def read_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | RecordError]]:
    """The non-blank lines of a JSONL stream, with their numbers.

    Args:
        stream: Opened for bytes; read once, a line at a time.

    Yields:
        `(line number, bytes)` without the line end, or an error in place of a line that is too long to hold.

    Raises:
        InputError: The stream is UTF-16 or UTF-32, or one JSON array.
    """
    number = 0
    while chunk := stream.readline(MAX_LINE_BYTES):
        number += 1
        cut = len(chunk) == MAX_LINE_BYTES and not chunk.endswith(b"\n")
        if number == 1:
            chunk = _jsonl_start(chunk)
        if cut:
            yield number, _too_long(stream, number)
        elif line := chunk.strip(b" \t\r\n"):
            yield number, line


def _jsonl_start(first: bytes) -> bytes:
    """The first line without a byte-order mark; wrong files are told here, once, and not a line at a time."""
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in first[:4]:
        raise InputError("the input is UTF-16 or UTF-32, not UTF-8.", hint="Convert it: iconv -f UTF-16 -t UTF-8")
    first = first.removeprefix(_UTF8_BOM)
    if first.lstrip().startswith(b"["):
        hint = "One record a line: jq -c '.[]' FILE > FILE.jsonl"
        raise InputError("the input is a JSON array, not JSONL.", hint=hint)
    return first


def _too_long(stream: BinaryIO, number: int) -> RecordError:
    while chunk := stream.readline(MAX_LINE_BYTES):
        if chunk.endswith(b"\n"):
            break
    limit = MAX_LINE_BYTES // 2**20
    return RecordError(f"is longer than {limit} MiB.", line=number, code="record_too_large")


class Lines:
    """The lines of the input, with their positions from 0, up to a limit.

    Args:
        source: JSONL, opened for bytes.
        limit: Lines to read at most.

    Attributes:
        read: Lines read so far.
        waits: Reading may take long, as from a pipe.
        read_to_end: The input has no more lines.
        nothing_left: Nor is there anything else to read, the limit being reached.
    """

    def __init__(self, source: BinaryIO, limit: int | None) -> None:
        self.read = 0
        self.waits = not source.seekable()
        self.read_to_end = False
        self.nothing_left = False
        self._lines = self._take(source, limit)
        self._first: list[Line] = []

    async def begin(self, stop: asyncio.Event, name: str) -> None:
        """Read the first line.

        Raises:
            InputError: There is none, or the input is no JSONL.
        """
        first = await reader(self._lines, stop, waits=self.waits)()
        if stop.is_set():
            raise asyncio.CancelledError
        if first is END:
            raise InputError(f"{'standard input' if name == '-' else name} holds no records.")
        self._first.append(cast("Line", first))

    @property
    def first(self) -> bytes | RecordError | None:
        """The first line, once it was read by `begin`."""
        return self._first[0][1][1] if self._first else None

    def __iter__(self) -> Iterator[Line]:
        return chain(self._first, self._lines)

    def _take(self, source: BinaryIO, limit: int | None) -> Iterator[Line]:
        for line in enumerate(read_lines(source)):
            if line[0] == limit:
                break
            self.read += 1
            yield line
        else:
            self.read_to_end = True
        self.nothing_left = True
