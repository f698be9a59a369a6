"""One share of a run -> its parts: what a worker process does, and how it talks with the one that started it.

The pipe carries orders one way (`go`: begin; `stop`: send nothing more; `end`: at once) and counts,
notes and the end the other way. When it breaks, whoever started this process is dead, and it ends too.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from judge.errors import JudgeError
from judge.journal.journal import Journal
from judge.loop import drive
from judge.progress import Progress
from judge.purse import CELLS, Purse
from judge.runs.directory import RunDirectory, disk_errors
from judge.runs.session import Ended, Session, Share
from judge.settings import Settings
from judge.traces.reading import Traces

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import SynchronizedArray

__all__ = ["SIGNALS", "Around", "Inherited", "SharedCells", "Task", "make_cells", "shared_purse", "work"]

SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
"""What a worker does not listen to. It is started with them blocked, as they may come before it can say so."""
_TOLD_EVERY_S = 0.2
SharedCells: TypeAlias = "SynchronizedArray[float]"
Around: TypeAlias = Callable[[], AbstractContextManager[object]]
"""What a process is set up with, such as its logging; it is pickled on its way to a worker."""


class Inherited:
    """An open file that a started process gets too."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Callable[[Any], Inherited], tuple[Any]]:
        return _take_over, (DupFd(self.number),)


def _take_over(duplicate: Any) -> Inherited:
    return Inherited(duplicate.detach())


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What all workers of a run have in common.

    Attributes:
        earlier: Last row of the journal before this session; None where there is no journal.
        cells: Of the purse that they share; None without a budget.
        lock: The open file that locks the directory; a worker holds it by having it open until it ends.
        around: Entered by each of them before anything else.
    """

    traces: Traces
    out: Path
    settings: Settings
    earlier: int | None
    lock: Inherited
    cells: SharedCells | None = None
    around: Around = nullcontext


def make_cells(workers: int) -> SharedCells:
    """Numbers of a purse that these processes share."""
    cells: SharedCells = multiprocessing.get_context("spawn").Array("d", CELLS * workers)
    return cells


def shared_purse(budget_usd: float, cells: SharedCells, *, worker: int = 0) -> Purse:
    """The purse of a budget, as this worker sees it."""
    return Purse(budget_usd, cells=cells, lock=cells.get_lock(), worker=worker)


def work(task: Task, share: Share, pipe: Connection) -> None:
    """The main function of a worker process."""
    # Orders come through the pipe: a Ctrl-C reaches every process of a terminal, and must not end them one by one.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with task.around(), _crash_shown(), suppress(asyncio.CancelledError, BrokenPipeError):
        drive(_Errand(task, share, pipe).run())


@contextmanager
def _crash_shown() -> Iterator[None]:
    """By the hook of this process: multiprocessing would go past it, and show what the hook hides."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - it is shown, and ends this process
        sys.excepthook(type(exc), exc, exc.__traceback__)
        raise SystemExit(1) from None


class _Errand:
    """One share, seen from the process that works on it."""

    def __init__(self, task: Task, share: Share, pipe: Connection) -> None:
        self._task = task
        self._share = share
        self._pipe = pipe
        self._progress = Progress()
        self._go = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        working = asyncio.current_task()
        assert working is not None
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._hear, working.cancel)
        telling = asyncio.ensure_future(self._keep_telling())
        try:
            ended = await self._work()
        except JudgeError as exc:
            self._tell_last(telling, ("failed", exc))
        else:
            self._tell_last(telling, ("ended", ended))

    async def _work(self) -> Ended:
        await self._go.wait()
        if self._stop.is_set():
            return Ended(read=0, read_to_end=False, nothing_left=False, all_done=False)
        task, settings = self._task, self._task.settings
        with disk_errors(task.out), ExitStack() as stack:
            reading = stack.enter_context(task.traces.opened())
            journal = None
            directory = RunDirectory(task.out, settings.labels.axes)
            if task.earlier is not None:
                journal = Journal(directory.journal_path, earlier=task.earlier)
                stack.callback(journal.close)
            session = Session(
                directory,
                settings,
                journal,
                reading,
                progress=self._progress,
                stop=self._stop,
                share=self._share,
                purse=self._purse(),
            )
            try:
                return await session.run()
            finally:
                self._pipe.send(("notes", session.notes))

    def _purse(self) -> Purse | None:
        cells, budget = self._task.cells, self._task.settings.budget_usd
        return None if cells is None or budget is None else shared_purse(budget, cells, worker=self._share.index)

    def _hear(self, cancel: Callable[[], object]) -> None:
        try:
            order = self._pipe.recv()
        except (EOFError, OSError):  # whoever started us is dead
            order = "end"
        if order == "go":
            self._go.set()
        elif order == "stop":
            self._stop.set()
            self._go.set()
        else:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            cancel()

    async def _keep_telling(self) -> None:
        while True:
            self._pipe.send(("progress", asdict(self._progress)))
            await asyncio.sleep(_TOLD_EVERY_S)

    def _tell_last(self, telling: asyncio.Task[None], last: tuple[str, object]) -> None:
        telling.cancel()
        self._pipe.send(("progress", asdict(self._progress)))
        self._pipe.send(last)
