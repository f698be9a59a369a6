"""Where traces are and how they are read -> Records, one after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from judge.errors import InputError, RecordError
from judge.lines import Lines
from judge.record import Record, parse_record

__all__ = ["Reading", "Traces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Which traces are scored; can be opened in several processes.

    Attributes:
        path: A file, or `-` for standard input, which one process only can read.
        limit: Rows to read at most; None for all.
    """

    path: str
    limit: int | None = None

    @property
    def name(self) -> str:
        """The path as text that can be written anywhere."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @contextmanager
    def opened(self) -> Iterator[Reading]:
        """The input, ready to be read once."""
        with _opened(self.path) as source:
            yield Reading(Lines(source, self.limit))


class Reading:
    """An input that is open.

    Attributes:
        lines: Its rows, numbered.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    async def record(self, number: int, row: bytes | RecordError) -> Record:
        """The record of a row.

        Raises:
            InputError: The row cannot be read as one.
        """
        if isinstance(row, RecordError):
            raise row
        return parse_record(row, number=number)


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    if path != "-":
        return Path(path).open("rb")
    if sys.stdin is None:  # its number may be another file's by now
        raise InputError("standard input is closed.", hint="Give a file, or pipe records into it.")
    # Not sys.stdin, and never closed: both wait for the lock that a thread holds while it waits for a silent writer.
    return nullcontext(open(0, "rb", closefd=False))
