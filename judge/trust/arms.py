"""Traces × a judge -> a run for every way of asking it: plainly, again, in other orders, in other words.

    DIR/plain  DIR/repeats-1  …  DIR/orders-1  …  DIR/templates-1  …

Each is a whole run with an identity of its own, which goes on where it stopped. What an earlier one asked in the very
same words is not asked again: a call about one unit has no other order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

from judge.beside import finding, less_spent, refuse_pipe
from judge.errors import ConfigError
from judge.estimate import Estimate, estimate
from judge.progress import Progress, RunReport
from judge.run import score_file
from judge.runs.claim import refuse_no_asks
from judge.settings import Settings
from judge.traces.reading import Traces
from judge.variation import PLAIN, WORDINGS, Variation

__all__ = ["ARMS", "Arm", "Ask", "build_asks", "count_calls", "judge_asks"]

Arm: TypeAlias = Literal["repeats", "orders", "templates"]
ARMS: Final[tuple[Arm, ...]] = ("repeats", "orders", "templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One way of asking for all verdicts.

    Attributes:
        arm: What is varied; None for the plain ask.
        number: Which of its arm, from 1; 0 for the plain ask.
    """

    settings: Settings
    arm: Arm | None = None
    number: int = 0

    @property
    def name(self) -> str:
        """Of its run directory: `plain`, `repeats-1`."""
        return "plain" if self.arm is None else f"{self.arm}-{self.number}"


def build_asks(settings: Settings, *, repeats: int, orders: int, templates: int) -> list[Ask]:
    """The plain ask, and all others.

    Args:
        settings: Of the plain ask, with one sample.
        repeats: How often the same is asked again, 0 or more.
        orders: In how many other orders the units of a call are asked about, 0 or more.
        templates: In how many other wordings, 0 to 3.

    Raises:
        ConfigError: Nothing is varied, or this judge or rubric cannot be asked otherwise.
    """
    if not (repeats or orders or templates):
        raise ConfigError("nothing is asked a second time: repeats, orders and templates are all 0.")
    if templates > WORDINGS:
        raise ConfigError(f"templates is {templates}; the rules are there in {WORDINGS} other wordings.")
    varied: dict[Arm, list[Variation]] = {
        "repeats": [Variation(sample=number) for number in range(1, repeats + 1)],
        "orders": [Variation(order=number) for number in range(1, orders + 1)],
        "templates": [Variation(wording=number) for number in range(1, templates + 1)],
    }
    others = [
        Ask(settings=replace(settings, variation=one), arm=arm, number=number)
        for arm in ARMS
        for number, one in enumerate(varied[arm], start=1)
    ]
    return [Ask(settings=replace(settings, variation=PLAIN)), *others]


async def judge_asks(
    traces: Traces,
    out: Path,
    asks: Sequence[Ask],
    *,
    overwrite: bool = False,
    progress: Sequence[Progress] = (),
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[RunReport]:
    """Judge the same records in every way, one after the other, or go on with that.

    Args:
        traces: What is read, once for each.
        out: Folder of the runs.
        asks: Of `build_asks`; a budget is for all together.
        overwrite: As for `score_file`.
        progress: One for each ask; counts as its run goes on.
        stop: As for `score_file`.
        tell: As for `score_file`.

    Returns:
        One report for each ask, as far as the session came: the last may tell of a run that is not finished.

    Raises:
        ConfigError, InputError, FatalError, CacheError: As `score_file`.
    """
    _refuse(traces, out)
    folders = [out / ask.name for ask in asks]
    reports: list[RunReport] = []
    for place, (ask, folder) in enumerate(zip(asks, folders, strict=True)):
        others = [other for other in folders if other != folder]
        settings = less_spent(finding(ask.settings, folders[:place]), others, rest=ask.name)
        counts = progress[place] if progress else None
        report = await score_file(traces, folder, settings, overwrite=overwrite, progress=counts, stop=stop, tell=tell)
        reports.append(report)
        if not report.finished:
            break
    return reports


async def count_calls(traces: Traces, out: Path, asks: Sequence[Ask]) -> list[Estimate]:
    """What each ask would take, before anything is paid; reads all records once for each, and asks nobody.

    Raises:
        ConfigError, InputError: As `estimate`.
    """
    _refuse(traces, out)
    return [await estimate(traces, ask.settings, out=out / ask.name) for ask in asks]


def _refuse(traces: Traces, out: Path) -> None:
    refuse_pipe(traces, reads="once for each way of asking")
    refuse_no_asks(out)
