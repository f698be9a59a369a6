"""What `judge score --json` prints: one object of a fixed form, described in docs/outputs.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, TypedDict, cast

import orjson
import polars as pl
from pydantic import JsonValue

from judge.difference import Difference
from judge.run import RunReport
from judge.table import Labels
from judge.trust.blind import BlindCheck

__all__ = ["SCHEMA", "Told", "tell"]

SCHEMA: Literal["judge.score/1"] = "judge.score/1"
"""Name and version of the form; another version only where a key goes or changes its meaning."""


class ToldCounts(TypedDict):
    """Records; read = scored + failed."""

    read: int
    scored: int
    failed: int


class ToldUnits(TypedDict):
    """Units over all samples; the difference has no verdict."""

    asked: int
    judged: int


class ToldCaution(TypedDict):
    """What to doubt."""

    code: str
    message: str
    numbers: dict[str, JsonValue]


class ToldDifference(TypedDict):
    """One model less another on the records that both have."""

    model: str
    other: str
    mean: float
    low: float | None
    high: float | None
    interval: str | None
    n: int
    needed: int | None
    separated: bool


class ToldMean(TypedDict):
    """One measure of one model."""

    model: str | None
    judge: str
    measure: str
    mean: float | None
    low: float | None
    high: float | None
    interval: str | None
    n: int
    n_failed: int


class ToldCalibrated(TypedDict):
    """One calibrated measure of one model."""

    model: str | None
    measure: str
    mean: float | None
    low: float | None
    high: float | None
    interval: str | None
    n: int


class ToldBlind(TypedDict):
    """What came of --blind-check."""

    asked: int
    lines: Sequence[int]
    finished: bool
    moves: Sequence[dict[str, JsonValue]]
    spent: dict[str, int | float | None]
    unmoved: Sequence[dict[str, str]]


class Told(TypedDict):
    """The whole object."""

    schema: Literal["judge.score/1"]
    finished: bool
    exit_code: int
    judge: str
    rubric: str
    counts: ToldCounts
    units: ToldUnits
    spent: dict[str, int | float | None] | None
    cost_usd: float | None
    cautions: list[ToldCaution]
    differences: list[ToldDifference]
    notes: list[str]
    summary: list[ToldMean]
    calibrated: list[ToldCalibrated] | None
    blind_check: ToldBlind | None
    out: str


def tell(
    report: RunReport,
    summary: pl.DataFrame,
    differences: Sequence[Difference],
    *,
    labels: Labels,
    out: Path,
    exit_code: int,
    calibrated: pl.DataFrame | None = None,
    blind: BlindCheck | None = None,
) -> str:
    """The object as one line of JSON.

    Args:
        report: How the session ended.
        summary: Of `summarise`.
        differences: Of `find_differences`.
        labels: Of the judge and the rubric.
        out: The run directory.
        exit_code: Of this command.
        calibrated: Of `calibrated_means`; None without a calibration.
        blind: Of `check_blind`, where it was asked for.
    """
    told: Told = {
        "schema": SCHEMA,
        "finished": report.finished,
        "exit_code": exit_code,
        "judge": labels.judge,
        "rubric": labels.rubric,
        "counts": {"read": report.read, "scored": report.scored, "failed": report.failed},
        "units": {"asked": report.units_asked, "judged": report.units_judged},
        "spent": report.spent or None,
        "cost_usd": report.spent["cost_usd"] if report.spent else 0.0,
        "cautions": cast("list[ToldCaution]", [asdict(caution) for caution in report.cautions]),
        "differences": cast(
            "list[ToldDifference]", [asdict(one) | {"separated": one.separated} for one in differences]
        ),
        "notes": [*report.notes],
        "summary": cast("list[ToldMean]", summary.to_dicts()),
        "calibrated": None if calibrated is None else cast("list[ToldCalibrated]", calibrated.to_dicts()),
        "blind_check": None if blind is None else cast("ToldBlind", blind.told),
        "out": str(out),
    }
    return orjson.dumps(told).decode()
