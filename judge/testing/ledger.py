"""The ledger: one row for every completion request, to audit a client with.

    {"seq":0,"key":"9f2c…","asked":"5be1…","attempt":1,"t_received":1767.1,"t_done":1767.2,"fault":"503",
     "paid":false,"delivered":true,"status":503,"complaint":false}

Rows are in memory in order of receipt, and in the file in order of completion.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

_LAST_OF_ITS_KEY = (None, "wrong_ids", "off_label", "elsewhere", "no_logprobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One request.

    Args:
        seq: Order of receipt, from 0.
        key: SHA-256 of the canonical body: the same for an identical request.
        asked: Hash of the trace and claims asked: the same for a first ask and its re-asks.
        attempt: How often this key has come, from 1.
        t_received: Seconds since the epoch.
        t_done: The same, None while the request is under way.
        fault: The fault it met, `rate_limit` for the token bucket, or None.
        paid: An answer was computed and would be billed.
        delivered: All bytes were handed to a client that was still connected.
        status: HTTP status, None when no status line is ever complete.
        complaint: It was a re-ask.
    """

    seq: int
    key: str
    asked: str
    attempt: int
    t_received: float
    t_done: float | None = None
    fault: str | None = None
    paid: bool = False
    delivered: bool = False
    status: int | None = None
    complaint: bool = False


class Ledger:
    """All requests that a server has received. Safe to read from any thread while the server runs.

    Args:
        file: Each finished row is appended here with a single write, between `open_file` and `close_file`.
        settle: Called before reading; lets the server finish the rows of what it has already sent.
    """

    def __init__(self, *, file: Path | None = None, settle: Callable[[], None] = lambda: None) -> None:
        self._rows: list[LedgerRow] = []
        self._attempts: Counter[str] = Counter()
        self._settle = settle
        self._file = file
        self._fd: int | None = None

    def next_attempt(self, key: str) -> int:
        """Count one more request with this key, and say which it is, from 1."""
        self._attempts[key] += 1
        return self._attempts[key]

    def open(
        self,
        *,
        key: str,
        asked: str,
        attempt: int,
        fault: str | None,
        paid: bool,
        status: int | None,
        complaint: bool,
    ) -> LedgerRow:
        """Enter a request that is under way."""
        row = LedgerRow(
            seq=len(self._rows),
            key=key,
            asked=asked,
            attempt=attempt,
            t_received=time.time(),
            fault=fault,
            paid=paid,
            status=status,
            complaint=complaint,
        )
        self._rows.append(row)
        return row

    def finish(self, row: LedgerRow, *, delivered: bool) -> None:
        """Close a request's row, and append it to the file."""
        done = replace(row, t_done=time.time(), delivered=delivered)
        self._rows[row.seq] = done
        if self._fd is not None:
            os.write(self._fd, orjson.dumps(done) + b"\n")

    def open_file(self) -> None:
        """Make the file ready to be appended to, where there is one."""
        if self._file is not None and self._fd is None:
            self._fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def close_file(self) -> None:
        """Close the file; the rows stay readable."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def rows(self) -> tuple[LedgerRow, ...]:
        """Every request so far in order of receipt, those under way too."""
        self._settle()
        return tuple(self._rows)

    @property
    def requests(self) -> int:
        """How many requests came in."""
        return len(self.rows())

    @property
    def paid(self) -> int:
        """How many answers were computed and would be billed."""
        return sum(row.paid for row in self.rows())

    @property
    def delivered(self) -> int:
        """How many of the paid answers reached a client in full."""
        return sum(row.paid and row.delivered for row in self.rows())

    @property
    def repaid(self) -> int:
        """Usable answers computed again: paid rows without a fault, beyond the first of their key."""
        good = [row.key for row in self.rows() if row.paid and row.fault is None]
        return len(good) - len(set(good))

    @property
    def max_attempts_per_key(self) -> int:
        """How often the most repeated request came; 0 before the first."""
        return max(Counter(row.key for row in self.rows()).values(), default=0)

    def necessary(self, max_retries: int | None = None) -> int:
        """How many requests an ideal client would have sent for the same keys, given the faults they met.

        For each key: the faults in a row before the first success, plus one. A reply with wrong ids is the
        last of its key: the complaint makes the re-ask another request.

        Args:
            max_retries: The client's own bound: no key needs more than this plus one.
        """
        needed: Counter[str] = Counter()
        ended: set[str] = set()
        for row in self.rows():
            if row.key not in ended:
                needed[row.key] += 1
            if row.fault in _LAST_OF_ITS_KEY:
                ended.add(row.key)
        bound = float("inf") if max_retries is None else max_retries + 1
        return int(sum(min(tries + (key not in ended), bound) for key, tries in needed.items()))

    def to_json(self) -> bytes:
        """The totals and the rows, as `GET /ledger` sends them."""
        totals = {
            name: getattr(self, name) for name in ("requests", "paid", "delivered", "repaid", "max_attempts_per_key")
        }
        return orjson.dumps({**totals, "necessary": self.necessary(), "rows": self.rows()})
