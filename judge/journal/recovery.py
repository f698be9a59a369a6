"""A run's journal, opened, made whole again where it was damaged: nothing that can be read is paid for twice."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from judge.errors import CacheError
from judge.journal.file import connect_file, make_file
from judge.journal.journal import Journal, is_full
from judge.journal.salvage import Row, salvage
from judge.journal.sealed import DamagedError
from judge.journal.wal import log_of

__all__ = ["open_journal"]


def open_journal(path: Path) -> Journal:
    """Open a journal; where it was damaged, from every reply that can still be read, and `notes` say so.

    The damaged file is kept beside it as `journal.damaged-….sqlite`. Only the process that holds the run's lock may do
    this.

    Raises:
        CacheError: It cannot be opened or written, is of another version, or no reply in it can be read.
    """
    try:
        _finish(path)
        try:
            return Journal(path)
        except DamagedError as exc:
            note = _recover(path, exc)
        journal = Journal(path)
    except (OSError, sqlite3.Error) as exc:
        code = "disk_full" if is_full(exc, path.parent) else None
        raise CacheError(f"{path} cannot be recovered: {exc}.", code=code, hint="Nothing of it is lost.") from exc
    journal.notes.append(note)
    return journal


def _recover(path: Path, damage: DamagedError) -> str:
    found = salvage(path)
    if not found.rows:
        hint = (
            "Put a copy of it back, or remove it together with its -wal: what is in the tables stays, and the rest is "
            "asked and paid for anew."
        )
        raise CacheError(f"{damage.message} No reply in it can be read.", hint=hint)
    kept, pledges = _keep_aside(path), _pledges(path)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    make_file(draft)
    _fill(draft, found.rows, pledges)
    draft.replace(_ready(path))
    _finish(path)
    return (
        f"{damage.message} It is kept as {kept.name}; {len(found.rows):,} of its {found.held:,} replies were "
        "recovered, and what is missing is asked anew where it is needed."
    )


def _finish(path: Path) -> None:
    """Put a recovered journal in its place. Killed on the way, the next start goes on from here."""
    if not _ready(path).exists():
        return
    for rest in ("-wal", "-shm"):  # first: the log of the damaged file would be written over the new one
        path.with_name(path.name + rest).unlink(missing_ok=True)
    _ready(path).replace(path)


def _ready(path: Path) -> Path:
    return path.with_name(f"{path.stem}.recovered{path.suffix}")


def _pledges(path: Path) -> list[float]:
    """USD of calls whose cost is not known, where their table can still be read: a budget counts them as spent."""
    try:
        with closing(connect_file(path, "ro")) as db:
            found = db.execute("SELECT usd FROM pledges").fetchall()
    except sqlite3.Error:
        return []
    return [usd for (usd,) in found if isinstance(usd, float) and 0 < usd < math.inf]


def _fill(path: Path, rows: Iterable[Row], pledges: Iterable[float]) -> None:
    with closing(connect_file(path)) as db:
        db.execute("PRAGMA synchronous=FULL")
        db.execute("BEGIN IMMEDIATE")
        values = ((row.call_id, row.sealed, row.retired) for row in rows)
        db.executemany("INSERT INTO replies (call_id, reply, retired) VALUES (?, ?, ?)", values)
        db.executemany("INSERT INTO pledges (usd) VALUES (?)", ((usd,) for usd in pledges))
        db.execute("COMMIT")


def _keep_aside(path: Path) -> Path:
    """Copies of the file and its log."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
    for source, copy in ((path, kept), (log_of(path), log_of(kept))):
        if source.exists():
            handle = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with source.open("rb") as read, os.fdopen(handle, "wb") as write:
                shutil.copyfileobj(read, write)
                write.flush()
                os.fsync(write.fileno())
    return kept
