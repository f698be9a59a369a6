"""The work behind `judge calibrate`, and behind `--calibration` of `judge score`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl
from rich.table import Table
from rich.text import Text

from judge.axis import Axis
from judge.cli.terminal import Screen, clean, complain
from judge.errors import ConfigError, JudgeError
from judge.runs.directory import write_atomically
from judge.trust.calibrated import calibrated_means, calibrated_scores, unmapped
from judge.trust.calibrating import calibrate
from judge.trust.calibration import Calibration, Map, Rate
from judge.trust.labels import read_labels
from judge.trust.words import many

__all__ = ["calibrated_lines", "calibrated_table", "put_calibrated", "write_calibration"]

_NONE: Final = "–"
_FILES: Final = ("calibrated.parquet", "calibration.json")


def write_calibration(run: Path, labels: Path, out: Path, *, judge: str | None, seed: int, as_json: bool) -> int:
    """Calibrate, write, and print.

    Returns:
        The exit code.
    """
    try:
        calibration = calibrate(run, read_labels(labels), judge=judge, seed=seed)
        _write(calibration, out)
    except JudgeError as exc:
        complain(exc)
        return 2
    screen = Screen(soft_wrap=False)
    if as_json:
        screen.out(orjson.dumps({"schema": "judge.calibrate/1", **calibration.model_dump()}).decode())
        return 0
    screen.print(f"\n{clean(calibration.judge)} under {clean(calibration.rubric)}, by {_whose(calibration)}\n")
    screen.print(_table(calibration))
    screen.print()
    for line in (*_sentences(calibration), f"Written to {out}. Use it: judge score … --calibration {out}"):
        screen.print(clean(line))
    return 0


def put_calibrated(
    run: Path, calibration: Calibration | None, axes: Mapping[str, Axis], *, min_coverage: float, seed: int
) -> pl.DataFrame | None:
    """Write `calibrated.parquet` and the calibration into a run directory, or take away those of an earlier one.

    Returns:
        The calibrated means; None without a calibration.
    """
    if calibration is None:
        for name in _FILES:
            (run / name).unlink(missing_ok=True)
        return None
    verdicts, scores = (pl.scan_parquet(run / f"{name}.parquet") for name in ("verdicts", "scores"))
    table = calibrated_scores(verdicts, scores, calibration, axes, min_coverage=min_coverage)
    write_atomically(run / "calibrated.parquet", table.write_parquet)
    calibration.write(run / "calibration.json")
    return calibrated_means(table, seed=seed)


def calibrated_table(means: pl.DataFrame) -> Table:
    """Calibrated means, a row a model."""
    names = [name for name in means["measure"].unique(maintain_order=True) if name]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("calibrated", overflow="fold")
    for name in names:
        table.add_column(clean(name.removesuffix("_calibrated")), justify="right", no_wrap=True)
    for (model,), rows in means.partition_by("model", as_dict=True, maintain_order=True).items():
        known = {row["measure"]: row for row in rows.iter_rows(named=True)}
        table.add_row(Text(clean(model or _NONE)), *(_mean(known[name]) for name in names))
    return table


def calibrated_lines(calibration: Calibration, axes: Mapping[str, Axis]) -> list[str]:
    """Where calibrated means come from, and which axes have none."""
    lines = [f"Calibrated by {_whose(calibration)}; the intervals hold the spread of records, not that of labels."]
    for name, axis in axes.items():
        known = calibration.axes.get(name)
        why = "no label" if known is None else unmapped(axis, known)
        if why:
            lines.append(f"{name} is not calibrated: {why}.")
    return lines


def _write(calibration: Calibration, out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        calibration.write(out)
    except OSError as exc:
        raise ConfigError(f"--out {out}: {exc.strerror or exc}.", hint="Give a file that can be written to.") from exc


def _whose(calibration: Calibration) -> str:
    raters = len(calibration.raters)
    answers = sum(next(iter(axis.probes.values())).n for axis in calibration.axes.values())
    return f"labels of {many(raters, 'rater')} on {many(answers, 'answer')} of {many(calibration.records, 'record')}"


def _table(calibration: Calibration) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what people say", overflow="fold")
    for name in ("sensitivity", "specificity"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, one in calibration.asked:
        table.add_row(Text(clean(name)), _rate(one.sensitivity), _rate(one.specificity))
    return table


def _sentences(calibration: Calibration) -> Iterator[str]:
    for name, one in calibration.asked:
        if one.map is None:
            yield f"{name}: no map, as {one.why}."
            continue
        errors = f"squared error {one.error:.3f}, mapped {one.error_mapped:.3f} on other records"
        worse = ": no nearer to people" * ((one.error_mapped or 0.0) >= (one.error or 0.0))
        yield f"{name}: {_mapped(one.map)}; {errors}{worse}."


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return _NONE
    between = f" [{rate.low:.2f}, {rate.high:.2f}]" if rate.low is not None and rate.high is not None else ""
    return f"{rate.value:.2f}{between} of {rate.n}"


def _mapped(known: Map) -> str:
    """What the judge says and what people say; of many points the first and the last."""
    points = [f"{at:g} \u2192 {to:.2f}" for at, to in zip(known.at, known.to, strict=True)]
    return ", ".join(points if len(points) <= 3 else [points[0], "…", points[-1]])


def _mean(row: Mapping[str, Any]) -> str:
    if row["mean"] is None:
        return _NONE
    between = f" [{row['low']:.2f}, {row['high']:.2f}]" if row["low"] is not None else ""
    return f"{row['mean']:.2f}{between} (n = {row['n']})"
