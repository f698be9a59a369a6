"""Paid replies -> disk, and back.

A run's journal is one SQLite file. Every reply is committed before it is parsed, the unusable ones too, so that a
run that was killed replays the same chain and pays for nothing twice. SQLite in WAL mode loses no committed row when
the process is killed; a JSONL file that is appended to does. Several processes may write to one journal.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock, RLock

from msgspec.structs import replace

from judge.backend import Reply
from judge.errors import CacheError
from judge.journal.file import RETIRED, check_file, connect_file, make_file
from judge.journal.sealed import DamagedError, dump_reply, load_reply
from judge.journal.seen import Seen
from judge.journal.wal import log_of
from judge.price import Price

__all__ = ["Journal", "Spent", "find_replies", "is_full", "served"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEAST_ROOM = 2**16
_FIND = "SELECT call_id, reply FROM replies WHERE call_id IN ({}) AND retired = 0 ORDER BY rowid"  # the last one counts
_NEW = "SELECT rowid, call_id, reply FROM replies WHERE rowid > ?"
_COMMIT = "INSERT INTO replies (call_id, reply) VALUES (?, ?)"


class Spent(dict[str, int | float | None]):
    """Totals over all replies that a run paid for.

    `replies, attempts, prompt_tokens, completion_tokens, cached_tokens, cost_usd`; `cached_tokens` are prompt tokens
    that the server had in its own cache, and None as long as it has told of none.
    """


class Journal:
    """The paid replies of one run directory.

    Of use in the process that opened it, from any thread; a forked child opens its own.

    Args:
        path: The SQLite file; made if missing, readable by its owner only, by the process that holds the run's lock.
        earlier: For one of several processes of a run: `earlier` of the one that began it, which has checked the file.
            None for that one.

    Attributes:
        earlier: The last row of earlier sessions.
        notes: What is not as usual, in words for the end of a run.

    Raises:
        DamagedError: It is not as it was written. `judge.journal.recovery` makes it whole again.
        CacheError: It cannot be opened, or is of another version.
    """

    def __init__(self, path: Path, *, earlier: int | None = None) -> None:
        self._path = path
        self._process = os.getpid()
        self._lock = RLock()  # one connection: a transaction of one thread would take in what another writes
        self._reading_lock = Lock()  # a statement of one thread would hold an older view of the file for the others
        counts = dict.fromkeys(("replies", "attempts", "prompt_tokens", "completion_tokens"), 0)
        self._spent = Spent(**counts, cached_tokens=None, cost_usd=0.0)
        self._counted = 0
        self._answered: dict[str, int] = {}  # call id -> pledge
        self._written: Seen | None = None
        with self._errors():
            self.notes = self._ensure_sound() if earlier is None else []
            self._db = connect_file(path)
            self._prepare()
            self._reading = connect_file(path)  # beside a commit that is under way
            self.earlier = self._last() if earlier is None else earlier

    def _ensure_sound(self) -> list[str]:
        if self._path.exists() or log_of(self._path).exists():
            return check_file(self._path)
        make_file(self._path)
        return []

    def _prepare(self) -> None:
        (mode,) = self._db.execute("PRAGMA journal_mode=WAL").fetchone()
        # NORMAL: a commit survives the death of the process; only a power cut may roll the last ones back.
        self._db.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'wal' else 'FULL'}")
        if mode != "wal":
            name = self._path.name
            self.notes.append(
                f"{name} is on a file system without SQLite's log, as over a network: commits are slower."
            )
        # Writes a page: a folder that cannot be written to is found now.
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        self._db.execute(f"PRAGMA user_version={version}")

    def _last(self) -> int:
        (last,) = self._db.execute("SELECT coalesce(max(rowid), 0) FROM replies").fetchone()
        return int(last)

    def write_alone(self) -> None:
        """Promise that nobody else writes to it until it is closed.

        Then what an empty one did not commit itself need not be looked for in it.
        """
        with self._errors():
            self._written = None if self._last() else Seen()

    def pledge(self, usd: float) -> int:
        """Write down, before a call is sent, what it may cost; it counts as spent until it is redeemed.

        Returns:
            Its number, for `redeem`.
        """
        with self._errors():
            return self._db.execute("INSERT INTO pledges (usd) VALUES (?)", (usd,)).lastrowid or 0

    def redeem(self, pledge: int) -> None:
        """Take a pledge back at once: the attempt cost nothing."""
        with self._errors():
            self._db.execute("DELETE FROM pledges WHERE id = ?", (pledge,))

    def redeem_by_reply(self, pledge: int, call_id: str) -> None:
        """Take a pledge back with the commit of the reply to this call: from then on the reply's cost counts.

        Until then the pledge stays, so that a kill between the two loses neither. Of several answers to one call the
        last is committed, so the pledges of those before stay.
        """
        self._answered[call_id] = pledge

    def billed_usd(self, price: Price) -> float:
        """All that the run may have been billed for, at the most.

        Known costs; tokens at this price where a reply's cost is not known; and the pledges that nobody redeemed, of
        calls that were lost or cut off.
        """
        with self._errors():
            pledged: float = self._db.execute("SELECT coalesce(sum(usd), 0.0) FROM pledges").fetchone()[0]
            return pledged + sum(_cost_usd(reply, price) for reply in self._replies())

    def _replies(self) -> Iterator[Reply]:
        for call_id, sealed in self._db.execute("SELECT call_id, reply FROM replies"):
            yield load_reply(call_id, sealed)

    def commit(self, call_id: str, reply: Reply) -> None:
        """Make a paid reply safe. When this returns, a `kill -9` does not lose it.

        Raises:
            CacheError: It could not be kept; code `disk_full` or `not_kept`.
        """
        self.commit_all([(call_id, reply)])

    def commit_all(self, replies: Sequence[tuple[str, Reply]]) -> None:
        """Make paid replies safe, all of them or none; a group costs little more than one reply.

        Raises:
            CacheError: They could not be kept; code `disk_full` or `not_kept`.
        """
        row = [part for call_id, reply in replies for part in (call_id, dump_reply(call_id, reply))]
        # One statement: a thread that runs it lets go of the interpreter once, and not as often as there are replies.
        statement = f"{_COMMIT}{', (?, ?)' * (len(replies) - 1)}"
        pledges = [(self._answered.pop(call_id),) for call_id, _ in replies if call_id in self._answered]
        with self._errors(code="not_kept"):
            if self._written is not None:  # before: whoever looks while they are written looks in the file
                for call_id, _ in replies:
                    self._written.add(call_id)
            if not pledges:  # a transaction by itself
                last = self._db.execute(statement, row).lastrowid
            else:
                with self._transaction():
                    last = self._db.execute(statement, row).lastrowid
                    self._db.executemany("DELETE FROM pledges WHERE id = ?", pledges)
            self._count([reply for _, reply in replies], last)

    def _count(self, replies: Sequence[Reply], last: int | None) -> None:
        """Totals of what was just committed, which need not be read again unless others write to the file too."""
        if last != self._counted + len(replies):
            return
        for reply in replies:
            _add(self._spent, reply)
        self._counted = last

    def find(self, call_id: str) -> Reply | None:
        """The reply to this call, if it was paid for and not retired; as it was, so that a replay equals the run."""
        return self.find_all([call_id]).get(call_id)

    def find_all(self, call_ids: Sequence[str]) -> dict[str, Reply]:
        """The replies to those of these calls that have one."""
        if self._written is not None:
            call_ids = [call_id for call_id in call_ids if call_id in self._written]
        with self._errors(reading=True):
            return find_replies(self._reading, call_ids) if call_ids else {}

    def retire(self, call_ids: Iterable[str]) -> None:
        """Stop replaying what earlier sessions paid for these calls; its cost still counts.

        A reply of this session stays: two equal records may have failed, and one is asked for both.
        """
        rows = [(RETIRED, call_id, self.earlier) for call_id in call_ids]
        with self._errors(), self._transaction():
            self._db.executemany("UPDATE replies SET retired = ? WHERE call_id = ? AND rowid <= ?", rows)

    def spent(self) -> Spent:
        """Totals over all committed replies, retired ones and those of other processes too.

        An unknown price makes the cost None. Only what is new since the last call is read.
        """
        with self._errors():
            # Closed also after a damaged row: an open one keeps the log from being taken over into the file.
            with closing(self._db.execute(_NEW, (self._counted,))) as new:
                for number, call_id, sealed in new:
                    _add(self._spent, load_reply(call_id, sealed))
                    self._counted = number
            return Spent(self._spent)

    def close(self) -> None:
        """Wait for the threads that are at work with it and close the file; the journal is of no use afterwards."""
        if os.getpid() != self._process:  # a fork has the locks of threads that it does not have
            return
        with self._lock, self._reading_lock:
            self._reading.close()
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of what is written within, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self, code: str | None = None, *, reading: bool = False) -> Iterator[None]:
        if os.getpid() != self._process:
            raise CacheError(f"{self._path} was opened by another process.", hint="Open it again after a fork.")
        try:
            with self._reading_lock if reading else self._lock:
                yield
        except (sqlite3.Error, OSError) as exc:
            if is_full(exc, self._path.parent):
                raise CacheError(f"{self._path}: no space left.", code="disk_full", hint=self._safe()) from exc
            raise CacheError(f"{self._path}: {exc}.", code=code, hint=self._safe()) from exc
        except DamagedError as exc:
            raise DamagedError(f"{self._path} is damaged: {exc.message}", hint=_AGAIN) from exc

    def _safe(self) -> str:
        try:
            with self._lock:
                (count,) = self._db.execute("SELECT count(*) FROM replies").fetchone()
        except (sqlite3.Error, AttributeError):  # not open, or not readable now
            return "Replies committed before are safe."
        return f"{count:,} replies are safe."


_AGAIN = "The same command again recovers what can be read."


def find_replies(db: sqlite3.Connection, call_ids: Sequence[str]) -> dict[str, Reply]:
    """The replies of a journal's file to those of these calls that have one that is not retired.

    Raises:
        DamagedError: One is not as it was written.
    """
    found = dict(db.execute(_FIND.format(", ".join("?" * len(call_ids))), call_ids).fetchall())
    return {call_id: load_reply(call_id, sealed) for call_id, sealed in found.items()}


def is_full(error: OSError | sqlite3.Error, folder: Path) -> bool:
    """Whether it failed because the disk, or what this user may put on it, is full."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    code = getattr(error, "sqlite_errorcode", 0)
    # SQLite says only "I/O error" when it has no room for the memory that it shares between processes.
    no_room = code & 0xFF == sqlite3.SQLITE_IOERR and shutil.disk_usage(folder).free < _LEAST_ROOM
    return code == sqlite3.SQLITE_FULL or no_room


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
    if reply.cached_tokens is not None:  # a server may leave it out where it is 0
        totals["cached_tokens"] = (totals["cached_tokens"] or 0) + reply.cached_tokens
    cost = totals["cost_usd"]
    totals["cost_usd"] = None if cost is None or reply.cost_usd is None else cost + reply.cost_usd
