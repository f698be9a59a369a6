"""A run directory and a store -> what finds the reply to a request that is paid for already."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeAlias

from judge.backend import Reply
from judge.errors import InputError
from judge.journal.file import connect_file
from judge.journal.journal import find_replies
from judge.journal.sealed import DamagedError
from judge.prompt import Request
from judge.settings import Settings

__all__ = ["Find", "has_replies", "paid_replies"]

Find: TypeAlias = Callable[[Request], Reply | None]


@contextmanager
def paid_replies(settings: Settings, out: Path | None) -> Iterator[Find]:
    """The reply to a request that is in the run's journal or in the shared store, or None; neither is changed."""
    with ExitStack() as stack:
        journal = None
        if out is not None and _has_content(path := out / "journal.sqlite"):
            journal = stack.enter_context(closing(connect_file(path, "ro")))
        store = None
        if settings.cache is not None and settings.cache.exists():
            from judge.calls.store import Store

            store = Store(settings.cache)
            stack.callback(store.close)

        def find(request: Request) -> Reply | None:
            return _in_journal(journal, request) or (None if store is None else store.find(request.key))

        yield find


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def has_replies(path: Path) -> bool:
    """Whether a journal holds any.

    Raises:
        InputError: It cannot be read.
    """
    if not _has_content(path):
        return False
    with _journal_errors(), closing(connect_file(path, "ro")) as journal:
        return journal.execute("SELECT 1 FROM replies LIMIT 1").fetchone() is not None


def _in_journal(journal: sqlite3.Connection | None, request: Request) -> Reply | None:
    if journal is None:
        return None
    with _journal_errors():
        return find_replies(journal, [request.call_id]).get(request.call_id)


@contextmanager
def _journal_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, DamagedError) as exc:
        raise InputError(f"the journal cannot be read: {exc}.", hint="judge score mends it when it starts.") from exc
