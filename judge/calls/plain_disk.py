"""How the shared store keeps values on disk: bytes under text keys, for their owner only, and nothing else is read.

diskcache unpickles whatever a row says is a pickle, its JSONDisk too: a planted row runs code (CVE-2025-69872).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW

from judge.errors import CacheError

__all__ = ["PlainDisk", "make_private_folder"]


class PlainDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Stores bytes under text keys and refuses everything else."""

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

    def _write(self, full_path: str, iterator: Iterable[bytes], mode: str, encoding: str | None = None) -> int:  # noqa: ARG002 - diskcache's own signature; values are bytes
        """Write a value's file; not with a umask, which all threads of a process share."""
        path = Path(full_path)
        content = b"".join(iterator)
        for _ in range(10):  # another process may remove a folder that it leaves empty
            with suppress(FileNotFoundError):
                make_private_folder(path.parent)
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                break
        else:
            raise FileNotFoundError(full_path)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        return len(content)

    def _is_ours(self, filename: object) -> bool:
        """Whether this is a file that diskcache keeps a value in."""
        if not isinstance(filename, str) or "\0" in filename:
            return False
        folder = Path(self._directory).resolve()
        path = (folder / filename).resolve()
        return path.suffix == ".val" and path.is_relative_to(folder)


def make_private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
