"""Paid replies -> disk, and back.

A run's journal is one SQLite file. Every reply is committed before it is parsed, the unusable ones too, so that a
run that was killed replays the same chain and pays for nothing twice. SQLite in WAL mode loses no committed row when
the process is killed; a JSONL file that is appended to does.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson

from judge.backend import Reply
from judge.errors import CacheError

__all__ = ["Journal", "Spent", "dump_reply", "load_reply"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (call_id TEXT NOT NULL, reply BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_call ON replies (call_id, retired);
"""
_VERSION = 1


class Spent(dict[str, int | float | None]):
    """Totals over all replies that a run paid for: `replies, attempts, prompt_tokens, completion_tokens, cost_usd`."""


class Journal:
    """The paid replies of one run directory.

    Args:
        path: The SQLite file; made if missing, readable by its owner only.

    Raises:
        CacheError: The file cannot be opened, is damaged, or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare()

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise CacheError(f"{self._path} was written by a newer version of judge.", hint="Update judge.")
        # NORMAL: a commit survives the death of the process; only a power cut may roll the last ones back.
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA user_version={_VERSION};")
        self._db.executescript(_SCHEMA)

    def commit(self, call_id: str, reply: Reply) -> None:
        """Make a paid reply safe. When this returns, a `kill -9` does not lose it."""
        with self._errors():
            self._db.execute("INSERT INTO replies (call_id, reply) VALUES (?, ?)", (call_id, dump_reply(reply)))

    def find(self, call_id: str) -> Reply | None:
        """The reply to this call, if it was paid for and not retired; as it was, so that a replay equals the run."""
        with self._errors():
            found = self._db.execute(
                "SELECT reply FROM replies WHERE call_id = ? AND retired = 0 ORDER BY rowid DESC LIMIT 1", (call_id,)
            ).fetchone()
        return None if found is None else load_reply(found[0])

    def retire(self, call_ids: Iterable[str]) -> None:
        """Stop replaying these calls and all other asks of the same requests; their cost still counts."""
        prefixes = [(call_id.rpartition("-")[0] + "-",) for call_id in call_ids]
        with self._errors():
            self._db.execute("BEGIN")
            # A range, not LIKE: it uses the index.
            self._db.executemany("UPDATE replies SET retired = 1 WHERE call_id >= ?1 AND call_id < ?1 || 'g'", prefixes)
            self._db.execute("COMMIT")

    def spent(self) -> Spent:
        """Totals over all committed replies, the retired ones included; an unknown price makes the cost None."""
        totals = Spent(replies=0, attempts=0, prompt_tokens=0, completion_tokens=0, cost_usd=0.0)
        with self._errors():
            for (blob,) in self._db.execute("SELECT reply FROM replies"):
                _add(totals, load_reply(blob))
        return totals

    def close(self) -> None:
        """Close the file; the journal is of no use afterwards."""
        self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise CacheError(f"{self._path}: {exc}.", hint="Replies committed before are safe.") from exc


def dump_reply(reply: Reply) -> bytes:
    """Bytes of a reply, for `load_reply`."""
    return orjson.dumps(asdict(reply))


def load_reply(blob: bytes) -> Reply:
    """A stored reply: it was paid for before, so it is marked cached and costs 0 now.

    Raises:
        CacheError: The bytes are not a stored reply.
    """
    try:
        fields: dict[str, Any] = orjson.loads(blob)
        return Reply(**fields)
    except (ValueError, TypeError) as exc:
        raise CacheError(f"a stored reply cannot be read: {exc}.") from exc


def served(reply: Reply) -> Reply:
    """A stored reply as it is handed out: nothing was sent and nothing is paid."""
    return replace(reply, cached=True, cost_usd=0.0, attempts=0, queued_s=0.0)


def _add(totals: Spent, reply: Reply) -> None:
    totals["replies"] = (totals["replies"] or 0) + 1
    for name in ("attempts", "prompt_tokens", "completion_tokens"):
        totals[name] = (totals[name] or 0) + (getattr(reply, name) or 0)
    cost = totals["cost_usd"]
    totals["cost_usd"] = None if cost is None or reply.cost_usd is None else cost + reply.cost_usd
