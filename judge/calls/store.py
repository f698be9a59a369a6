"""The shared store of usable replies: one folder for all runs on this machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW

from judge.backend import Reply
from judge.errors import CacheError
from judge.sealed import dump_reply, load_reply

__all__ = ["Store", "default_store_path"]


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Stores bytes under text keys and refuses everything else.

    diskcache unpickles whatever a row says is a pickle, its JSONDisk too: a planted row runs code (CVE-2025-69872).
    """

    def put(self, key: Any) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"a key must be text, not {key!r}")
        return key, True

    def get(self, key: Any, raw: bool) -> str:
        if not raw or not isinstance(key, str):
            raise CacheError("the store holds a key that we did not write.")
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if not isinstance(value, bytes):
            raise TypeError(f"a value must be bytes, not {type(value).__name__}")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> bytes:
        plain = isinstance(value, bytes) if mode == MODE_RAW else mode == MODE_BINARY and self._is_ours(filename)
        if not plain:
            raise CacheError("the store holds a value that we did not write.")
        try:
            found: bytes = super().fetch(mode, filename, value, read)
        except OSError as exc:  # diskcache would take it for a plain miss
            raise CacheError("the store has lost a file.") from exc
        return found

    def remove(self, file_path: str) -> None:
        """Called for the file of a row that is written over: a planted row may name any file."""
        if self._is_ours(file_path):
            super().remove(file_path)

    def _is_ours(self, filename: object) -> bool:
        """Whether this is a file that diskcache keeps a value in."""
        if not isinstance(filename, str) or "\0" in filename:
            return False
        folder = Path(self._directory).resolve()
        path = (folder / filename).resolve()
        return path.suffix == ".val" and path.is_relative_to(folder)


class Store:
    """Replies by request key. Nothing is evicted unasked; a damaged entry is a miss and is counted.

    Args:
        path: The folder; made if missing, for its owner only.

    Raises:
        CacheError: The folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = 0
        with self._errors(), _private_files():
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._cache = diskcache.Cache(
                str(path), disk=_PlainDisk, eviction_policy="none", cull_limit=0, size_limit=2**62, statistics=0
            )

    def find(self, key: str) -> Reply | None:
        """The usable reply to a request, or None."""
        with self._errors():
            try:
                sealed = self._cache.get(key)
                return None if sealed is None else load_reply(key, sealed)
            except CacheError:
                self.damaged += 1
                return None

    def keep(self, key: str, reply: Reply) -> None:
        """Store a usable reply."""
        with self._errors(), _private_files():
            self._cache.set(key, dump_reply(key, reply), retry=True)

    def close(self) -> None:
        """Close the store's files."""
        self._cache.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, diskcache.Timeout, OSError) as exc:
            message = f"the store {self._path}: {exc}."
            raise CacheError(message, hint="Give another --cache DIR, or --cache none.") from exc


def default_store_path() -> Path:
    """`$JUDGE_CACHE`, else `judge` in the user's cache folder."""
    chosen = os.environ.get("JUDGE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "judge"


@contextmanager
def _private_files() -> Iterator[None]:
    """Files made inside are for their owner only: they hold traces."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
