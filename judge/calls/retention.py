"""The shared store, looked through and cleaned: what is removed is gone from every file of it."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from judge.backend import Reply
from judge.calls.plain_disk import PlainDisk
from judge.calls.store import Store, is_ours, refuse_unsafe
from judge.errors import CacheError, ConfigError
from judge.journal.sealed import load_reply

__all__ = ["Amount", "Entry", "clear", "entries", "find_store", "measure", "prune"]

_VALUE_FILE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
_ORPHANED_S = 3600.0
_PATIENCE_S = 60.0
_BYTES = "coalesce(length(value), 0) + size"  # a long value is in a file and has its size, a short one is in its row
_NAMED = """
Cache LEFT JOIN (SELECT key AS used, json_group_array(record_id) AS names FROM judge_records GROUP BY key) ON used = key
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored reply.

    Attributes:
        stored_s: When, in seconds since 1970.
        record_ids: Of the records that it was used for.
        bytes: Of the reply as it is stored.
        reply: None for one that is damaged.
    """

    stored_s: float
    record_ids: tuple[str, ...]
    bytes: int
    reply: Reply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How many entries, and the bytes of their replies."""

    entries: int
    bytes: int


def find_store(path: Path) -> Path:
    """The folder, if it is a store of ours: other programs keep a diskcache too.

    Raises:
        ConfigError: It is not, or it is so damaged that nobody can tell.
        CacheError: Somebody else can write to it.
    """
    if not (path / "cache.db").is_file():
        raise ConfigError(f"{path} is no shared store: it has no cache.db.", hint="Give --cache DIR.")
    refuse_unsafe(path)
    if not is_ours(path):
        message = f"{path} is no shared store of judge: its cache.db has no table judge_records."
        raise ConfigError(message, hint="It may be another program's. Give --cache DIR.")
    return path


def entries(path: Path, *, record_id: str | None = None, before_s: float | None = None) -> Iterator[Entry]:
    """What is stored, the newest first.

    Args:
        path: The store's folder.
        record_id: Only what was used for this record.
        before_s: Only what was stored before, in seconds since 1970.
    """
    disk, where, values = PlainDisk(str(path)), ["1"], list[object]()
    if record_id is not None:
        where, values = [*where, "key IN (SELECT key FROM judge_records WHERE record_id = ?)"], [*values, record_id]
    if before_s is not None:
        where, values = [*where, "store_time < ?"], [*values, before_s]
    select = f"SELECT key, store_time, mode, filename, value, {_BYTES}, names FROM {_NAMED} WHERE {' AND '.join(where)}"  # noqa: S608 - our own words
    with _opened(path) as db:
        for key, stored_s, mode, filename, value, size, names in db.execute(
            f"{select} ORDER BY store_time DESC", values
        ):
            yield Entry(
                stored_s=stored_s,
                record_ids=tuple(sorted(orjson.loads(names or "[]"))),
                bytes=size,
                reply=_read(disk, key, mode, filename, value),
            )


def _read(disk: PlainDisk, key: object, mode: int, filename: str | None, value: object) -> Reply | None:
    try:
        return load_reply(str(key), disk.fetch(mode, filename, value, False))
    except CacheError:
        return None


def measure(path: Path) -> Amount:
    """What is stored."""
    with _opened(path) as db:
        return _amount(db)


def prune(
    path: Path,
    *,
    record_id: str | None = None,
    before_s: float | None = None,
    most_bytes: int | None = None,
    dry_run: bool = False,
) -> Amount:
    """Remove what any of the conditions holds for, and every trace of it in the store's files.

    Args:
        path: The store's folder.
        record_id: What was used for this record, and so for others with the same texts too.
        before_s: What was stored before, in seconds since 1970.
        most_bytes: The oldest, until the replies left are no more bytes than this.
        dry_run: Only count.

    Returns:
        What was removed.

    Raises:
        CacheError: It cannot be written, or another process uses it all the time; then run it again.
    """
    with _opened(path) as db:
        doomed = _doomed(db, record_id, before_s, most_bytes)
        removed = Amount(entries=len(doomed), bytes=sum(size for _, size in doomed))
        if not dry_run:
            _remove(path, db, [number for number, _ in doomed])
            _scrub(path, db)
    return removed


def _doomed(
    db: sqlite3.Connection, record_id: str | None, before_s: float | None, most_bytes: int | None
) -> list[tuple[int, int]]:
    """Row numbers and bytes, the newest first."""
    keys = {key for (key,) in db.execute("SELECT key FROM judge_records WHERE record_id = ?", (record_id,))}
    doomed, left = [], 0
    rows = db.execute(f"SELECT rowid, key, store_time, {_BYTES} FROM Cache ORDER BY store_time DESC")  # noqa: S608
    for number, key, stored_s, size in rows:
        goes = key in keys or (before_s is not None and stored_s < before_s)
        if goes or (most_bytes is not None and left + size > most_bytes):
            doomed.append((number, size))
            if not goes:
                most_bytes = -1  # all older ones too: what is kept is the newest, without gaps
        else:
            left += size
    return doomed


def _remove(path: Path, db: sqlite3.Connection, numbers: list[int]) -> None:
    disk = PlainDisk(str(path))
    for number in numbers:
        # Its file first: killed between the two, the row is left, and the next prune finds it.
        for (filename,) in db.execute("SELECT filename FROM Cache WHERE rowid = ?", (number,)):
            if filename is not None:
                disk.remove(filename)
    db.execute("PRAGMA secure_delete=ON")
    db.execute("BEGIN IMMEDIATE")
    db.executemany("DELETE FROM Cache WHERE rowid = ?", ((number,) for number in numbers))
    db.execute("DELETE FROM judge_records WHERE key NOT IN (SELECT key FROM Cache)")
    db.execute("COMMIT")


def _scrub(path: Path, db: sqlite3.Connection) -> None:
    """Free pages and the log hold what was removed, now and earlier; so do files that no row names any more."""
    named = {filename for (filename,) in db.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL")}
    for file in _value_files(path):
        # One that was just written may get its row yet.
        if str(file.relative_to(path)) not in named and time.time() - file.stat().st_mtime > _ORPHANED_S:
            file.unlink(missing_ok=True)
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        busy = db.execute(statement).fetchone()
        if busy is not None and busy[0]:
            hint = "What was to go is removed, but may be in its log yet. Run this again when no run uses the store."
            raise CacheError(f"the store {path} is in use by another process.", hint=hint)


def clear(path: Path) -> None:
    """Remove every file of a store, and its folder if nothing else is in it. Damaged ones too."""
    for file in _value_files(path):
        file.unlink(missing_ok=True)
        for folder in (file.parent, file.parent.parent):
            with suppress(OSError):  # something else is in it
                folder.rmdir()
    for ending in ("-wal", "-shm", "-journal", ""):
        (path / f"cache.db{ending}").unlink(missing_ok=True)
    with suppress(OSError):
        path.rmdir()


def _value_files(path: Path) -> list[Path]:
    return [file for file in path.glob("??/??/*.val") if _VALUE_FILE.fullmatch(str(file.relative_to(path)))]


def _amount(db: sqlite3.Connection) -> Amount:
    count, size = db.execute(f"SELECT count(*), coalesce(sum({_BYTES}), 0) FROM Cache").fetchone()  # noqa: S608
    return Amount(entries=count, bytes=size)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    Store(path).close()  # makes what an older version did not
    try:
        with closing(sqlite3.connect(path / "cache.db", isolation_level=None, timeout=_PATIENCE_S)) as db:
            yield db
    except sqlite3.Error as exc:
        raise CacheError(f"the store {path}: {exc}.", hint="judge cache clear removes it.") from exc
