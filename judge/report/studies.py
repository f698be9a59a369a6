"""Folders of `judge noise` and `judge redteam`, and blind checks of runs -> their tables, as sections of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from judge.errors import ConfigError
from judge.redteam.measure import TRACE_SCORE, Effect, Rate
from judge.report.section import Cell, Interval, Section, Table
from judge.trust.blind import BlindCheck
from judge.trust.blind_words import ARM_WORDS, unmoved_lines
from judge.trust.flips import FlipRate
from judge.trust.noise import Split

__all__ = ["describe_blind_check", "is_study", "read_studies"]

_AIMS: Final[Mapping[str, str]] = {
    "raise": "Added to the trace: should change nothing",
    "nothing": "In place of the trace: answers nothing",
    "limit": "With the reference's words, or another's trace: shown, and checked by no bound",
}
_NOISE: Final = "noise.json"
_ATTACKS: Final = "redteam.json"


def is_study(folder: Path) -> bool:
    """Whether `judge noise` or `judge redteam` wrote it."""
    return any((folder / name).exists() for name in (_NOISE, _ATTACKS))


def read_studies(folder: Path, name: str, number: int) -> Iterator[Section]:
    """What a folder of `judge noise` or `judge redteam` has found; nothing of any other.

    Args:
        folder: The directory.
        name: As the report calls it.
        number: Of it in the report: no two sections have one id.

    Raises:
        ConfigError: A file of it is damaged.
    """
    for file, describe in ((_NOISE, _noise), (_ATTACKS, _attacks)):
        if (path := folder / file).exists():
            yield describe(path, name, number)


def _told(path: Path) -> Mapping[str, Any]:
    try:
        told = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as exc:
        raise _damaged(path, str(exc)) from exc
    if not isinstance(told, dict):
        raise _damaged(path, "it is no object")
    return told


def _as(kind: Any, told: Any, path: Path) -> Any:
    try:
        return TypeAdapter(kind).validate_python(told)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc


def _damaged(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} cannot be read: {why}.", hint="The command that made it writes it anew.")


def _noise(path: Path, name: str, number: int) -> Section:
    told = _told(path)
    flips: Sequence[FlipRate] = _as(tuple[FlipRate, ...], told.get("flips"), path)
    splits: Sequence[Split] = _as(tuple[Split, ...], told.get("splits"), path)
    return Section(
        name=f"noise-{number}",
        title=f"Noise: {name}",
        short="Noise",
        tables=[
            Table(
                caption="How often two asks about one unit differ, mean over records with 95 % intervals",
                head=("arm", "axis", "any difference", "presence", "correctness", "records", "units"),
                rows=list(_flips(flips)),
            ),
            Table(
                caption="How much of the variance of a score is noise",
                head=(
                    "arm",
                    "score",
                    "between records",
                    "noise",
                    "noise share",
                    "records",
                    "SE of mean",
                    "asks enough",
                ),
                rows=[_split(one) for one in splits],
            ),
        ],
    )


def _flips(flips: Sequence[FlipRate]) -> Iterator[Sequence[Cell]]:
    found = {(one.arm, one.axis, one.told): one for one in flips}
    for one in flips:
        if one.told == "any":
            parts = (found.get((one.arm, one.axis, "presence")), found.get((one.arm, one.axis, "correctness")))
            yield one.arm, one.axis or "all", *map(_flip_rate, (one, *parts)), one.n, one.units


def _flip_rate(one: FlipRate | None) -> Cell:
    return None if one is None else Interval(value=one.rate, low=one.low, high=one.high)


def _split(one: Split) -> Sequence[Cell]:
    found = one.variance
    share = Interval(value=found.share, low=found.low, high=found.high)
    return one.arm, one.measure, found.between, found.noise, share, found.records, found.standard_error, found.enough


def _attacks(path: Path, name: str, number: int) -> Section:
    told = _told(path)
    effects: Sequence[Effect] = _as(tuple[Effect, ...], told.get("families"), path)
    mine = [one for one in effects if one.measure == TRACE_SCORE]
    tables = [_attack_table(aim, [one for one in mine if one.aim == aim]) for aim in _AIMS]
    return Section(
        name=f"attacks-{number}",
        title=f"Attacks: {name}",
        short="Attacks",
        about=[f"{told.get('rubric')} judged by {told.get('judge')}; {told.get('pass_mark')} passes."],
        tables=[table for table in tables if table.rows],
    )


def _attack_table(aim: str, effects: Sequence[Effect]) -> Table:
    """What answers nothing is not compared with what was there."""
    caption = f"{_AIMS[aim]}; means of trace scores, with 95 % intervals over records"
    if aim == "nothing":
        head = ("family", "tried", "failed", "attacked", "above 0", "of", "share", "pass", "of", "share")
        rows = [(*_tried(one), one.attacked, *_rate(one.accepted), *_rate(one.passed)) for one in effects]
        return Table(caption=caption, head=head, rows=rows)
    head = ("family", "tried", "failed", "clean", "attacked", "inflation", "accepted", "of", "lifted", "of")
    return Table(caption=caption, head=head, rows=[_added(one) for one in effects])


def _tried(one: Effect) -> tuple[Cell, ...]:
    return one.family, one.tried, one.failed


def _rate(rate: Rate) -> tuple[Cell, ...]:
    return rate.count, rate.n, Interval(value=rate.share, low=rate.low, high=rate.high)


def _added(one: Effect) -> Sequence[Cell]:
    inflation = Interval(value=one.inflation, low=one.low, high=one.high)
    counts = (one.accepted.count, one.accepted.n, one.flips.count, one.flips.n)
    return (*_tried(one), one.clean, one.attacked, inflation, *counts)


def describe_blind_check(story: Mapping[str, Any], path: Path, name: str, number: int) -> Section | None:
    """What the blind check of a run says; None where it had none.

    Args:
        story: Its `run.json`.
        path: Of that file.
        name: Of the run.
        number: Of the run in the report.

    Raises:
        ConfigError: What is told of it is damaged.
    """
    told = story.get("blind_check")
    if told is None:
        return None
    check: BlindCheck = _as(BlindCheck, told, path)
    return Section(
        name=f"blind-{number}",
        title=f"Blind check: {name}",
        short="Blind check",
        about=[f"{len(check.lines):,} records asked about again; axis scores less those with their image."],
        tables=[
            Table(
                caption="How far each axis moves, with 95 % intervals",
                head=("axis", "asked", "mean |difference|", "mean difference", "n", "failed"),
                rows=[
                    (
                        one.axis,
                        ARM_WORDS[one.arm],
                        one.mean_absolute,
                        Interval(value=one.mean, low=one.low, high=one.high),
                        one.n,
                        one.n_failed,
                    )
                    for one in check.moves
                ],
            )
        ],
        found=list(unmoved_lines(check)),
    )
