"""Traces × two versions of a rubric -> a run directory each, in one folder. What both ask is asked once.

A version's run is in a folder of its own, named for all that makes it another: a third version finds there what the
first two paid for, and a version that is edited anew writes over none. Each run looks for replies in the journals of
all others, where the unusable ones are too: so an equal request has an equal chain of replies on both sides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from judge.digest import digest
from judge.errors import ConfigError
from judge.journal.journal import Journal
from judge.progress import Progress, RunReport
from judge.run import score_file
from judge.runs.directory import read_run
from judge.settings import Settings
from judge.traces.reading import Traces

__all__ = ["VersionsReport", "judge_versions", "less_spent", "version_folder"]

_JOURNAL = "journal.sqlite"
_NOTHING_LEFT_USD = 1e-12  # a budget is above 0; what is found costs nothing, so the run may end with it


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsReport:
    """How a session ended.

    Attributes:
        old, new: Of each version; None of the new one where the session was stopped before.
    """

    old: RunReport
    new: RunReport | None

    @property
    def finished(self) -> bool:
        """Whether both are."""
        return self.new is not None and self.new.finished


def version_folder(out: Path, settings: Settings) -> Path:
    """Where the run of a version is."""
    return out / f"{settings.rubric.name}-{digest(settings.identity)[:12]}"


async def judge_versions(
    traces: Traces,
    out: Path,
    old: Settings,
    new: Settings,
    *,
    run: Path | None = None,
    progress: tuple[Progress, Progress] | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> VersionsReport:
    """Judge the same records under two versions of a rubric, or go on with that.

    Args:
        traces: What is read, twice.
        out: Folder of the runs.
        old: The judge, with the old version. A budget is for both.
        new: The same, with the new version.
        run: Another run of this judge, whose replies are used too; nothing in it is changed.
        progress: Of each version; counts as its run goes on.
        stop: As for `score_file`.
        tell: As for `score_file`.

    Raises:
        ConfigError: Judge, folder or settings cannot be used, the input can be read only once, or `run` is of another
            judge; nothing was paid.
        InputError, FatalError, CacheError: As `score_file`.
    """
    _refuse_pipe(traces)
    if run is not None:
        _refuse_other_judge(run, old, new)
    of_old, of_new = progress or (Progress(), Progress())
    folders = version_folder(out, old), version_folder(out, new)
    before = await score_file(traces, folders[0], _finding(out, old, run), progress=of_old, stop=stop, tell=tell)
    if not before.finished:
        return VersionsReport(old=before, new=None)
    if old.rubric.fingerprint == new.rubric.fingerprint:  # one run: gone on with, it would ask again what failed
        return VersionsReport(old=before, new=before)
    rest = less_spent(_finding(out, new, run), folders[0], tell)
    after = await score_file(traces, folders[1], rest, progress=of_new, stop=stop, tell=tell)
    return VersionsReport(old=before, new=after)


def _refuse_pipe(traces: Traces) -> None:
    for path in (traces.path, traces.references):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{path} is no file, and it is read once for each version.")


def _finding(out: Path, settings: Settings, run: Path | None) -> Settings:
    """The settings of a version that looks for replies in the journals of the others, and of `run`."""
    own = version_folder(out, settings)
    found = sorted(path for path in out.glob(f"*/{_JOURNAL}") if path.parent != own)
    if run is not None:
        found.append(run / _JOURNAL)
    return replace(settings, journals=tuple(found))


def less_spent(settings: Settings, run: Path, tell: Callable[[str], None] | None) -> Settings:
    """The settings with what another run left of the budget.

    Args:
        settings: Of the run that comes next.
        run: The one before, whose journal says what it cost.
        tell: Given what is left.
    """
    budget, price = settings.budget_usd, settings.token_price
    if budget is None or price is None:
        return settings
    with closing(Journal(run / _JOURNAL, earlier=0)) as journal:
        left = max(budget - journal.billed_usd(price), 0.0)
    if tell is not None:
        tell(f"${left:.6g} of the budget of ${budget:g} are left for what follows.")
    return replace(settings, budget_usd=max(left, _NOTHING_LEFT_USD))


def _refuse_other_judge(run: Path, old: Settings, new: Settings) -> None:
    """Its replies would be of no use, and all would be paid for."""
    asked, known = read_run(run).get("judge"), {old.labels.judge, new.labels.judge}
    if asked is None:
        raise ConfigError(f"{run} is no run: it has no run.json.", hint="Give the --out of an earlier judge score.")
    if asked not in known:
        message = f"{run} is of {asked}, and asked is {', '.join(sorted(known))}."
        raise ConfigError(message, hint="Ask the same judge in the same way, or leave --run out.")
    if not (run / _JOURNAL).exists():
        raise ConfigError(f"{run} holds no replies: it has no {_JOURNAL}.", hint="Leave --run out.")
