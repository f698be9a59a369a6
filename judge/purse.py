"""How much money is spent and promised, for all who share a budget."""

from __future__ import annotations

import threading
from array import array
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias

__all__ = ["CELLS", "Cells", "Purse"]

CELLS = 3
"""Numbers of one worker in `Cells`: USD spent, USD reserved, reservations open."""
Taken: TypeAlias = Literal["taken", "wait", "empty"]


class Cells(Protocol):
    """Floats that every sharer reads and writes: an `array('d')`, or a `multiprocessing.Array('d', …)`."""

    def __getitem__(self, place: slice, /) -> array[float] | list[float]: ...

    def __setitem__(self, place: slice, values: array[float], /) -> None: ...


class Purse:
    """A budget: what is spent, and what is reserved for calls under way, is never more than it.

    Safe in threads; and in processes that share cells and lock:

        cells = multiprocessing.Array("d", CELLS * workers)
        Purse(5.0, cells=cells, lock=cells.get_lock(), worker=0)  # one in each process, with its number

    Args:
        budget_usd: All that may be spent.
        cells: `CELLS` numbers for each worker; made where none are given.
        lock: Held for every look and change; goes with `cells`.
        worker: Whose numbers are changed, from 0.
    """

    def __init__(
        self,
        budget_usd: float,
        *,
        cells: Cells | None = None,
        lock: AbstractContextManager[object] | None = None,
        worker: int = 0,
    ) -> None:
        self.budget_usd = budget_usd
        self._cells: Cells = array("d", [0.0] * CELLS) if cells is None else cells
        self._lock = lock or threading.Lock()
        self._worker = worker

    @property
    def spent_usd(self) -> float:
        """What all sharers have spent, and what was counted as spent."""
        with self._lock:
            return self._total(0)

    def count(self, usd: float) -> None:
        """Count money that was spent before; once for all sharers."""
        with self._lock:
            self._change(self._worker, spent=usd)

    def reserve(self, usd: float) -> Taken:
        """Set money aside for a call.

        Returns:
            `taken`; `wait` where there is no room now and an open reservation may make some; else `empty`.
        """
        with self._lock:
            if self._total(0) + self._total(1) + usd <= self.budget_usd:
                self._change(self._worker, reserved=usd, opened=1)
                return "taken"
            return "wait" if self._total(2) else "empty"

    def settle(self, reserved_usd: float, *, spent_usd: float) -> None:
        """End a reservation with what the call cost: 0 frees all of it."""
        with self._lock:
            self._change(self._worker, spent=spent_usd, reserved=-reserved_usd, opened=-1)

    def abandon(self, worker: int) -> None:
        """Count as spent what a sharer that died had reserved; else the others would wait for it for ever."""
        with self._lock:
            _, reserved, opened = self._of(worker)
            self._change(worker, spent=reserved, reserved=-reserved, opened=-opened)

    def _total(self, which: int) -> float:
        return sum(self._cells[which::CELLS])

    def _of(self, worker: int) -> array[float] | list[float]:
        return self._cells[worker * CELLS : (worker + 1) * CELLS]

    def _change(self, worker: int, *, spent: float = 0.0, reserved: float = 0.0, opened: float = 0.0) -> None:
        had = self._of(worker)
        still_open = had[2] + opened
        # Sums of floats leave crumbs: without a reservation nothing is reserved.
        left = max(0.0, had[1] + reserved) if still_open else 0.0
        self._cells[worker * CELLS : (worker + 1) * CELLS] = array("d", [had[0] + spent, left, still_open])
