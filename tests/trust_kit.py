"""What the tests of agreement share: runs and labels in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from judge.preference import Preference, build_preferences
from judge.table import table_schemas

DATA = Path(__file__).parents[2] / "shared/data"
JUDGE = "m#1"


def write_run(folder: Path, verdicts: Iterable[Mapping[str, Any]], **scores: float) -> Path:
    """A run directory with these rows of `verdicts.parquet`, and a row of `scores.parquet` for each trace.

    A verdict is of record r1 by the model `a`, of the axis `k`, a checklist, unless it says otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    usual = {"record_id": "r1", "model": "a", "judge": JUDGE, "kind": "checklist", "axis": "k", "sample": 0, "line": 1}
    rows = [{**usual, **verdict} for verdict in verdicts]
    for row in rows:
        row.setdefault("record_key", f"key of {row['record_id']} {row['model']}")
    schemas = table_schemas({"k": "checklist"})
    traces = {(row["line"], row["record_id"], row["model"], row["judge"], row["record_key"]) for row in rows}
    names = ("line", "record_id", "model", "judge", "record_key")
    of_traces = [{**dict(zip(names, trace, strict=True)), **scores} for trace in sorted(traces, key=str)]
    _frame(of_traces, schemas["scores"]).write_parquet(folder / "scores.parquet")
    _frame(rows, schemas["verdicts"]).write_parquet(folder / "verdicts.parquet")
    return folder


def _frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def units(*said: tuple[int | None, int | None]) -> list[dict[str, Any]]:
    """Verdicts on units u1, u2, …, each of a record of its own; a presence of None has failed."""
    return [
        {
            "record_id": f"r{n}",
            "line": n,
            "unit_id": "u1",
            "presence": presence,
            "correctness": correctness,
            "failure": "timeout" if presence is None else None,
        }
        for n, (presence, correctness) in enumerate(said, start=1)
    ]


def write_preferences(folder: Path, *preferences: Preference) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    build_preferences(preferences).write_parquet(folder / "preferences.parquet")
    return folder


def write_labels(path: Path, *labels: Mapping[str, Any] | str) -> Path:
    """A label is of unit u1 of record r1 on the axis `k` by ann, unless it says otherwise."""
    usual = {"record_id": "r1", "axis": "k", "unit_id": "u1", "rater": "ann"}
    lines = [one if isinstance(one, str) else json.dumps(_without_nulls({**usual, **one})) for one in labels]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def people(said: Mapping[str, Sequence[tuple[int, int | None] | None]]) -> list[dict[str, Any]]:
    """Labels of raters: what each says of unit u1 of the records r1, r2, …; None where there is no label."""
    return [
        {"record_id": f"r{n}", "rater": rater, "presence": one[0], "correctness": one[1]}
        for rater, row in said.items()
        for n, one in enumerate(row, start=1)
        if one is not None
    ]
