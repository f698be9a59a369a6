r"""JSONL -> its lines, numbered.

{"id": "r1", "trace": "The lung is clear."}
{"id": "r2", "trace": "There is an effusion."}

Lines are bytes split on `\n` and nothing else: `str.splitlines` also cuts at U+2028, inside a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from judge.errors import InputError, RecordError

__all__ = ["MAX_LINE_BYTES", "read_lines"]

MAX_LINE_BYTES = 64 * 1024 * 1024
_UTF8_BOM = b"\xef\xbb\xbf"


def _whole(number: int) -> RecordError | None:  # noqa: ARG001 - a plain stream ends where it ends
    return None


def read_lines(
    stream: BinaryIO, name: str = "-", *, broken: Callable[[int], RecordError | None] = _whole
) -> Iterator[tuple[int, bytes | RecordError]]:
    """The non-blank lines of a JSONL stream, with their numbers.

    Args:
        stream: Opened for bytes; read once, a line at a time.
        name: Of the input, for messages; `-` is standard input.
        broken: Asked at the end, with the number of the line that is not there: why the stream ended too early.

    Yields:
        `(line number, bytes)` without the line end, or an error in place of a line that is too long to hold. Of a
        stream that ended too early all lines that have their end, and then the error.

    Raises:
        InputError: The stream is UTF-16 or UTF-32, or one JSON array.
    """
    number = 0
    while chunk := stream.readline(MAX_LINE_BYTES):
        ended, cut = chunk.endswith(b"\n"), len(chunk) == MAX_LINE_BYTES
        if not ended and not cut and broken(number + 1):
            break
        number += 1
        if number == 1:
            chunk = _jsonl_start(chunk, "standard input" if name == "-" else name)
        if cut and not ended:
            yield number, _too_long(stream, number)
        elif line := chunk.strip(b" \t\r\n"):
            yield number, line
    if error := broken(number + 1):
        yield number + 1, error


def _jsonl_start(first: bytes, name: str) -> bytes:
    """The first line without a byte-order mark; wrong files are told here, once, and not a line at a time."""
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in first[:4]:
        hint = "Convert it: iconv -f UTF-16 -t UTF-8"
        raise InputError(f"{name}: line 1 is UTF-16 or UTF-32, not UTF-8.", hint=hint)
    first = first.removeprefix(_UTF8_BOM)
    if first.lstrip().startswith(b"["):
        hint = "One record a line: jq -c '.[]' FILE > FILE.jsonl"
        raise InputError(f"{name} is a JSON array, not JSONL: line 1 begins with '['.", hint=hint)
    return first


def _too_long(stream: BinaryIO, number: int) -> RecordError:
    while chunk := stream.readline(MAX_LINE_BYTES):
        if chunk.endswith(b"\n"):
            break
    limit = MAX_LINE_BYTES // 2**20
    return RecordError(f"is longer than {limit} MiB.", line=number, code="record_too_large")
