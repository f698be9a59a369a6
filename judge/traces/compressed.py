"""gzip and Zstandard -> the lines inside, numbered.

Both are read in small portions, so that what a portion grows to is bounded: 1 KiB of gzip to 1 MiB, of Zstandard to
32 MiB. A stream may be several members (gzip) or frames (Zstandard) after one another. One that is cut off or damaged
gives all complete lines before that, and then one error.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import zstandard

from judge.errors import InputError, RecordError
from judge.traces.jsonl import read_lines
from judge.traces.row import MAGIC, Row

__all__ = ["MAX_RATIO", "RATIO_FREE_BYTES", "read_compressed"]

MAX_RATIO: Final = 500
"""Bytes out for one in, beyond which it is a bomb: JSONL that repeats itself a lot comes to 100, gzip ends at 1,032."""

RATIO_FREE_BYTES = 64 * 1024 * 1024
"""So much may come out of anything."""

_PORTION_BYTES: Final = 1024
_MAX_WINDOW_BYTES: Final = 2**27  # of `zstd --long`; above, a frame says how much memory we are to hold for it
_WITH_HEADER: Final = 31  # zlib's word for gzip, whatever its window


class _Decoder(Protocol):
    """One member; of zlib's and zstandard's the part that is alike."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: Final[dict[str, Callable[[], _Decoder]]] = {
    "gzip": lambda: zlib.decompressobj(_WITH_HEADER),
    "Zstandard": lambda: zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj(),
}
_BEGINS: Final = {kind: tuple(magic for magic, found in MAGIC.items() if found == kind) for kind in _DECODERS}
_MAGIC_BYTES: Final = 4


def read_compressed(stream: io.BufferedReader[Any], kind: str, name: str) -> Iterator[Row]:
    """The lines inside; see `read_lines`.

    Args:
        stream: Of compressed bytes, read once.
        kind: `gzip` or `Zstandard`.
        name: Of the input, for messages.

    Raises:
        InputError: Nothing of it can be read: it is damaged from the start, or wants too much memory.
    """
    inflated = _Inflated(stream, kind)

    def broken(number: int) -> RecordError | None:
        if inflated.fault is None:
            return None
        code, message = inflated.fault
        if not inflated.given and code != "archive_truncated":
            raise InputError(f"{name}: {message}", code=code)
        hint = "Get it anew." if code == "archive_damaged" else "The lines before this one are whole."
        return RecordError(message, line=number, code=code, hint=hint)

    yield from read_lines(io.BufferedReader(inflated, 2**18), name, broken=broken)


class _Inflated(io.RawIOBase):
    """What is inside, as a stream.

    Attributes:
        fault: A short word and a sentence once it ended too early.
        given: Bytes that came out so far.
    """

    def __init__(self, stream: io.BufferedReader[Any], kind: str) -> None:
        super().__init__()
        self.fault: tuple[str, str] | None = None
        self.given = 0
        self._taken = 0
        self._stream = stream
        self._kind = kind
        self._pieces = self._inflate()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _inflate(self) -> Iterator[bytes]:
        decoder: _Decoder | None = None
        left = b""
        try:
            while chunk := left or self._read():
                if decoder is None and not (chunk := self._beginning(chunk)):
                    return
                decoder = decoder or _DECODERS[self._kind]()
                piece = decoder.decompress(chunk)
                left, decoder = (decoder.unused_data, None) if decoder.eof else (b"", decoder)
                self.given += len(piece)
                yield piece
                if self._is_bomb():
                    return
        except (zlib.error, zstandard.ZstdError) as exc:
            self.fault = ("archive_damaged", f"the {self._kind} stream is damaged: {exc}.")
        if decoder is not None and self.fault is None:
            self.fault = ("archive_truncated", f"the {self._kind} stream was cut off: it has no end.")

    def _read(self) -> bytes:
        portion = self._stream.read1(_PORTION_BYTES)
        self._taken += len(portion)
        return portion

    def _beginning(self, chunk: bytes) -> bytes:
        """The first bytes of a member. None at the end, which gzip may pad with zeros, and where it is no member."""
        if self._kind == "gzip":
            while chunk and not (chunk := chunk.lstrip(b"\0")):
                chunk = self._read()
        while len(chunk) < _MAGIC_BYTES and (more := self._read()):
            chunk += more
        if chunk and not chunk.startswith(_BEGINS[self._kind]):
            self.fault = ("archive_garbage", f"after the end of the {self._kind} stream there is more, which is none.")
            return b""
        return chunk

    def _is_bomb(self) -> bool:
        if self.given <= max(RATIO_FREE_BYTES, MAX_RATIO * self._taken):
            return False
        limit = f"after the first {RATIO_FREE_BYTES // 2**20} MiB at most {MAX_RATIO} bytes may come out of one"
        self.fault = ("archive_bomb", f"the {self._kind} stream grows beyond all measure: {limit}.")
        return True
