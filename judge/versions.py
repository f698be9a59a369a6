"""Traces × two versions of a rubric -> a run directory each, in one folder. What both ask is asked once.

A version's run is in a folder of its own, named for all that makes it another: a third version finds there what the
first two paid for, and a version that is edited anew writes over none. Each run looks for replies in the journals of
all others, where the unusable ones are too: so an equal request has an equal chain of replies on both sides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from judge.beside import JOURNAL, finding, less_spent, refuse_pipe
from judge.digest import digest
from judge.errors import ConfigError
from judge.progress import Progress, RunReport
from judge.run import score_file
from judge.runs.directory import read_run
from judge.settings import Settings
from judge.traces.reading import Traces

__all__ = ["VersionsReport", "judge_versions", "version_folder"]


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
    refuse_pipe(traces, reads="once for each version")
    if run is not None:
        _refuse_other_judge(run, old, new)
    of_old, of_new = progress or (Progress(), Progress())
    folders = version_folder(out, old), version_folder(out, new)
    before = await score_file(traces, folders[0], _finding(out, old, run), progress=of_old, stop=stop, tell=tell)
    if not before.finished:
        return VersionsReport(old=before, new=None)
    if old.rubric.fingerprint == new.rubric.fingerprint:  # one run: gone on with, it would ask again what failed
        return VersionsReport(old=before, new=before)
    rest = less_spent(_finding(out, new, run), folders[:1], rest="the new version", tell=tell)
    after = await score_file(traces, folders[1], rest, progress=of_new, stop=stop, tell=tell)
    return VersionsReport(old=before, new=after)


def _finding(out: Path, settings: Settings, run: Path | None) -> Settings:
    """The settings of a version that looks for replies in the journals of the others, and of `run`."""
    own = version_folder(out, settings)
    others = sorted(path.parent for path in out.glob(f"*/{JOURNAL}") if path.parent != own)
    return finding(settings, [*others, *([run] if run is not None else [])])


def _refuse_other_judge(run: Path, old: Settings, new: Settings) -> None:
    """Its replies would be of no use, and all would be paid for."""
    asked, known = read_run(run).get("judge"), {old.labels.judge, new.labels.judge}
    if asked is None:
        raise ConfigError(f"{run} is no run: it has no run.json.", hint="Give the --out of an earlier judge score.")
    if asked not in known:
        message = f"{run} is of {asked}, and asked is {', '.join(sorted(known))}."
        raise ConfigError(message, hint="Ask the same judge in the same way, or leave --run out.")
    if not (run / JOURNAL).exists():
        raise ConfigError(f"{run} holds no replies: it has no {JOURNAL}.", hint="Leave --run out.")
