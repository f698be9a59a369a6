"""What a terminal is told: safe text, and progress, which goes to standard error."""

from __future__ import annotations

import asyncio
import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column

from judge.run import Progress as Counts

__all__ = ["Screen", "Screens", "clean", "clean_lines", "complain", "open_screens", "report_progress"]

_Show: TypeAlias = Callable[[int, int | None, str], None]  # records done, of how many, what is told beside
_FORGING = ("Cc", "Cf", "Cs", "Zl", "Zp")
_REFRESH_S = 0.2
_BAR_WIDTH = 12
_PLAIN_LINE_S = 5.0


class Screen(Console):
    """A console whose reader may go away (`| head`): no reason to stop scoring.

    It shows text as it is, unless told otherwise: no markup, no colours by guess, and lines are not folded.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"soft_wrap": True, "highlight": False, "markup": False, **given})

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # Else the interpreter's own last flush would fail, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


class Screens(NamedTuple):
    """What a command tells meanwhile, what is wrong, and what came of it."""

    told: Screen
    errors: Screen
    shown: Screen


def open_screens(*, quiet: bool, as_json: bool) -> Screens:
    """Those of a command: errors are always told, and so is what came of it where it is asked for as JSON."""
    return Screens(Screen(stderr=True, quiet=quiet), Screen(stderr=True), Screen(quiet=quiet and not as_json))


def complain(error: object) -> None:
    """Say on standard error why a command ends."""
    Screen(stderr=True).print(clean(error))


def clean(text: object) -> str:
    """Text from outside without control, direction and line characters, which can forge what a terminal shows."""
    return "".join(
        char if unicodedata.category(char) not in _FORGING else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def clean_lines(text: str) -> str:
    """The same for text of several lines, which stay lines; tabs stay too."""
    return "".join(part if part in "\n\t" else clean(part) for part in re.split(r"([\n\t])", text))


async def report_progress(
    count: Callable[[], Counts], total: asyncio.Future[int | None], console: Console, *, things: str = "records"
) -> None:
    """Show the counts until cancelled: a bar on a terminal, else a plain line every five seconds.

    Args:
        count: Gives what is done by now.
        total: Records to be done; while it is not known, nothing is said of the time left.
        console: On standard error.
        things: What is counted.
    """
    begun = time.monotonic()
    with (_bar if console.is_terminal else _lines)(console, things) as show:
        while True:
            await asyncio.sleep(_REFRESH_S if console.is_terminal else _PLAIN_LINE_S)
            known, counts = total.result() if total.done() else None, count()
            show(counts.done, known, _told(counts, known, time.monotonic() - begun))


@contextmanager
def _bar(console: Console, things: str) -> Iterator[_Show]:
    told = TextColumn(f"{things}, {{task.fields[told]}}", table_column=Column(ratio=1))  # folds in the room left
    columns = (SpinnerColumn(), BarColumn(_BAR_WIDTH), MofNCompleteColumn(), told)
    often = 1 / _REFRESH_S
    with Progress(*columns, console=console, transient=True, expand=True, refresh_per_second=often) as progress:
        task = progress.add_task(things, total=None, told="")
        yield lambda done, total, told: progress.update(task, completed=done, total=total, told=told)


@contextmanager
def _lines(console: Console, things: str) -> Iterator[_Show]:
    def show(done: int, total: int | None, told: str) -> None:
        of = f" of {total}" if total is not None else ""
        console.print(f"{done}{of} {things}, {told}", highlight=False)

    yield show


def _told(counts: Counts, total: int | None, seconds: float) -> str:
    rate = (counts.calls - counts.cached) / seconds if seconds else 0.0
    left = _time_left(counts, total, seconds)
    parts = {
        f"{counts.failed} failed": True,
        f"{rate:.0f} calls/s": True,
        f"{left} left": left,
        f"{counts.throttled} waiting: the server says 429": counts.throttled,
        f"{counts.kept} from before": counts.kept,
        f"{counts.cached} cached": counts.cached,
        f"{counts.tokens:,} tokens": counts.tokens,
    }
    return ", ".join(part for part, shown in parts.items() if shown)


def _time_left(counts: Counts, total: int | None, seconds: float) -> timedelta | None:
    """Records left / records a second of this session; those of an earlier one took no time."""
    worked = counts.done - counts.kept
    if total is None or not worked:
        return None
    return timedelta(seconds=round(max(total - counts.done, 0) * seconds / worked))
