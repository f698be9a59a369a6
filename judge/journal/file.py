"""A journal's file: made, connected to, and checked before anything more is paid.

Table `replies`: a row a paid reply, never deleted, so that row ids count up in the order of commits.
Table `pledges`: a row an attempt, with the most that it may cost; deleted by the commit of its reply, or when it surely
cost nothing.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from judge.errors import CacheError
from judge.journal.sealed import DamagedError, is_sealed
from judge.journal.wal import PAGE_BYTES, log_of, log_state

__all__ = ["RETIRED", "check_file", "connect_file", "make_file"]

RETIRED = 0x5A5A
"""Not 1, which is one flipped bit away from 0."""

_VERSION = 2
_SCHEMA = (
    "CREATE TABLE replies (call_id TEXT NOT NULL, reply BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX by_call ON replies (call_id, retired)",
    "CREATE TABLE pledges (id INTEGER PRIMARY KEY, usd REAL NOT NULL)",
)
_HEAD = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2)
_MODES = (b"\x01\x01", b"\x02\x02")  # without a log, where a network file system has none, and with
_PATIENCE_S = 60.0
# Trouble of the disk, the machine or another process; every other error of SQLite is about what the file holds.
_NOT_ITS_CONTENT = {
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN),
}


def make_file(path: Path) -> None:
    """Make an empty journal, for its owner only; it appears whole or not at all.

    So an empty or short file is never a journal that was just begun, but one that was damaged.
    """
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with closing(connect_file(fresh)) as db:
            db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            # Without a log: on a full disk this fails here, and not when the file is closed, of which nobody hears.
            db.executescript(f"BEGIN;{';'.join(_SCHEMA)};PRAGMA user_version={_VERSION};COMMIT")
            db.execute("PRAGMA journal_mode=WAL")
        fresh.rename(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def connect_file(path: Path, mode: Literal["rw", "ro"] = "rw") -> sqlite3.Connection:
    """Connect to a file that is there; waits for other processes that write to it."""
    address = f"file:{quote(os.fspath(path))}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S)


def check_file(path: Path) -> list[str]:
    """Read all of a journal; nothing of it is changed.

    Returns:
        What is not as usual and no damage, in words.

    Raises:
        DamagedError: It is not as it was written; says why.
        CacheError: It is of another version.
        OSError, sqlite3.Error: It cannot be read at all.
    """
    if not path.exists():
        raise DamagedError("its log is there and it is not.")
    with path.open("rb") as file:
        head = file.read(20)
    if head[:18] != _HEAD or head[18:] not in _MODES:
        raise DamagedError("it does not begin as a journal does.")
    state = log_state(log_of(path).read_bytes()) if log_of(path).exists() else "whole"
    if state == "broken":
        raise DamagedError("its log is broken.")
    # Read only: the last one who closes a file that he can write to throws its log away.
    with closing(connect_file(path, "ro")) as db:
        db.text_factory = bytes
        try:
            _check_content(path, db)
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _NOT_ITS_CONTENT:
                raise
            raise DamagedError(f"{exc}.") from exc
    return [f"the log of {path.name} is cut at its end: its last reply may be asked anew."] if state == "cut" else []


def _check_content(path: Path, db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        message = f"{path} is of format {version}, and this version of judge knows format {_VERSION} only."
        raise CacheError(message, hint="Go on with the version that wrote it.")
    if [sql.decode() for (sql,) in db.execute("SELECT sql FROM sqlite_master ORDER BY rowid")] != list(_SCHEMA):
        raise DamagedError("its tables are not ours.")
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != b"ok":
        raise DamagedError(f"{found.decode(errors='replace')}.")
    for call_id, sealed, retired in db.execute("SELECT call_id, reply, retired FROM replies"):
        if retired not in (0, RETIRED) or not isinstance(sealed, bytes) or not is_sealed(call_id, sealed):
            raise DamagedError("a stored reply was changed after it was written.")
