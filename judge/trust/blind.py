"""A finished run -> the same records without their images, and with those of others: does the judge look at all?

    DIR/blind/without   DIR/blind/swapped

Each is a whole run with the judge of the first one, and goes on where it stopped; no score of the first one changes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from judge.aggregate import interval
from judge.beside import finding, less_spent, refuse_pipe, total_spent
from judge.digest import digest
from judge.errors import ConfigError, RecordError
from judge.judge_name import BASELINE
from judge.progress import Progress, RunReport
from judge.run import score_file
from judge.runs.directory import disk_errors, read_run, write_json
from judge.settings import Settings
from judge.traces.reading import Reading, Traces, points_at_images

__all__ = [
    "BlindArm",
    "BlindCheck",
    "BlindMove",
    "add_blind_check",
    "blind_runs",
    "check_blind",
    "make_progress",
    "refuse_blind_check",
]

_FOLDER: Final = "blind"
BlindArm: TypeAlias = Literal["without", "swapped"]
ARMS: Final[tuple[BlindArm, ...]] = ("without", "swapped")
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindMove:
    """How far the score of an axis moves where the judge does not see the record's own image.

    Attributes:
        mean_absolute: Mean of |Δ|, where Δ is the score in this arm less that with the image.
        mean: Of Δ; `low` and `high` are its 95 % interval, by `interval`, None below two records.
        n: Records that have the score both ways.
        n_failed: Records that have it with their image and not in this arm.
        moved: The interval leaves 0 out; where there is none, Δ is not 0.
    """

    arm: BlindArm
    axis: str
    mean_absolute: float | None
    mean: float | None
    low: float | None
    high: float | None
    interval: str | None
    n: int
    n_failed: int
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindCheck:
    """What came of it.

    Attributes:
        asked: Records that were to be asked again.
        lines: Those that were, by their lines.
        finished: All was asked; else the same command goes on.
        moves: Of every axis that is shown the image, for each arm.
        spent: On both arms, in all sessions.
    """

    asked: int
    lines: tuple[int, ...]
    finished: bool
    moves: tuple[BlindMove, ...]
    spent: Mapping[str, int | float | None]

    @property
    def unmoved(self) -> tuple[BlindMove, ...]:
        """Axes whose scores say nothing of the image."""
        return tuple(move for move in self.moves if move.n and not move.moved)

    @property
    def told(self) -> dict[str, Any]:
        """For `run.json` and `--json`: all of it, and the axes that do not move by name."""
        unmoved = [{"axis": move.axis, "arm": move.arm} for move in self.unmoved]
        return {**asdict(self), "unmoved": unmoved}


def blind_runs(out: Path) -> list[Path]:
    """Folders of the runs of a blind check."""
    return [out / _FOLDER / arm for arm in ARMS]


def make_progress() -> dict[BlindArm, Progress]:
    """One for each arm."""
    return {arm: Progress() for arm in ARMS}


def refuse_blind_check(traces: Traces, settings: Settings) -> None:
    """Raise where there is nothing to check, before anything is paid.

    Raises:
        ConfigError: The judge opens no image, no axis shows one, the input is read only once, or has too few of them.
    """
    if settings.free:
        hint = "Name a judge that sees images."
        raise ConfigError(f"--blind-check asks a judge that sees, and {BASELINE} opens no image.", hint=hint)
    if not _shown_axes(settings):
        raise ConfigError(f"--blind-check: no axis of the rubric {settings.rubric.name!r} shows the judge an image.")
    refuse_pipe(traces, reads="once more for --blind-check")
    found = set()
    with traces.opened() as reading:
        for _, image in _with_images(reading):
            found.add(digest({"image": image}))
            if len(found) > 1:
                return
    many = "all images are the same, so none can stand for another" if found else "no record has an image"
    raise ConfigError(f"--blind-check: {many}.", hint="Leave it out, or give records with images.")


def _shown_axes(settings: Settings) -> list[str]:
    return [name for name, axis in settings.rubric.scored.items() if axis.view is None or "image" in axis.view]


def _with_images(reading: Reading) -> Iterator[tuple[int, Any]]:
    """Number and image field of every row that has one."""
    for _, (number, row) in reading.lines:
        try:
            fields = reading.fields(number, row)
        except RecordError:  # a failure of the run, which has told of it
            continue
        if points_at_images(fields):
            yield number, fields["image"]


async def check_blind(
    traces: Traces,
    out: Path,
    settings: Settings,
    *,
    records: int,
    seed: int = 0,
    overwrite: bool = False,
    progress: Mapping[BlindArm, Progress] | None = None,
    stop: asyncio.Event | None = None,
    tell: Callable[[str], None] | None = None,
) -> BlindCheck:
    """Ask about some scored records again, without their images and with those of others, or go on with that.

    Args:
        traces: Of the finished run in `out`.
        out: Its run directory.
        settings: Of that run; a budget is for that run and this check together.
        records: How many, at least 2; all where there are fewer with an image and a score.
        seed: Of the choice.
        overwrite: As for `score_file`.
        progress: Of each arm; counts as its run goes on.
        stop: As for `score_file`.
        tell: As for `score_file`.

    Raises:
        ConfigError: No two of the chosen records have different images.
        InputError, FatalError, CacheError: As `score_file`.
    """
    shown = _choose(traces, out, records, seed)
    folders, reports = blind_runs(out), list[RunReport]()
    for arm, folder in zip(ARMS, folders, strict=True):
        others = [out, *(other for other in folders if other != folder)]
        rest = less_spent(finding(settings, others), others, rest="the blind check")
        of_arm, counts = replace(traces, shown=shown[arm], limit=None), progress[arm] if progress else None
        report = await score_file(of_arm, folder, rest, overwrite=overwrite, progress=counts, stop=stop, tell=tell)
        reports.append(report)
        if not report.finished:
            break
    finished = len(reports) == len(ARMS) and all(report.finished for report in reports)
    return BlindCheck(
        asked=records,
        lines=tuple(shown["without"]),
        finished=finished,
        moves=tuple(_moves(out, settings, list(shown["without"]))) if finished else (),
        spent=total_spent(report.spent for report in reports),
    )


def add_blind_check(out: Path, report: RunReport, check: BlindCheck) -> RunReport:
    """Tell of a check in `run.json`, and count what it cost into what the run has cost.

    Args:
        out: The run directory.
        report: How its session ended.
        check: What came of it.

    Returns:
        The report with both; it is of a run that is not finished where the check is not.
    """
    told, spent = read_run(out), total_spent([report.spent, check.spent])
    status = told["status"] if check.finished else "stopped"
    body = {**told, "status": status, "spent": spent, "blind_check": check.told}
    with disk_errors(out):
        write_json(out / "run.json", body)
    return replace(report, spent=spent, finished=report.finished and check.finished)


def _choose(traces: Traces, out: Path, records: int, seed: int) -> dict[BlindArm, dict[int, Any]]:
    """Numbers of the chosen rows, with what each shows in place of its image, for both arms.

    The choice goes by a hash of each line's number, so that a few more records that are scored change little of it.
    """
    scores = pl.scan_parquet(out / "scores.parquet").filter(pl.col("failure").is_null())
    scored = set(scores.select("line").collect(engine="streaming")["line"])
    with traces.opened() as reading:
        known = {number: digest({"image": image}) for number, image in _with_images(reading) if number in scored}
    drawn = sorted(known, key=lambda number: hashlib.sha256(f"{seed}:{number}".encode()).digest())
    others = _others(drawn, known, records)
    with traces.opened() as reading:
        images = {number: image for number, image in _with_images(reading) if number in others.values()}
    return {
        "without": dict.fromkeys(sorted(others)),
        "swapped": {number: images[others[number]] for number in sorted(others)},
    }


def _others(drawn: Sequence[int], known: Mapping[int, str], records: int) -> dict[int, int]:
    """For each of the first records the next one whose image is another: several questions may share a picture."""
    if len({*known.values()}) < 2:
        hint = "The run is kept. Make more of its records succeed, or leave --blind-check out."
        raise ConfigError("--blind-check: no two records that were scored have different images.", hint=hint)
    return {
        number: next(other for other in (*drawn[place:], *drawn[:place]) if known[other] != known[number])
        for place, number in enumerate(drawn[:records])
    }


def _moves(out: Path, settings: Settings, lines: list[int]) -> Iterator[BlindMove]:
    measures = [f"{axis}_score" for axis in _shown_axes(settings)]
    seen = pl.read_parquet(out / "scores.parquet", columns=["line", *measures]).filter(pl.col("line").is_in(lines))
    for arm, folder in zip(ARMS, blind_runs(out), strict=True):
        blind = pl.read_parquet(folder / "scores.parquet", columns=["line", *measures])
        both = seen.join(blind, on="line", how="left", suffix="_blind").sort("line")
        for measure in measures:
            if both[measure].count():  # else no record has anything to ask on it
                yield _move(arm, measure.removesuffix("_score"), both[measure], both[f"{measure}_blind"])


def _move(arm: BlindArm, axis: str, seen: pl.Series, blind: pl.Series) -> BlindMove:
    apart = (blind - seen).drop_nulls()
    low, high, method = interval(apart)
    moved = any(abs(value) > _ROUNDING for value in apart)
    if low is not None and high is not None:
        moved = low > _ROUNDING or high < -_ROUNDING
    return BlindMove(
        arm=arm,
        axis=axis,
        mean_absolute=_mean(apart.abs()),
        mean=_mean(apart),
        low=low,
        high=high,
        interval=method,
        n=len(apart),
        n_failed=int((seen.is_not_null() & blind.is_null()).sum()),
        moved=moved,
    )


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None
