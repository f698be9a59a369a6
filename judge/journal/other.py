"""The journal of another run -> the replies in it, which are only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from judge.backend import Reply
from judge.errors import CacheError
from judge.journal.file import connect_file
from judge.journal.journal import find_replies
from judge.journal.sealed import DamagedError

__all__ = ["OtherJournal"]


class OtherJournal:
    """What another run paid for, the unusable replies too, so that an equal request has an equal chain of replies.

    Args:
        path: The SQLite file; its run may be at work.

    Raises:
        CacheError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._db = connect_file(path, "ro")

    def find_all(self, call_ids: Sequence[str]) -> dict[str, Reply]:
        """The replies to those of these calls that have one.

        Raises:
            CacheError: They cannot be read. To go on would pay for what is there.
        """
        with self._errors():
            return find_replies(self._db, call_ids)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, DamagedError) as exc:
            hint = "The command that made this run mends it when it goes on there."
            raise CacheError(f"{self._path} cannot be read: {exc}", hint=hint) from exc
