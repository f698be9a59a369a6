"""The runs of `arms.py` -> Noise: how far one judgement can be believed, and what moves it.

noise.parquet    a row a unit and ask: what was found, and why
noise.json       flip rates, variances, the units that flip most
run.json         how it was asked, how far it came, what it cost
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from judge.beside import total_spent
from judge.move import SAID
from judge.progress import RunReport
from judge.runs.claim import ASKS
from judge.runs.directory import disk_errors, read_run, write_atomically, write_json
from judge.runs.story import sum_wall_s, tell_versions
from judge.traces.reading import Traces
from judge.trust.arms import ARMS, Arm, Ask
from judge.trust.flips import Flipped, FlipRate, Sway, distinct, find_flipped, find_flips, find_sway
from judge.trust.variance import Variance, split_variance

__all__ = ["SCHEMA", "AskedOnce", "Noise", "Split", "find_noise", "write_noise", "write_story"]

SCHEMA: Literal["judge.noise/1"] = "judge.noise/1"
_MOST_FLIPPED: Final = 100
_KEPT: Final = (
    *("line", "record_id", "record_key", "model", "axis", "unit_id", "claim"),
    *("presence", "correctness", "verdict", "level", "reason", "failure", "call_id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOnce:
    """What one way of asking came to.

    Attributes:
        name: `plain`, `repeats-1`; its run directory.
        judge: Its judge id.
        read, scored, failed: Records.
        trace_score: Mean over the records that are scored in every way; None where there is none.
        spent: Of its run; empty for a judge that is free.
    """

    name: str
    judge: str
    read: int
    scored: int
    failed: int
    trace_score: float | None
    spent: Mapping[str, int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The variance of one measure in one arm: `trace_score`, or that of an axis."""

    arm: Arm
    measure: str
    variance: Variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """All that is known of a judge's noise.

    Attributes:
        asks: Every way of asking, the plain one first.
        flips: How often verdicts differ.
        sways: Whether an order or a wording moves verdicts by itself.
        splits: How much of the variance of scores is noise.
        flipped: The units that flip most, at most 100.
    """

    asks: tuple[AskedOnce, ...]
    flips: tuple[FlipRate, ...]
    sways: tuple[Sway, ...]
    splits: tuple[Split, ...]
    flipped: tuple[Flipped, ...]

    @property
    def failed(self) -> int:
        """Records without a score, over all asks."""
        return sum(ask.failed for ask in self.asks)


def find_noise(out: Path, asks: Sequence[Ask], reports: Sequence[RunReport], *, seed: int = 0) -> Noise:
    """Hold the finished runs of all asks against each other.

    Args:
        out: Folder of the runs.
        asks: Of `build_asks`.
        reports: Of `judge_asks`, one for each.
        seed: Of the bootstrap.
    """
    verdicts, scores = read_verdicts(out, asks), _read_scores(out, asks)
    axes = list(asks[0].settings.labels.axes)
    means = _means(scores)
    return Noise(
        asks=tuple(_asked(ask, report, means) for ask, report in zip(asks, reports, strict=True)),
        flips=tuple(find_flips(verdicts, axes)),
        sways=tuple(find_sway(verdicts)),
        splits=tuple(_split(verdicts, scores, asks, seed)),
        flipped=tuple(find_flipped(verdicts, most=_MOST_FLIPPED)),
    )


def read_verdicts(out: Path, asks: Sequence[Ask]) -> pl.DataFrame:
    """A row a unit and ask: columns of `verdicts.parquet`, `arm` (null of the plain ask), `repeat`, `name` and `said`.

    `ask` is the place of an ask among all, from 0.
    """
    frames = [
        pl.scan_parquet(out / ask.name / "verdicts.parquet").select(*_KEPT, *_named(place, ask), said=SAID)
        for place, ask in enumerate(asks)
    ]
    return pl.concat(frames).collect(engine="streaming")


def _named(place: int, ask: Ask) -> list[pl.Expr]:
    arm, name = pl.lit(ask.arm, pl.String).alias("arm"), pl.lit(ask.name).alias("name")
    return [arm, pl.lit(ask.number, pl.Int64).alias("repeat"), name, pl.lit(place, pl.Int64).alias("ask")]


def _read_scores(out: Path, asks: Sequence[Ask]) -> pl.DataFrame:
    measures = ["trace_score", *(f"{axis}_score" for axis in asks[0].settings.labels.axes)]
    frames = [
        pl.scan_parquet(out / ask.name / "scores.parquet").select("line", *measures, *_named(place, ask))
        for place, ask in enumerate(asks)
    ]
    return pl.concat(frames).collect(engine="streaming")


def _means(scores: pl.DataFrame) -> dict[str, float]:
    """Mean trace score of each ask, over the records that all have."""
    asks = scores["ask"].n_unique()
    whole = scores.filter(pl.col("trace_score").count().over("line") == asks)
    means = whole.group_by("name").agg(pl.col("trace_score").mean())
    return dict(means.iter_rows())


def _asked(ask: Ask, report: RunReport, means: Mapping[str, float]) -> AskedOnce:
    return AskedOnce(
        name=ask.name,
        judge=ask.settings.labels.judge,
        read=report.read,
        scored=report.scored,
        failed=report.failed,
        trace_score=means.get(ask.name),
        spent=report.spent,
    )


def _split(verdicts: pl.DataFrame, scores: pl.DataFrame, asks: Sequence[Ask], seed: int) -> Iterable[Split]:
    axes = asks[0].settings.labels.axes
    measures = {"trace_score": None} | {f"{axis}_score": axis for axis in axes}
    for arm in ARMS:
        if not any(ask.arm == arm for ask in asks):
            continue
        for measure, axis in measures.items():
            told = distinct(verdicts if axis is None else verdicts.filter(axis=axis), arm)
            other = told.select("line", "ask").unique()  # an ask in the very same words as one before is none
            values = scores.join(other, on=["line", "ask"]).select("line", value=pl.col(measure))
            if values["value"].count() or axis is None:
                yield Split(arm=arm, measure=measure, variance=split_variance(values, seed=seed))


def write_noise(out: Path, noise: Noise, asks: Sequence[Ask]) -> None:
    """Write `noise.parquet` and `noise.json`, each whole or not at all."""
    arm = pl.col("arm").fill_null("plain")
    table = read_verdicts(out, asks).with_columns(arm=arm).drop("name", "ask").sort("line", maintain_order=True)
    with disk_errors(out):
        write_atomically(out / "noise.parquet", table.write_parquet)
        write_json(out / "noise.json", {"schema": SCHEMA, **asdict(noise)})


def write_story(out: Path, traces: Traces, asks: Sequence[Ask], *, begun: float) -> None:
    """Write `run.json`: how it was asked, and, as the runs of all asks tell it, how far it came and what it cost.

    Args:
        out: Folder of the runs.
        traces: What is judged.
        asks: All of them.
        begun: When this session began, by `time.monotonic`.
    """
    earlier, plain, now = read_run(out), asks[0].settings, datetime.now(UTC).isoformat(timespec="seconds")
    runs: list[dict[str, Any]] = [read_run(out / ask.name) for ask in asks]
    told = {
        "status": "finished" if all(run.get("status") == "finished" for run in runs) else "stopped",
        "started": earlier.get("started", now),
        "ended": now,
        "wall_s": sum_wall_s(earlier, begun),
        "input": traces.name,
        "judge": plain.labels.judge,
        "rubric": plain.labels.rubric,
        "identity": {ASKS: plain.identity},
        "settings": plain.told,
        "asks": [ask.name for ask in asks],
        "counts": {
            name: sum(run.get("counts", {}).get(name, 0) for run in runs) for name in ("read", "scored", "failed")
        },
        "spent": total_spent(run.get("spent", {}) for run in runs),
        "notes": [*dict.fromkeys(note for run in runs for note in run.get("notes", ()))],
        "versions": tell_versions(),
    }
    with disk_errors(out):
        write_json(out / "run.json", told)
