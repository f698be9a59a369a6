"""A diskcache that takes many small values in one statement: one at a time they cost more than a call to the judge."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import diskcache
from diskcache.core import MODE_RAW

from judge.calls.plain_disk import PlainDisk
from judge.errors import CacheError

__all__ = ["PlainCache"]

# As `Cache._row_insert` writes a value that never expires and is small enough to have no file of its own.
_COLUMNS = "key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value"
_ROW = f"(?, 1, ?, NULL, ?, 0, NULL, 0, {MODE_RAW}, NULL, ?)"
_FIND = "SELECT key, mode, value FROM Cache WHERE raw = 1 AND key IN"
_GONE = object()


class PlainCache(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """Bytes under text keys; nothing is evicted unasked.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            str(path),
            disk=PlainDisk,
            eviction_policy="none",
            cull_limit=0,
            size_limit=2**62,
            statistics=0,
        )

    @property
    def sql(self) -> Callable[..., sqlite3.Cursor]:
        """Runs a statement on this thread's connection."""
        run: Callable[..., sqlite3.Cursor] = self._sql
        return run

    def find(self, key: str) -> bytes | None:
        """The value of a key; None where there is none, or not one that we write."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """The values of those keys that have one; None is for a value that we would not write."""
        rows = self.sql(f"{_FIND} ({', '.join('?' * len(keys))})", keys).fetchall()
        read = {key: value if mode == MODE_RAW else self._slowly(key) for key, mode, value in rows}
        return {key: value if isinstance(value, bytes) else None for key, value in read.items() if value is not _GONE}

    def _slowly(self, key: str) -> object:
        """What stands in a file of its own."""
        try:
            return self.get(key, _GONE)
        except CacheError:
            return None

    def put_all(self, values: Mapping[str, bytes]) -> None:
        """Store values; inside `transact` all of them or none."""
        small = {key: value for key, value in values.items() if len(value) < self.disk_min_file_size}
        rest = set(values) - small.keys()
        if small and self._add(small, time.time()) < len(small):
            rest = set(values)  # some are there already, and it is not told which
        for key in rest:
            self.set(key, values[key], retry=True)

    def _add(self, values: Mapping[str, bytes], now: float) -> int:
        """Insert those whose key is new; how many these were.

        Not which: to fetch them, row by row, would take the interpreter from the loop as often.
        """
        row = [part for key, value in values.items() for part in (key, now, now, value)]
        statement = f"INSERT OR IGNORE INTO Cache({_COLUMNS}) VALUES {', '.join([_ROW] * len(values))}"  # noqa: S608 - of our own words
        return self.sql(statement, row).rowcount
