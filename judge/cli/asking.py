"""The work behind every command that asks a judge and can be resumed: progress, signals, errors, exit codes."""

from __future__ import annotations

import asyncio
import errno
import shlex
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from judge.cli.given import not_used, read_settings
from judge.cli.logs import logging_to_stderr
from judge.cli.options import AskingOptions
from judge.cli.terminal import clean, open_screens, report_progress
from judge.errors import InputError, JudgeError
from judge.loop import drive
from judge.progress import Progress
from judge.settings import Settings
from judge.traces.source import UNREADABLE, count_rows

__all__ = ["EXIT_FAILED_RECORDS", "EXIT_OK", "EXIT_RESUMABLE", "EXIT_USAGE", "Asking"]

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_FAILED_RECORDS = 3
EXIT_RESUMABLE = 75
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_MISTAKES = ("provider_down", "rate_limit", "disk_full", "not_kept", "worker_died")
_Options = TypeVar("_Options", bound=AskingOptions)
_Report = TypeVar("_Report")


class Asking(ABC, Generic[_Options, _Report]):
    """One command at work.

    Args:
        options: What the user gave.
    """

    _things = "records"
    """What is counted as it goes on."""

    def __init__(self, options: _Options) -> None:
        self._options = options
        self._told, self._errors, self._shown = open_screens(quiet=options.quiet, as_json=options.as_json)
        self._progress = Progress()

    @abstractmethod
    async def _work(self, settings: Settings, stop: asyncio.Event) -> _Report:
        """Ask, until all is done or `stop` is set."""

    @abstractmethod
    def _conclude(self, report: _Report, settings: Settings) -> int:
        """Print what came of it, and say how it ended: the exit code."""

    def _counts(self) -> Progress:
        """Where all that this command does stands."""
        return self._progress

    async def _total(self) -> int | None:
        """Records that are to be done; None where they cannot be counted."""
        return await count_rows(self._options.traces, self._options.limit)

    def run(self) -> int:
        """Ask, print, and say how it ended: the exit code."""
        with logging_to_stderr(self._options.log_level):
            return self._run()

    def _run(self) -> int:
        try:
            settings = read_settings(self._options)
            self._introduce(settings)
            return self._conclude(drive(self._watched(settings)), settings)
        except JudgeError as exc:
            return self._give_up(exc)
        except OSError as exc:
            if exc.errno not in _DISK_FULL:
                raise
            self._complain(f"{exc.filename or self._options.out}: {exc.strerror}.")
            return self._stopped()
        except (asyncio.CancelledError, KeyboardInterrupt):
            return self._stopped()

    def _introduce(self, settings: Settings) -> None:
        if said := not_used(self._options):
            self._told.print(clean(said))
        if settings.engine_model is not None:
            self._told.print(
                f"Starting vLLM with {clean(settings.engine_model)} in this process: this takes from half a minute to "
                "many, and nothing is shown meanwhile (--log-level debug shows what vLLM says)."
            )

    async def _watched(self, settings: Settings) -> _Report:
        stop = asyncio.Event()
        showing = asyncio.ensure_future(self._show_progress())
        try:
            with self._listening(stop):
                return await self._work(settings, stop)
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _show_progress(self) -> None:
        if self._options.quiet:
            return
        counting = asyncio.ensure_future(self._total())
        try:
            await report_progress(self._counts, counting, self._told, things=self._things)
        finally:
            counting.cancel()

    @contextmanager
    def _listening(self, stop: asyncio.Event) -> Iterator[None]:
        """The first signal ends the work in order, a second one at once."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def received() -> None:
            if stop.is_set():
                task.cancel()
            else:
                self._told.print("Stopping: finishing the calls under way. Once more to stop at once.")
                stop.set()

        # `nohup judge score …` stays deaf to what it is deaf to.
        heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        for number in heard:
            loop.add_signal_handler(number, received)
        try:
            yield
        finally:
            for number in heard:  # uvloop would keep them beyond its end
                loop.remove_signal_handler(number)

    def _tell(self, note: str) -> None:
        self._told.print(clean(note))

    def _give_up(self, error: JudgeError) -> int:
        if error.code == "budget":
            self._complain(f"{error.message}{self._left()} {error.hint}")
            return self._stopped()
        self._complain(error)
        # Nothing was answered, so a wrong key, model or folder was found before the first paid call. A server that is
        # down, a disk that is full, a reply that was paid for and could not be kept: the same command may work later.
        mistaken = not self._counts().calls and error.code not in _NO_MISTAKES
        misused = isinstance(error, InputError) and error.code != UNREADABLE
        return EXIT_USAGE if mistaken or misused else self._stopped()

    def _left(self) -> str:
        """How many records are left, where the input can be read once more to count them."""
        total = asyncio.run(self._total())
        return f" {max(total - self._counts().done, 0):,} {self._things} left." if total is not None else ""

    def _stopped(self) -> int:
        again = [word for word in sys.argv[1:] if word != "--overwrite"]  # which would throw away what is done
        self._complain("Stopped early; what is done is kept. To resume: " + shlex.join(["judge", *again]))
        return EXIT_RESUMABLE

    def _complain(self, what: object) -> None:
        self._errors.print(clean(what))
