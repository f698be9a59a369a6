"""Paid replies -> disk, and back.

A run's journal is one SQLite file. Every reply is committed before it is parsed, the unusable ones too, so that a
run that was killed replays the same chain and pays for nothing twice. SQLite in WAL mode loses no committed row when
the process is killed; a JSONL file that is appended to does.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import orjson
from pydantic import TypeAdapter

from judge.backend import Reply
from judge.errors import CacheError
from judge.price import Price

__all__ = ["Journal", "Spent", "dump_reply", "load_reply"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (call_id TEXT NOT NULL, reply BLOB NOT NULL, retired INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_call ON replies (call_id, retired);
CREATE TABLE IF NOT EXISTS pledges (id INTEGER PRIMARY KEY, usd REAL NOT NULL);
"""
_VERSION = 1
_DIGEST_BYTES = 16
_REPLY = TypeAdapter(Reply)


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
        self._earlier = self._db.execute("SELECT coalesce(max(rowid), 0) FROM replies").fetchone()[0]
        self._spent = Spent(replies=0, attempts=0, prompt_tokens=0, completion_tokens=0, cost_usd=0.0)
        # All of it is read now: what is damaged is found before anything more is paid.
        for reply in self._replies():
            _add(self._spent, reply)

    def _replies(self) -> Iterator[Reply]:
        for call_id, sealed in self._db.execute("SELECT call_id, reply FROM replies"):
            yield load_reply(call_id, sealed)

    def pledge(self, usd: float) -> int:
        """Write down, before a call is sent, what it may cost; it counts as spent until it is redeemed.

        Returns:
            Its number, for `redeem`.
        """
        with self._errors():
            return self._db.execute("INSERT INTO pledges (usd) VALUES (?)", (usd,)).lastrowid or 0

    def redeem(self, pledge: int) -> None:
        """Take a pledge back: the call's cost is known, and counts by itself."""
        with self._errors():
            self._db.execute("DELETE FROM pledges WHERE id = ?", (pledge,))

    def billed_usd(self, price: Price) -> float:
        """All that the run may have been billed for, at the most.

        Known costs; tokens at this price where a reply's cost is not known; and the pledges that nobody redeemed, of
        calls that were lost or cut off.
        """
        with self._errors():
            pledged: float = self._db.execute("SELECT coalesce(sum(usd), 0.0) FROM pledges").fetchone()[0]
            return pledged + sum(_cost_usd(reply, price) for reply in self._replies())

    def commit(self, call_id: str, reply: Reply) -> None:
        """Make a paid reply safe. When this returns, a `kill -9` does not lose it."""
        with self._errors():
            row = (call_id, dump_reply(call_id, reply))
            self._db.execute("INSERT INTO replies (call_id, reply) VALUES (?, ?)", row)
        _add(self._spent, reply)

    def find(self, call_id: str) -> Reply | None:
        """The reply to this call, if it was paid for and not retired; as it was, so that a replay equals the run."""
        with self._errors():
            found = self._db.execute(
                "SELECT reply FROM replies WHERE call_id = ? AND retired = 0 ORDER BY rowid DESC LIMIT 1", (call_id,)
            ).fetchone()
            return None if found is None else load_reply(call_id, found[0])

    def retire(self, call_ids: Iterable[str]) -> None:
        """Stop replaying what earlier sessions paid for these calls; its cost still counts.

        A reply of this session stays: two equal records may have failed, and one is asked for both.
        """
        rows = [(call_id, self._earlier) for call_id in call_ids]
        with self._errors():
            self._db.execute("BEGIN")
            self._db.executemany("UPDATE replies SET retired = 1 WHERE call_id = ? AND rowid <= ?", rows)
            self._db.execute("COMMIT")

    def spent(self) -> Spent:
        """Totals over all committed replies, the retired ones included; an unknown price makes the cost None."""
        return Spent(self._spent)

    def close(self) -> None:
        """Close the file; the journal is of no use afterwards."""
        self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise CacheError(f"{self._path}: {exc}.", hint="Replies committed before are safe.") from exc
        except _DamagedError as exc:
            raise CacheError(f"{self._path} is damaged: {exc.message}", hint="--overwrite starts afresh.") from exc


class _DamagedError(CacheError):
    """A stored reply is not what was written."""


def dump_reply(name: str, reply: Reply) -> bytes:
    """Bytes of a reply, for `load_reply` under the same name."""
    body = orjson.dumps(asdict(reply))
    return _digest(name, body) + body


def load_reply(name: str, sealed: object) -> Reply:
    """A stored reply, as it was.

    Raises:
        CacheError: These are not the bytes that were stored under this name.
    """
    # Without a seal, a flipped byte inside the text would be another, readable reply.
    if not isinstance(sealed, bytes) or sealed[:_DIGEST_BYTES] != _digest(name, sealed[_DIGEST_BYTES:]):
        raise _DamagedError("a stored reply was changed after it was written.")
    try:
        return _REPLY.validate_json(sealed[_DIGEST_BYTES:], strict=True)
    except ValueError as exc:
        raise _DamagedError("a stored reply cannot be read.") from exc


def _digest(name: str, body: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + body).digest()[:_DIGEST_BYTES]


def served(reply: Reply) -> Reply:
    """A stored reply as it is handed out: nothing was sent and nothing is paid."""
    return replace(reply, cached=True, cost_usd=0.0, attempts=0, queued_s=0.0)


def _cost_usd(reply: Reply, price: Price) -> float:
    if reply.cost_usd is not None:
        return reply.cost_usd
    return price.cost_usd(reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) or 0.0


def _add(totals: Spent, reply: Reply) -> None:
    totals["replies"] = (totals["replies"] or 0) + 1
    for name in ("attempts", "prompt_tokens", "completion_tokens"):
        totals[name] = (totals[name] or 0) + (getattr(reply, name) or 0)
    cost = totals["cost_usd"]
    totals["cost_usd"] = None if cost is None or reply.cost_usd is None else cost + reply.cost_usd
