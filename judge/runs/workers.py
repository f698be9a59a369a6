"""N processes on one run: each works on every N-th block, and all of them stop together.

The process that starts them locks the run directory, joins the tables and writes `run.json`; `worker.py` is the other
side. Each of them holds the lock too, so that nobody else begins here while one is alive.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

from judge.errors import FatalError
from judge.progress import Progress
from judge.runs.session import Ended, Share
from judge.runs.worker import SIGNALS, Task, shared_purse, work

__all__ = ["Workers"]

_LAST_WORDS_S = 10.0
_ENOUGH = 50
"""Records that one worker finished without a call: then there is nothing to be careful about."""


class Workers:
    """Several processes in place of one `Session`.

    Args:
        task: What they work on.
        number: How many, at least 2.
        progress: The sums of their counts, as they go on.
        stop: When set, they are told to send nothing more.

    Attributes:
        notes: What their backends had to do differently.
    """

    def __init__(self, task: Task, number: int, *, progress: Progress, stop: asyncio.Event) -> None:
        settings = task.settings.shared_by(number)
        shares = [Share(index=index, of=number) for index in range(number)]
        self._workers = [_Worker(replace(task, settings=settings), share, self._sum_up) for share in shares]
        self._free = settings.free
        self._progress = progress
        self._stop = stop
        self.notes: list[str] = []

    async def run(self) -> Ended:
        """Work until the input ends, the workers are stopped, or one of them fails.

        Raises:
            FatalError: A worker died, or raised it; the others were told to stop, and have.
        """
        stopping = asyncio.ensure_future(self._pass_on_stop())
        try:
            return await self._run()
        except asyncio.CancelledError:
            await self._end_now()
            raise
        finally:
            stopping.cancel()
            self._sum_up()

    async def _run(self) -> Ended:
        first, *others = self._workers
        for worker in self._workers:
            worker.start()
        first.tell("go")
        # A wrong key or a server that is not there is met by one process, and not by each.
        if not self._free:
            await asyncio.wait((first.at_work, first.ended), return_when=asyncio.FIRST_COMPLETED)
        halted = first.failed or self._stop.is_set()
        for worker in others:
            worker.tell("stop" if halted else "go")
        ended = [worker.ended for worker in self._workers]
        await asyncio.wait(ended, return_when=asyncio.FIRST_EXCEPTION)
        self._tell("stop")
        await asyncio.wait(ended)
        return _joined([one.result() for one in ended], complete=not halted)

    async def _pass_on_stop(self) -> None:
        await self._stop.wait()
        self._tell("stop")

    async def _end_now(self) -> None:
        self._tell("end")
        started = [worker for worker in self._workers if worker.started]
        await asyncio.wait([worker.ended for worker in started], timeout=_LAST_WORDS_S)
        for worker in started:
            worker.kill()

    def _tell(self, order: str) -> None:
        for worker in self._workers:
            worker.tell(order)

    def _sum_up(self) -> None:
        for name in (field.name for field in fields(Progress)):
            setattr(self._progress, name, sum(getattr(worker.progress, name) for worker in self._workers))
        self.notes[:] = dict.fromkeys(note for worker in self._workers for note in worker.notes)


class _Worker:
    """One of the processes, seen from the one that started it."""

    def __init__(self, task: Task, share: Share, changed: Callable[[], None]) -> None:
        self._task = task
        self._share = share
        self._changed = changed
        self._process: BaseProcess | None = None
        self.progress = Progress()
        self.notes: list[str] = []
        loop = asyncio.get_running_loop()
        self.at_work: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Ended] = loop.create_future()

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def failed(self) -> bool:
        return self.ended.done() and self.ended.exception() is not None

    def start(self) -> None:
        # A fork would inherit threads that hold locks, and connections that are not its own.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(self._task, self._share, theirs), daemon=True)
        with _blocked(SIGNALS):
            self._process.start()
        theirs.close()
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._hear)

    def tell(self, order: str) -> None:
        if self.started and not self.ended.done():
            with suppress(OSError):
                self._pipe.send(order)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def _hear(self) -> None:
        try:
            kind, told = self._pipe.recv()
        except (EOFError, OSError):
            self._gone()
            return
        getattr(self, f"_hear_{kind}")(told)
        self._changed()

    def _hear_progress(self, told: dict[str, int]) -> None:
        self.progress = Progress(**told)
        if not self.at_work.done() and (self.progress.calls > self.progress.cached or self.progress.done >= _ENOUGH):
            self.at_work.set_result(None)

    def _hear_notes(self, told: list[str]) -> None:
        self.notes = told

    def _hear_ended(self, told: Ended) -> None:
        self.ended.set_result(told)

    def _hear_failed(self, told: Exception) -> None:
        self._fail(told)

    def _fail(self, error: Exception) -> None:
        self.ended.set_exception(error)
        self.ended.exception()  # looked at: of several that fail one is raised, and the others are no news

    def _gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()
        assert self._process is not None
        self._process.join()
        if not self.ended.done():
            self._abandon()
            code = self._process.exitcode or 0
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            hint = "What was paid for is safe. Was there enough memory?"
            self._fail(FatalError(f"a worker process {how}.", code="worker_died", hint=hint))

    def _abandon(self) -> None:
        """What it had reserved of the budget may have been billed; the others must not wait for it."""
        cells, budget = self._task.cells, self._task.settings.budget_usd
        if cells is not None and budget is not None:
            shared_purse(budget, cells).abandon(self._share.index)


@contextmanager
def _blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Signals that come meanwhile come afterwards; a process that is started meanwhile begins without them."""
    resource_tracker.ensure_running()  # it starts a process of its own first, and unblocks them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _joined(shares: list[Ended], *, complete: bool) -> Ended:
    # A file that was written anew between two starts: the rows behind the earlier end are nobody's yet.
    alike = len({share.read for share in shares}) == 1
    return Ended(
        read=max(share.read for share in shares),
        read_to_end=alike and all(share.read_to_end for share in shares),
        nothing_left=alike and all(share.nothing_left for share in shares),
        all_done=complete and all(share.all_done for share in shares),
    )
