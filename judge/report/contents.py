"""Material × the chosen items -> the data that the page shows, apart from what it shows of each record."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import polars as pl

from judge.report.agreement import describe_agreement
from judge.report.calibration import describe_calibration, list_calibrated
from judge.report.figure import Figure
from judge.report.headline import Spending, describe_run, list_differences
from judge.report.material import Material
from judge.report.panel import describe_panels
from judge.report.section import Section
from judge.report.standings import describe_standings
from judge.report.studies import describe_blind_check, read_studies

__all__ = ["SCHEMA", "build_contents"]

SCHEMA: Final = "judge.report/1"
"""Name and version of the data in the page."""
_ID_DIGITS: Final = 12
_DOUBTS: Final = ("low_coverage", "samples", "judges", "unsure")


def build_contents(
    material: Material,
    embedded: pl.DataFrame,
    figures: Sequence[Figure],
    *,
    faults: Sequence[str],
    with_text: bool,
    seed: int,
) -> dict[str, Any]:
    """All but the details.

    Args:
        material: Of the runs.
        embedded: The items that are in the file, in the order of their details.
        figures: In the order of the page.
        faults: Trace files that could not be read, and why.
        with_text: Whether anything that quotes a record is shown.
        seed: Of the intervals.
    """
    return {
        "schema": SCHEMA,
        "with_text": with_text,
        "runs": [describe_run(run, with_text=with_text) for run in material.runs],
        "columns": _columns(material),
        "axes": material.axes,
        "headline": material.means.to_dicts(),
        "calibrated": list_calibrated(material.runs, material.columns, seed=seed),
        "differences": _differences(material, seed),
        "sections": [section.told for section in _sections(material, with_text=with_text)],
        "figures": [{"head": figure.head, "rows": figure.rows} for figure in figures],
        "totals": _totals(material, embedded),
        "labels": _labels(material),
        "faults": faults,
        "items": _index(material, embedded),
    }


def _sections(material: Material, *, with_text: bool) -> Iterator[Section]:
    """What is not a mean: in the order of the page."""
    runs = material.runs
    yield from filter(
        None,
        (
            describe_standings(material.standings, material.apart if with_text else ""),  # it names paths
            None if material.people is None else describe_agreement(material.people),
            describe_calibration(runs),
            describe_panels(runs),
        ),
    )
    for number, run in enumerate(runs):
        check = describe_blind_check(run.story, run.path / "run.json", run.name, number)
        yield from () if check is None else (check,)
        yield from read_studies(run.path, run.name, number)


def _columns(material: Material) -> list[dict[str, Any]]:
    named = ("name", "run", "judge", "rubric")
    return [
        {
            **{name: getattr(column, name) for name in named},
            "axes": material.runs[column.run].axes,
            "panel": column.panel,
            "spent": _told(spent),
        }
        for column, spent in zip(material.columns, material.spending, strict=True)
    ]


def _told(spending: Spending) -> dict[str, Any]:
    named = ("calls", "cached", "failed", "attempts", "prompt_tokens", "completion_tokens", "cost_usd", "quantiles_s")
    return {name: getattr(spending, name) for name in named}


def _differences(material: Material, seed: int) -> list[dict[str, Any]]:
    runs = material.runs
    return [one for column in material.columns for one in list_differences(runs[column.run], column, seed=seed)]


def _totals(material: Material, embedded: pl.DataFrame) -> dict[str, int]:
    items = material.items
    return {
        "records": len(items),
        "failed": int(items["failed"].sum()),
        "doubtful": int(items["doubtful"].sum()),
        "embedded": len(embedded),
        "embedded_failed": int(embedded["failed"].sum()),
    }


def _labels(material: Material) -> dict[str, Any] | None:
    if material.people is None:
        return None
    ratings = material.people.ratings
    return {
        "raters": ratings.raters,
        "labels": ratings.labels,
        "units": ratings.labelled.select("record_id", "model", "axis", "unit_id").n_unique(),
        "unmatched": [asdict(one) for one in ratings.unmatched],
    }


def _index(material: Material, embedded: pl.DataFrame) -> list[dict[str, Any]]:
    """What the list of records shows, sorts and filters by; the detail of each has its place here."""
    scores = _scores(material, embedded)
    return [
        {
            "id": _permanent(row),
            "place": row["item"],
            "record": row["record_id"],
            **{name: row[name] for name in ("model", "nth", "line", "failed", "unreadable", "doubt")},
            **({"rank": row["rank"], "listed": row["listed"]} if row["listed"] else {}),
            "why": {name: row[name] for name in _DOUBTS if row[name] > 0},
            "disagreements": row.get("disagreements") or 0,
            "scores": scores.get(row["item"], {}),
        }
        for row in embedded.iter_rows(named=True)
    ]


def _permanent(row: Mapping[str, Any]) -> str:
    """What a link to this record goes by: the same in another report of it."""
    told = repr((row["record_id"], row["model"], row["nth"], row["line"] if row["unreadable"] else None))
    return hashlib.sha256(told.encode()).hexdigest()[:_ID_DIGITS]


def _scores(material: Material, embedded: pl.DataFrame) -> dict[int, dict[int, list[float | None]]]:
    """By item and column: the trace score, then the score of each axis of the report."""
    mine = material.rows.filter(pl.col("item").is_in(embedded["item"].implode())).select("item", "column", "line")
    scores: dict[int, dict[int, list[float | None]]] = defaultdict(dict)
    for column in material.columns:
        run, lines = material.runs[column.run], mine.filter(column=column.index)
        names = [f"{axis}_score" if axis in run.axes else None for axis in material.axes]
        wanted = run.scores.filter((pl.col("judge") == column.judge) & pl.col("line").is_in(lines["line"].implode()))
        table = wanted.select("line", "trace_score", *filter(None, names)).collect(engine="streaming")
        for row in table.join(lines, on="line").iter_rows(named=True):
            scores[row["item"]][column.index] = [row["trace_score"], *(row[name] if name else None for name in names)]
    return scores
