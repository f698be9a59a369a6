"""Rows of a source -> lines with their places, up to a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias, cast

from judge.errors import InputError, RecordError
from judge.traces.row import Row
from judge.traces.source import Source
from judge.working import END, reader

__all__ = ["Line", "Lines"]

Line: TypeAlias = tuple[int, Row]
"""Position from 0, and the row."""


class Lines:
    """The rows of the input, with their positions from 0, up to a limit.

    Args:
        source: Whose rows they are.
        limit: Rows to read at most.
        only: Numbers of the rows that are read, from 1; None for all. The limit is of no use then.

    Attributes:
        read: Rows read so far.
        waits: Reading may take long, as from a pipe.
        read_to_end: The input has no more rows.
        nothing_left: Nor is there anything else to read, the limit being reached.
    """

    def __init__(self, source: Source, limit: int | None, only: Collection[int] | None = None) -> None:
        self.read = 0
        self.waits = source.waits
        self.read_to_end = False
        self.nothing_left = False
        self._lines = self._take(source, limit) if only is None else self._take(_chosen(source, only), None)
        self._first: list[Line] = []

    async def begin(self, stop: asyncio.Event, name: str) -> None:
        """Read the first row.

        Raises:
            InputError: There is none, or the input is of no known format.
        """
        first = await reader(self._lines, stop, waits=self.waits)()
        if stop.is_set():
            raise asyncio.CancelledError
        if first is END:
            raise InputError(f"{'standard input' if name == '-' else name} holds no records.")
        self._first.append(cast("Line", first))

    @property
    def first(self) -> tuple[int, bytes | Mapping[str, Any]] | None:
        """Number and content of the first row, once it was read by `begin`; None where it cannot be read."""
        number, row = self._first[0][1] if self._first else (0, None)
        return None if row is None or isinstance(row, RecordError) else (number, row)

    def __iter__(self) -> Iterator[Line]:
        return chain(self._first, self._lines)

    def _take(self, source: Iterable[Row], limit: int | None) -> Iterator[Line]:
        for line in enumerate(source):
            if line[0] == limit:
                break
            self.read += 1
            yield line
            if self.waits and self.read == limit:  # whether a pipe has more is not worth a wait
                break
        else:
            self.read_to_end = True
        self.nothing_left = True


def _chosen(source: Iterable[Row], only: Collection[int]) -> Iterator[Row]:
    """These rows; what comes after the last of them is not read."""
    left = set(only)
    for row in source:
        if row[0] in left:
            left.remove(row[0])
            yield row
        if not left:
            return
