"""Targets × families -> two runs of `judge score`, and what came of the attacks.

    DIR/traces.jsonl        the records, clean and attacked
    DIR/run/                their run: an ordinary run directory, with its journal
    DIR/clean.jsonl         the clean records alone
    DIR/without-evidence/   their run with --evidence none, for the drift of that defence

Attacked records go through the code that all records go through: it is what is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from judge.beside import less_spent
from judge.progress import Progress, RunReport
from judge.redteam.attack import Family
from judge.redteam.drift import Drift, Gate, count_gated, measure_drift
from judge.redteam.measure import TRACE_SCORE, Effect, Worst, measure_effects, pair_scores, worst_attacks
from judge.redteam.plan import write_plan
from judge.redteam.quotes import Quotes, count_quotes
from judge.redteam.targets import Gathered, gather_targets
from judge.run import refuse_taken, score_file
from judge.runs.directory import disk_errors
from judge.settings import Settings
from judge.traces.reading import Traces
from judge.usable import refuse_unusable

__all__ = ["Attacked", "Campaign", "Prepared", "attack", "prepare"]

_TRACES, _RUN = "traces.jsonl", "run"
_CLEAN, _WITHOUT = "clean.jsonl", "without-evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is tried, and how it is counted.

    Attributes:
        families: Of attacks.
        seed: Of the attacks, and of the bootstrap.
        per_family: Attacks of a family on a record, at most.
        pass_mark: A score of at least this much passes.
    """

    families: tuple[Family, ...]
    seed: int = 0
    per_family: int = 10
    pass_mark: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """What came of it.

    Attributes:
        run: Of the clean and attacked records.
        without: Of the clean records without evidence; None where evidence is not asked for.
        gathered: What was read.
        plan: What each line of the run is.
        pairs: `redteam.parquet`.
        effects: What each family brought.
        worst: The attacks that raised scores most.
        quotes: What was quoted on attacked records.
        gate: What the gate against traces that say nothing does.
        drift: What asking for evidence moves on clean records; None as `without`.
    """

    run: RunReport
    without: RunReport | None
    gathered: Gathered
    plan: pl.DataFrame
    pairs: pl.DataFrame
    effects: list[Effect]
    worst: list[Worst]
    quotes: Quotes
    gate: Gate
    drift: Drift | None

    @property
    def failed(self) -> int:
        """Records that could not be judged at all, and attacks and clean records of which a judgement failed."""
        attacks = sum(one.failed for one in self.effects if one.measure == TRACE_SCORE)
        without = 0 if self.drift is None else self.drift.failed_with + self.drift.failed_without
        return self.gathered.failed + attacks + without


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is about to be scored.

    Attributes:
        gathered: What was read.
        plan: What each line is.
        traces: The lines.
    """

    gathered: Gathered
    plan: pl.DataFrame
    traces: Traces


async def prepare(traces: Traces, folder: Path, settings: Settings, campaign: Campaign) -> Prepared:
    """Read the records and write what is scored.

    Args:
        traces: The records.
        folder: Where the files are written; made where it is not there.
        settings: Judge and rubric.
        campaign: What is tried.

    Raises:
        InputError: There is no record that can be judged.
    """
    gathered = await gather_targets(traces, settings.rubric)
    plan = _write(gathered, folder, campaign)
    return Prepared(gathered=gathered, plan=plan, traces=_own(traces, folder / _TRACES))


def _write(gathered: Gathered, folder: Path, campaign: Campaign) -> pl.DataFrame:
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(gathered.targets, (), folder / _CLEAN)
        told: dict[str, Any] = {"seed": campaign.seed, "per_family": campaign.per_family}
        return write_plan(gathered.targets, campaign.families, folder / _TRACES, **told)


def _own(traces: Traces, path: Path) -> Traces:
    """Records that are written under our names, with images where they were."""
    return Traces(path=str(path), images=traces.images)


async def attack(
    traces: Traces,
    out: Path,
    settings: Settings,
    campaign: Campaign,
    *,
    overwrite: bool = False,
    progress: tuple[Progress, Progress] | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> Attacked | None:
    """Attack records and score them, or go on with that.

    Args:
        traces: The records; all that are read are held in memory.
        out: Folder of all files; see above.
        settings: Judge and rubric. A budget is for both runs.
        campaign: What is tried, and how it is counted.
        overwrite: Start afresh whatever is there.
        progress: Of each run; counts as it goes on.
        stop: As for `score_file`.
        tell: As for `score_file`.

    Returns:
        None where it was stopped before all was asked.

    Raises:
        ConfigError, InputError, FatalError, CacheError: As `score_file`.
    """
    refuse_unusable(settings)
    if not overwrite:  # or the lines that an earlier campaign speaks of would be replaced, and its run stay
        refuse_taken(out / _RUN, settings, tell)
    prepared = await prepare(traces, out, settings, campaign)
    of_run, of_drift = progress or (Progress(), Progress())
    how: dict[str, Any] = {"overwrite": overwrite, "stop": stop, "tell": tell}
    run = await score_file(prepared.traces, out / _RUN, settings, progress=of_run, **how)
    if not run.finished:
        return None
    without = None
    if settings.evidence != "none":
        clean = _own(traces, out / _CLEAN)
        without = await score_file(clean, out / _WITHOUT, _without(settings, out, tell), progress=of_drift, **how)
        if not without.finished:
            return None
    return _conclude(prepared, out, settings, campaign, run, without)


def _without(settings: Settings, out: Path, tell: Callable[[str], None] | None) -> Settings:
    other = replace(settings, evidence="none")
    return less_spent(other, [out / _RUN], rest="the clean records without evidence", tell=tell)


def _conclude(
    prepared: Prepared, out: Path, settings: Settings, campaign: Campaign, run: RunReport, without: RunReport | None
) -> Attacked:
    plan, scores = prepared.plan, pl.read_parquet(out / _RUN / "scores.parquet")
    replaced = [family.name for family in campaign.families if family.replaces]
    pairs = pair_scores(plan, scores, list(settings.labels.axes), replaced)
    pairs.write_parquet(out / "redteam.parquet")
    clean = dict(enumerate((target.trace for _, target in prepared.gathered.targets), start=1))
    drift = None
    if without is not None:
        mine = scores.filter(pl.col("line") <= len(clean))
        drift = measure_drift(mine, pl.read_parquet(out / _WITHOUT / "scores.parquet"), seed=campaign.seed)
    return Attacked(
        run=run,
        without=without,
        gathered=prepared.gathered,
        plan=plan,
        pairs=pairs,
        effects=measure_effects(pairs, campaign.families, pass_mark=campaign.pass_mark, seed=campaign.seed),
        worst=worst_attacks(pairs, campaign.families),
        quotes=count_quotes(pl.read_parquet(out / _RUN / "verdicts.parquet"), plan, clean, replaced=replaced),
        gate=count_gated(list(clean.values()), flagged=_flagged(plan)),
        drift=drift,
    )


def _flagged(plan: pl.DataFrame) -> int:
    return len(plan.filter(pl.col("family").is_null(), pl.col("flags").list.len() > 0))
