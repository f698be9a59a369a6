"""A run × labels -> Calibration: how often the judge says what people say, and what its answers stand for.

Of what holds on average, every label counts: y is the mean over the people who labelled. For sensitivity and
specificity it has to hold or not, so that what people are evenly split on has no part in them. Of several samples the
first counts, as in `judge.trust.ratings`: further ones are no further labels.

    probe    asked of        what the judge says, x             what people say, y
    raised   every unit      p/2, or p_present of a probe       p/2
    right    raised units    [c = 1], or p_correct of a probe   [c = 1] of those who say that it is raised
    met      criteria        [MET]                              [MET]
    level    scales          the level                          the level
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from judge.errors import ConfigError
from judge.runs.directory import read_run
from judge.statistics.bootstrap import Draws
from judge.statistics.estimate import Stack, Statistic, ratio
from judge.statistics.isotonic import fit_steps
from judge.trust.calibration import AxisCalibration, Calibration, Map, Probe, ProbeCalibration, Rate
from judge.trust.matching import match

__all__ = ["LEAST", "calibrate", "pair_answers"]

LEAST: Final = 20
"""Answers that a map needs: below, its error on other records is as likely to grow as to fall."""
_FOLDS: Final = 5
_LEAST_RECORDS: Final = 5
_PLACE: Final = ("record_id", "model", "axis", "unit_id")
_PROBES: Final[Mapping[str, tuple[Probe, ...]]] = {
    "checklist": ("raised", "right"),
    "criteria": ("met",),
    "scale": ("level",),
}
_RAISED: Final = pl.col("presence") >= 1


def calibrate(run: Path, labels: pl.DataFrame, *, judge: str | None = None, seed: int = 0) -> Calibration:
    """What labels show of the judge of a run.

    Args:
        run: The directory of a run of `judge score`.
        labels: Of people, in columns `judge.trust.labels.LABELS`.
        judge: Which of its judges, where it has several.
        seed: Of the bootstrap.

    Raises:
        ConfigError: There is no such judge, or no label is of what it judged.
    """
    said = _of_one(_said(run), run, judge)
    ratings = match([run], labels)
    paired = _paired(said, ratings.labelled)
    if paired.is_empty():
        raise ConfigError(f"{run}: the judge has no verdict on any unit that is labelled.")
    first = said.row(0, named=True)
    axes = paired.partition_by("axis", as_dict=True, maintain_order=True)
    return Calibration(
        judge=first["judge"],
        rubric=str(read_run(run).get("rubric")),
        prompt_fp=first["prompt_fp"],
        rubric_fp=first["rubric_fp"],
        raters=ratings.raters,
        records=paired.select("record_id", "model").n_unique(),
        axes={str(name): _axis(rows, seed) for (name,), rows in axes.items()},
    )


def pair_answers(run: Path, labelled: pl.DataFrame, *, judge: str) -> pl.DataFrame:
    """What a judge of a run and people say of the same units.

    Args:
        run: The directory of a run of `judge score`.
        labelled: Of people, in columns `judge.trust.ratings.RATINGS`.
        judge: Which of its judges.

    Returns:
        A row a unit that both answered: `record_id, model, axis, unit_id, kind`, and of each probe `{probe}_x` and
        `{probe}_y`, null where it was not asked.
    """
    return _paired(_said(run).filter(judge=judge), labelled)


def _paired(said: pl.DataFrame, labelled: pl.DataFrame) -> pl.DataFrame:
    return said.join(_people(labelled), on=_PLACE, how="inner", nulls_equal=True)


def _said(run: Path) -> pl.DataFrame:
    path = run / "verdicts.parquet"
    if not path.exists():
        raise ConfigError(f"{run} is no run of judge score: it has no verdicts.parquet.")
    judged = pl.scan_parquet(path).filter(
        pl.col("failure").is_null(), pl.col("kind").is_in(list(_PROBES)), pl.col("sample").fill_null(0) == 0
    )
    return judged.select(
        *(*_PLACE, "judge", "prompt_fp", "rubric_fp", "kind"),
        raised_x=pl.coalesce("p_present", pl.col("presence") / 2),
        raised_said=_RAISED,
        right_x=pl.when(_RAISED).then(pl.coalesce("p_correct", (pl.col("correctness") == 1).cast(pl.Float64))),
        right_said=pl.when(_RAISED).then(pl.col("correctness") == 1),
        met_x=(pl.col("verdict") == "MET").cast(pl.Float64),
        met_said=pl.col("verdict") == "MET",
        level_x="value",
    ).collect()


def _of_one(said: pl.DataFrame, run: Path, judge: str | None) -> pl.DataFrame:
    judges = said["judge"].unique(maintain_order=True).to_list()
    if judge is None and len(judges) == 1:
        return said
    if judge in judges:
        return said.filter(judge=judge)
    if not judges:
        raise ConfigError(f"{run} has no verdict to calibrate.")
    which = "several judges" if judge is None else f"no judge {judge!r}"
    raise ConfigError(f"{run} has {which}.", hint=f"Give --judge with one of: {', '.join(judges)}.")


def _people(labelled: pl.DataFrame) -> pl.DataFrame:
    """What people say of each unit, on average, and whether most of them say that it holds."""
    value = pl.col("value")

    def share(probe: str, holds: str) -> pl.Expr:
        return (value == holds).filter(pl.col("probe") == probe).mean()

    means = (
        labelled.filter(value != "CANNOT_ASSESS")
        .group_by(_PLACE)
        .agg(
            raised_y=value.filter(pl.col("probe") == "presence").cast(pl.Float64).mean() / 2,
            raised_is=share("raised", "raised"),
            right_y=share("correctness", "1"),
            right_is=share("correctness", "1"),
            met_y=share("verdict", "MET"),
            met_is=share("verdict", "MET"),
            level_y=value.filter(pl.col("probe") == "value").cast(pl.Float64).mean(),
        )
    )
    sides = ("raised_is", "right_is", "met_is")
    return means.with_columns(pl.when(pl.col(side) != 0.5).then(pl.col(side) > 0.5).alias(side) for side in sides)


def _axis(paired: pl.DataFrame, seed: int) -> AxisCalibration:
    kind = paired["kind"][0]
    return AxisCalibration(kind=kind, probes={probe: _probe(paired, probe, seed) for probe in _PROBES[kind]})


def _probe(paired: pl.DataFrame, probe: Probe, seed: int) -> ProbeCalibration:
    known = paired.drop_nulls((f"{probe}_x", f"{probe}_y")).sort("record_id", "model", "unit_id")
    told = known.select(x=f"{probe}_x", y=f"{probe}_y", record=pl.struct("record_id", "model").rank("dense"))
    sensitivity, specificity = (None, None) if probe == "level" else _sides(known, probe, seed)
    why = _why_no_map(told)
    steps = None if why else fit_steps(told["x"], told["y"])
    return ProbeCalibration(
        n=len(told),
        sensitivity=sensitivity,
        specificity=specificity,
        map=Map(at=steps.at, to=steps.to) if steps else None,
        error=_error(told["x"], told["y"]) if steps else None,
        error_mapped=_error_elsewhere(told) if steps else None,
        why=why,
    )


def _why_no_map(told: pl.DataFrame) -> str | None:
    if len(told) < LEAST or told["record"].n_unique() < _LEAST_RECORDS:
        records = told["record"].n_unique()
        return f"{LEAST} labelled answers of {_LEAST_RECORDS} records are needed: there are {len(told)} of {records}"
    if told["x"].n_unique() == 1:
        return "the judge says the same of all"
    if told["y"].n_unique() == 1:
        return "people say the same of all"
    return None


def _error(said: pl.Series, people: pl.Series) -> float:
    """Σ (x - y)² / n."""
    return float(((said - people) ** 2).mean() or 0.0)  # type: ignore[arg-type]


def _error_elsewhere(told: pl.DataFrame) -> float:
    """The error of maps on records that they were not fitted to: five folds of whole records."""
    fold = (told["record"] % _FOLDS).alias("fold")
    mapped = [
        part.with_columns(pl.Series("x", fit_steps(rest["x"], rest["y"])(part["x"])))
        for part, rest in ((told.filter(fold == one), told.filter(fold != one)) for one in range(_FOLDS))
        if len(part) and len(rest)
    ]
    whole = pl.concat(mapped)
    return _error(whole["x"], whole["y"])


def _sides(known: pl.DataFrame, probe: Probe, seed: int) -> tuple[Rate, Rate]:
    """Sensitivity and specificity over what people are not evenly split on."""
    said, holds = pl.col(f"{probe}_said"), pl.col(f"{probe}_is")
    counts = (
        known.filter(holds.is_not_null())
        .group_by("record_id", "model", maintain_order=True)
        .agg(
            hit=(said & holds).sum(),
            missed=(~said & holds).sum(),
            denied=(~said & ~holds).sum(),
            wrong=(said & ~holds).sum(),
        )
    )
    if counts.is_empty():
        return Rate(value=None, n=0), Rate(value=None, n=0)
    draws = Draws(counts.select("hit", "missed", "denied", "wrong").to_numpy(), seed=seed)
    return _rate(draws, 0), _rate(draws, 2)


def _rate(draws: Draws, at: int) -> Rate:
    """Of the counts at `at` and after it: the share of the first of the two."""

    def share(counts: Stack) -> Stack:
        return ratio(counts[..., at], counts[..., at] + counts[..., at + 1])

    found = draws.estimate(Statistic(of=share, undefined="nothing to find"))
    n = int(draws.whole[at] + draws.whole[at + 1])
    return Rate(value=found.value, low=found.low, high=found.high, n=n)
