"""A file of labels -> what people said of the units of a report, beside what the judges said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from judge.errors import ConfigError
from judge.label.label import Label, first_fault
from judge.report.found import FOUND, SHARE, UNIT
from judge.report.runs import Column, ReportedRun
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["compare_labels", "count_disagreements", "read_labels"]

_LABELS: dict[str, Any] = {
    **dict.fromkeys(("record_id", "model", "axis", "unit_id", "rater"), pl.String),
    **dict.fromkeys(("presence", "correctness"), pl.Int8),
    "verdict": pl.String,
    "level": pl.Int16,
}


def read_labels(path: Path) -> pl.DataFrame:
    """The labels of units in a file, JSONL or Parquet; labels of pairs of traces are left out.

    Returns:
        Columns `record_id, model, axis, unit_id, rater, presence, correctness, verdict, level`, in order.

    Raises:
        ConfigError: It cannot be read, or a line is no label.
    """
    labels = [_label(path, number, row) for number, row in _rows(path) if "model_a" not in row]
    rows = [
        (
            label.record_id,
            label.model,
            label.axis,
            label.unit_id,
            label.rater,
            label.presence,
            label.correctness,
            label.verdict,
            label.value,
        )
        for label in labels
    ]
    return pl.DataFrame(rows, schema=_LABELS, orient="row")


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        if path.suffix == ".parquet":
            yield from enumerate(pl.read_parquet(path).iter_rows(named=True), start=1)
            return
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if line.strip():
                yield number, _object(path, number, line)
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise ConfigError(f"--labels {path} cannot be read: {exc}.") from exc


def _object(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        row = parse_json(line)
    except StrictJsonError as exc:
        raise _wrong(path, number, str(exc)) from exc
    if not isinstance(row, dict):
        raise _wrong(path, number, "is no object")
    return row


def _label(path: Path, number: int, row: Mapping[str, Any]) -> Label:
    try:
        return Label.model_validate(row)
    except ValidationError as exc:
        raise _wrong(path, number, first_fault(exc)) from exc


def _wrong(path: Path, number: int, what: str) -> ConfigError:
    needed = "A label has record_id, axis, unit_id, rater, and presence and correctness, or verdict, or value."
    return ConfigError(f"--labels {path}, line {number}: {what.removesuffix('.')}.", hint=needed)


def compare_labels(
    labels: pl.DataFrame, runs: Sequence[ReportedRun], columns: Sequence[Column], rows: pl.DataFrame
) -> pl.DataFrame:
    """Hold every label against what each judge found of the same unit, in its first sample.

    A label without a model is of every trace of its record.

    Returns:
        Columns `item, column, axis, unit_id, rater, found, said, judge_share, share`: what the judge found and what
        the person said, each as one text and as a share; null where there is no verdict.
    """
    people = labels.with_columns(said=FOUND, p_present=pl.lit(None, pl.Float64)).with_columns(share=SHARE)
    people = people.select("record_id", "model", *UNIT, "rater", "said", "share")
    told = [_beside(people, runs[column.run], column, rows) for column in columns]
    schema = {"item": pl.UInt32, "column": pl.Int32, **dict.fromkeys((*UNIT, "rater", "found", "said"), pl.String)}
    return pl.concat([pl.DataFrame(schema=schema | {"judge_share": pl.Float64, "share": pl.Float64}), *told])


def _beside(people: pl.DataFrame, run: ReportedRun, column: Column, rows: pl.DataFrame) -> pl.DataFrame:
    traces = rows.filter(column=column.index).select("item", "column", "line", "record_id", "model")
    named = people.filter(pl.col("model").is_not_null()).join(traces, on=("record_id", "model"), maintain_order="left")
    of_all = people.filter(pl.col("model").is_null()).drop("model").join(traces, on="record_id", maintain_order="left")
    known = pl.concat([named, of_all.select(named.columns)])
    judged = run.verdicts.filter(
        (pl.col("judge") == column.judge) & (pl.col("sample") == 0) & pl.col("line").is_in(known["line"].implode())
    )
    found = (
        judged.select("line", *UNIT, found=FOUND, judge_share=SHARE)
        .unique(["line", *UNIT], maintain_order=True)
        .collect()
    )
    both = known.join(found, on=("line", *UNIT), how="inner", maintain_order="left")
    return both.select("item", "column", *UNIT, "rater", "found", "said", "judge_share", "share")


def count_disagreements(compared: pl.DataFrame) -> pl.DataFrame:
    """Units of each item on which a judge found something else than most people said.

    Where people are split evenly, no judge disagrees with them.

    Returns:
        Columns `item, disagreements`.
    """
    said = compared.group_by("item", "column", *UNIT, "found", "said").len()
    most = said.filter(pl.col("len") == pl.col("len").max().over("item", "column", *UNIT))
    agreed = most.filter(pl.len().over("item", "column", *UNIT) == 1)
    other = agreed.filter(pl.col("found") != pl.col("said")).select("item", *UNIT).unique()
    return other.group_by("item").len("disagreements")
