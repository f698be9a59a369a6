"""Run directories -> what a report reads of them: their tables, and who judged in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from judge.compared_runs import read_preferences
from judge.errors import ConfigError
from judge.panels.rule import PANEL
from judge.preference import PREFERENCES
from judge.report.doubtful import read_doubtful
from judge.report.studies import is_study
from judge.runs.directory import list_parts, read_run
from judge.runs.naming import shortest_names
from judge.table import table_schemas
from judge.trust.calibration import Calibration, read_calibration

__all__ = ["Column", "ReportedRun", "find_axes", "find_columns", "read_runs"]

_EMPTY = table_schemas({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """One run directory.

    Attributes:
        path: As it was given.
        name: As it is shown: the end of the path that tells it from the others.
        story: Its `run.json`; empty where there is none.
        scores, verdicts, calls: Its tables, not read yet; of a run that is at work, the blocks that are finished.
        failures: Rows of `failures.jsonl`, in order.
        preferences: Of two traces each; empty where there are none.
        doubtful: Of `read_doubtful`.
        calibration, calibrated: What labels have shown of its judge, and the scores that follow; None without them.
    """

    path: Path
    name: str
    story: Mapping[str, Any]
    scores: pl.LazyFrame
    verdicts: pl.LazyFrame
    calls: pl.LazyFrame
    failures: Sequence[Mapping[str, Any]]
    preferences: pl.DataFrame
    doubtful: pl.DataFrame
    calibration: Calibration | None
    calibrated: pl.DataFrame | None

    @property
    def axes(self) -> list[str]:
        """Names of the axes that its scores are of, in order."""
        ending = "_coverage"
        return [name.removesuffix(ending) for name in self.scores.collect_schema() if name.endswith(ending)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One judge of one run: what stands in a column of the report.

    Attributes:
        index: From 0, over all runs.
        run: Index of its run.
        judge: The judge id.
        name: As it is shown; no two columns have the same.
        member: A panel of its run has the last word on what failed.
    """

    index: int
    run: int
    judge: str
    rubric: str
    name: str
    member: bool

    @property
    def panel(self) -> bool:
        """Whether its rows are a panel's own, made of those of other columns."""
        return self.judge.startswith(PANEL)


def read_runs(paths: Sequence[Path]) -> list[ReportedRun]:
    """Open run directories.

    Raises:
        ConfigError: One is none, is named twice, or cannot be read.
    """
    resolved = [path.resolve() for path in paths]
    for path, found in zip(paths, resolved, strict=True):
        if resolved.count(found) > 1:
            raise ConfigError(f"{path} is named twice.", hint="Name each run once.")
    return [_read(path, name) for path, name in zip(paths, shortest_names(resolved), strict=True)]


def _read(path: Path, name: str) -> ReportedRun:
    story = read_run(path)
    try:
        scores, verdicts, calls = (_table(path, table, story) for table in ("scores", "verdicts", "calls"))
        preferences = _preferences(path)
        run = ReportedRun(
            path=path,
            name=name,
            story=story,
            scores=scores,
            verdicts=verdicts,
            calls=calls,
            failures=list(_failures(path)),
            preferences=preferences,
            doubtful=read_doubtful(path),
            calibration=read_calibration(known) if (known := path / "calibration.json").exists() else None,
            calibrated=pl.read_parquet(told) if (told := path / "calibrated.parquet").exists() else None,
        )
        if not run.axes and not preferences.height and not (path / "scores.parquet").exists() and not is_study(path):
            raise _no_run(path, story)
    except (OSError, pl.exceptions.PolarsError, orjson.JSONDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}.", hint="The same judge score command makes it anew.") from exc
    return run


def _no_run(path: Path, story: Mapping[str, Any]) -> ConfigError:
    if story.get("status") == "running":
        return ConfigError(f"{path} has no finished block yet.", hint="Wait until some records are scored.")
    return ConfigError(
        f"{path} is no run directory: it has no scores.parquet.", hint="judge score --out DIR makes one."
    )


def _table(path: Path, name: str, story: Mapping[str, Any]) -> pl.LazyFrame:
    """A table; while the run is at work, what its finished blocks hold, as the table is written at the end."""
    whole, parts = path / f"{name}.parquet", list_parts(path)
    if parts and (story.get("status") == "running" or not whole.exists()):
        return pl.scan_parquet([part / f"{name}.parquet" for part in parts])
    return pl.scan_parquet(whole) if whole.exists() else pl.LazyFrame(schema=_EMPTY[name])


def _failures(path: Path) -> Iterator[Mapping[str, Any]]:
    file = path / "failures.jsonl"
    if file.exists():
        with file.open("rb") as lines:
            yield from (orjson.loads(line) for line in lines)
        return
    for part in list_parts(path):
        yield from pl.read_parquet(part / "failures.parquet").iter_rows(named=True)


def _preferences(path: Path) -> pl.DataFrame:
    file = path / "preferences.parquet"
    return read_preferences(path) if file.exists() else pl.DataFrame(schema=PREFERENCES)


def find_axes(runs: Sequence[ReportedRun]) -> list[str]:
    """Axes of all runs, in the order of their first appearance."""
    return list(dict.fromkeys(axis for run in runs for axis in run.axes))


def find_columns(runs: Sequence[ReportedRun]) -> list[Column]:
    """The judges of all runs, named by as little as tells them apart."""
    found = [
        (number, judge, rubric)
        for number, run in enumerate(runs)
        for judge, rubric in run.scores.select("judge", "rubric").unique(maintain_order=True).collect().iter_rows()
    ]
    panels = {number for number, judge, _ in found if judge.startswith(PANEL)}
    wordings = [
        [judge for _, judge, _ in found],
        [f"{judge} · {rubric}" for _, judge, rubric in found],
        [f"{judge} · {runs[number].name}" for number, judge, _ in found],
        [f"{judge} · {rubric} · {runs[number].name}" for number, judge, rubric in found],
    ]
    names = next(names for names in wordings if max(Counter(names).values(), default=1) == 1)
    return [
        Column(
            index=index,
            run=number,
            judge=judge,
            rubric=rubric,
            name=name,
            member=number in panels and not judge.startswith(PANEL),
        )
        for index, ((number, judge, rubric), name) in enumerate(zip(found, names, strict=True))
    ]
