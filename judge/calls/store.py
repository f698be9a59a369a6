"""The shared store of usable replies: one folder for all runs on this machine."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import diskcache
from msgspec import Struct

from judge.backend import Reply
from judge.calls.plain_cache import PlainCache
from judge.calls.plain_disk import make_private_folder
from judge.errors import CacheError
from judge.journal.sealed import dump_reply, load_reply

__all__ = ["Kept", "Store", "default_store_path", "is_ours", "refuse_unsafe"]

_DATABASE = "cache.db"
_HINT = "Give another --cache DIR, or --cache none."
# Beside diskcache's own table: equal requests of several records share a reply, which a tag could not tell. The record
# comes first: a run has its records one after the other, and keys in no order would change a page for every row.
_RECORDS = """
CREATE TABLE IF NOT EXISTS judge_records (key TEXT NOT NULL, record_id TEXT NOT NULL, PRIMARY KEY (record_id, key))
WITHOUT ROWID
"""
_OUR_TABLE = "judge_records"
_THEIR_TABLES = {"Settings", "Cache"}
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_LARGEST_PAGE = 65_536
_KNOWN = "SELECT 1 FROM judge_records WHERE key = ? AND record_id = ?"
# A reply that came from a journal need not be in this store.
_NOTE = """
WITH names(key, record_id) AS (VALUES {})
INSERT OR IGNORE INTO judge_records
SELECT names.key, record_id FROM names JOIN Cache ON Cache.key = names.key AND raw = 1
"""


class Kept(Struct, frozen=True, kw_only=True, gc=False):
    """A usable reply, to be stored.

    Attributes:
        key: The request's.
        reply: As it came, or as it was handed out from a store: then only the record is noted.
        record_id: Of a record that it was used for; `judge cache prune --record` goes by it.
    """

    key: str
    reply: Reply
    record_id: str | None


class Store:
    """Replies by request key. Nothing is evicted unasked; a damaged entry is a miss and is counted.

    Args:
        path: The folder; made if missing, for its owner only.

    Attributes:
        damaged: Entries met that are not what was written.

    Raises:
        CacheError: The folder cannot be used, is another program's, or somebody else could read or change its files.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = 0
        with self._errors():
            make_private_folder(path)
            refuse_unsafe(path)
            _refuse_foreign(path)
            # The files beside it get its mode from SQLite.
            os.close(os.open(path / _DATABASE, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
            (path / _DATABASE).chmod(0o600)
            self._cache = PlainCache(path)
            with self._cache.transact(retry=True):
                self._cache.sql(_RECORDS)

    def find(self, key: str) -> Reply | None:
        """The usable reply to a request, or None."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The usable replies to those of these requests that have one."""
        with self._errors():
            values = self._cache.find_all(list(keys))
        found = {key: reply for key, value in values.items() if (reply := _load(key, value)) is not None}
        self.damaged += len(values) - len(found)
        return found

    def keep(self, key: str, reply: Reply, *, record_id: str | None = None) -> None:
        """Store one usable reply; see `Kept`."""
        self.keep_all([Kept(key=key, reply=reply, record_id=record_id)])

    def keep_all(self, kept: Sequence[Kept]) -> None:
        """Store usable replies, all of them or none."""
        with self._errors():
            new = [one for one in kept if not self._has(one)]
            if not new:
                return
            fresh = {one.key: dump_reply(one.key, one.reply) for one in new if not one.reply.cached}
            names = [(one.key, one.record_id) for one in new if one.record_id is not None]
            with self._cache.transact(retry=True):
                self._cache.put_all(fresh)
                if names:
                    self._cache.sql(_note(len(names)), [part for name in names for part in name])

    def _has(self, one: Kept) -> bool:
        if not one.reply.cached:  # most of them: no query for what is new anyhow
            return False
        return one.record_id is None or self._cache.sql(_KNOWN, (one.key, one.record_id)).fetchone() is not None

    def close(self) -> None:
        """Close the store's files."""
        self._cache.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, diskcache.Timeout, OSError) as exc:
            raise CacheError(f"the store {self._path}: {exc}.", hint=_HINT) from exc


def _load(key: str, sealed: bytes | None) -> Reply | None:
    try:
        return load_reply(key, sealed)
    except CacheError:
        return None


def _note(names: int) -> str:
    return _NOTE.format(", ".join(["(?, ?)"] * names))


def refuse_unsafe(path: Path) -> None:
    """Refuse a folder that another user owns or may write to: he could read traces, or plant replies.

    Raises:
        CacheError: Says whose it is, and the command that makes it ours.
        OSError: It cannot be looked at.
    """
    for found in (path.lstat(), path.stat()):  # a link in a folder of everybody's, and what it leads to
        if found.st_uid not in (os.geteuid(), 0):
            raise CacheError(f"the store {path} belongs to user {found.st_uid}, not to {os.geteuid()}.", hint=_HINT)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        message = f"the store {path} can be written to by other users (mode {mode:04o})."
        raise CacheError(message, hint=f"If all in it is yours: chmod go-rwx {path}")


def is_ours(path: Path) -> bool:
    """Whether the database in a folder is a store of ours; one that SQLite cannot read, by what its first page holds.

    Nothing is changed, and no file is made beside it.

    Raises:
        CacheError: It cannot be looked at.
    """
    try:
        with _looking_at(path) as db:
            return _OUR_TABLE in _tables(db)
    except (sqlite3.Error, OSError) as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            raise CacheError(f"the store {path}: {exc}.", hint=_HINT) from exc
    with (path / _DATABASE).open("rb") as file:
        return _OUR_TABLE.encode() in file.read(_LARGEST_PAGE)


def _refuse_foreign(path: Path) -> None:
    """Another program's diskcache looks like ours; opened by us it would have other settings from then on."""
    if not (path / _DATABASE).is_file():
        return
    try:
        with _looking_at(path) as db:
            tables = _tables(db)
            # Empty, it may be one that another process is just making.
            filled = "Cache" in tables and db.execute("SELECT 1 FROM Cache").fetchone() is not None
    except sqlite3.Error:  # damaged, or in use: whoever opens it for good says so
        return
    if _OUR_TABLE not in tables and (filled or not tables <= _THEIR_TABLES):
        raise CacheError(f"the store {path} is another program's: it has no table {_OUR_TABLE}.", hint=_HINT)


@contextmanager
def _looking_at(path: Path) -> Iterator[sqlite3.Connection]:
    # Without a log a plain reader would make one, in a folder that may not be ours.
    how = "mode=ro" if (path / f"{_DATABASE}-wal").exists() else "immutable=1"
    with closing(sqlite3.connect(f"file:{quote(os.fspath(path / _DATABASE))}?{how}", uri=True)) as db:
        yield db


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def default_store_path() -> Path:
    """`$JUDGE_CACHE`, else `judge` in the user's cache folder."""
    chosen = os.environ.get("JUDGE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "judge"
