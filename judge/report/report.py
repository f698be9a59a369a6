"""Run directories × labels × trace files -> a report: one HTML file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from judge.errors import ConfigError
from judge.report.choice import MOST_RECORDS, choose_items
from judge.report.details import Questions, build_details
from judge.report.figures import (
    Figure,
    agreement_figures,
    distribution_figure,
    latency_figure,
    profile_figure,
    win_figures,
)
from judge.report.headline import describe_run, find_spending, headline, list_differences
from judge.report.items import find_items, find_rows
from judge.report.labels import compare_labels, count_disagreements, read_labels
from judge.report.page import build_page, data_block, to_json
from judge.report.runs import Column, ReportedRun, find_axes, find_columns, read_runs
from judge.report.texts import Texts, read_texts
from judge.runs.directory import write_atomically
from judge.traces.reading import Traces

__all__ = ["ReportMade", "ReportWish", "write_report"]

SCHEMA: Final = "judge.report/1"
"""Name and version of the data in the page, and of what `--json` prints."""
_TEXT_ROOM: Final = 10_000_000
_IMAGE_ROOM: Final = 8_000_000
"""Bytes that texts and images may take, so that the file stays below 20 MB."""
_ID_DIGITS: Final = 12
_DOUBTS: Final = ("low_coverage", "samples", "judges", "unsure")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWish:
    """What is to be reported, and how much of it.

    Attributes:
        runs: Run directories.
        labels: File of labels of people.
        traces: Files that hold the traces.
        with_text: Whether anything that quotes a record is shown.
        whole: Whether every record is embedded.
        seed: Of the intervals, and of the choice of records.
    """

    runs: Sequence[Path]
    labels: Path | None = None
    traces: Sequence[Traces] = ()
    with_text: bool = True
    whole: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMade:
    """What was written.

    Attributes:
        size: Bytes.
        records: Traces that the runs tell of, those that could not be read among them; `failed` of them failed.
        embedded: Of the records, those that are in the file; `embedded_failed` of the failed.
        with_trace: Of the embedded, those with their trace.
        figures: Drawings.
        faults: Trace files that could not be read, and why.
    """

    size: int
    records: int
    failed: int
    embedded: int
    embedded_failed: int
    with_trace: int
    figures: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """All that is read of the runs before records are chosen."""

    runs: Sequence[ReportedRun]
    columns: Sequence[Column]
    axes: Sequence[str]
    rows: pl.DataFrame
    items: pl.DataFrame
    labels: pl.DataFrame | None
    compared: pl.DataFrame | None


async def write_report(wish: ReportWish, out: Path) -> ReportMade:
    """Write a report; a reader of the file sees it whole or not at all.

    Raises:
        ConfigError: A run or the labels cannot be read, or the file cannot be written.
    """
    found = _find(wish)
    chosen = choose_items(
        found.items, most=None if wish.whole else MOST_RECORDS, labelled=_labelled(found), seed=wish.seed
    )
    texts = await _texts(wish, found, chosen)
    questions = Questions(None if wish.whole else _IMAGE_ROOM)
    details = list(_details(wish, found, chosen, texts, questions))
    embedded = chosen.head(len(details))
    figures = list(_figures(wish, found))
    data = _data(wish, found, embedded, figures, texts)
    page = build_page(
        f"judge report: {', '.join(run.name for run in found.runs)}", figures, _blocks(data, questions, details)
    )
    try:
        write_atomically(out, lambda file: file.write(page))
    except OSError as exc:
        raise ConfigError(f"--out {out}: {exc.strerror or exc}.", hint="Give a file that can be written.") from exc
    return ReportMade(
        size=len(page),
        records=len(found.items),
        failed=int(found.items["failed"].sum()),
        embedded=len(embedded),
        embedded_failed=int(embedded["failed"].sum()),
        with_trace=sum('"trace":"' in detail for detail in details),
        figures=len(figures),
        faults=tuple(texts.faults),
    )


def _find(wish: ReportWish) -> _Found:
    runs = read_runs(wish.runs)
    columns = find_columns(runs)
    rows = find_rows(runs, columns)
    labels = None if wish.labels is None else read_labels(wish.labels)
    compared = None if labels is None else compare_labels(labels, runs, columns, rows)
    items = find_items(runs, columns, rows)
    if compared is not None:
        items = items.join(count_disagreements(compared), on="item", how="left", maintain_order="left")
    return _Found(
        runs=runs, columns=columns, axes=find_axes(runs), rows=rows, items=items, labels=labels, compared=compared
    )


def _labelled(found: _Found) -> list[int]:
    return [] if found.compared is None else found.compared["item"].unique().to_list()


async def _texts(wish: ReportWish, found: _Found, chosen: pl.DataFrame) -> Texts:
    if not wish.with_text:
        return Texts()
    mine = found.rows.filter(pl.col("item").is_in(chosen["item"].implode()))
    return await read_texts(wish.traces, set(mine["line"]), set(mine["record_key"]))


def _details(
    wish: ReportWish, found: _Found, chosen: pl.DataFrame, texts: Texts, questions: Questions
) -> Iterator[str]:
    """As JSON, as many as there is room for."""
    labels = _labels_of_items(found)
    built = build_details(
        chosen,
        found.rows,
        found.runs,
        found.columns,
        labels=labels,
        told=texts.told,
        questions=questions,
        with_text=wish.with_text,
    )
    room = _TEXT_ROOM
    for detail in built:
        content = to_json(detail)
        room -= len(content.encode())
        if room < 0 and not wish.whole:
            return
        yield content


def _labels_of_items(found: _Found) -> Mapping[int, list[dict[str, Any]]]:
    """What people said of the units of each item, once, however many judges there are."""
    said: dict[int, list[dict[str, Any]]] = defaultdict(list)
    if found.compared is not None:
        wanted = found.compared.select("item", "axis", "unit_id", "rater", "said").unique(maintain_order=True)
        for item, axis, unit, rater, what in wanted.iter_rows():
            said[item].append({"axis": axis, "unit": unit, "rater": rater, "said": what})
    return said


def _figures(wish: ReportWish, found: _Found) -> Iterator[Figure]:
    """Those of one kind after each other, so that judges can be compared."""
    means = headline(found.runs, found.columns, seed=wish.seed)
    drawn: list[Figure | None] = []
    drawn += [profile_figure(column, means, found.runs[column.run].axes) for column in found.columns]
    drawn += [distribution_figure(run, column, means, run.axes) for run, column in _with_runs(found)]
    drawn += [latency_figure(column, find_spending(run, column)["latency"]) for run, column in _with_runs(found)]
    yield from (figure for figure in drawn if figure is not None)
    yield from win_figures(pl.concat([run.preferences for run in found.runs]), seed=wish.seed)
    if found.compared is not None:
        yield from agreement_figures(found.columns, found.compared, seed=wish.seed)


def _with_runs(found: _Found) -> Iterator[tuple[ReportedRun, Column]]:
    return ((found.runs[column.run], column) for column in found.columns)


def _data(
    wish: ReportWish, found: _Found, embedded: pl.DataFrame, figures: Sequence[Figure], texts: Texts
) -> dict[str, Any]:
    columns = found.columns
    return {
        "schema": SCHEMA,
        "with_text": wish.with_text,
        "runs": [describe_run(run, with_text=wish.with_text) for run in found.runs],
        "columns": [
            {
                "name": one.name,
                "run": one.run,
                "judge": one.judge,
                "rubric": one.rubric,
                "axes": found.runs[one.run].axes,
                "spent": _spent(found, one),
            }
            for one in columns
        ],
        "axes": found.axes,
        "headline": headline(found.runs, columns, seed=wish.seed).to_dicts(),
        "differences": [
            one
            for number, run in enumerate(found.runs)
            for one in list_differences(run, [column for column in columns if column.run == number], seed=wish.seed)
        ],
        "figures": [{"head": figure.head, "rows": figure.rows} for figure in figures],
        "totals": {
            "records": len(found.items),
            "failed": int(found.items["failed"].sum()),
            "doubtful": int((found.items["doubt"] > 0).sum()),
            "embedded": len(embedded),
            "embedded_failed": int(embedded["failed"].sum()),
        },
        "labels": _told_of_labels(found),
        "faults": texts.faults,
        "items": _index(found, embedded),
    }


def _spent(found: _Found, column: Column) -> dict[str, Any]:
    return {name: value for name, value in find_spending(found.runs[column.run], column).items() if name != "latency"}


def _told_of_labels(found: _Found) -> dict[str, Any] | None:
    if found.labels is None or found.compared is None:
        return None
    return {
        "raters": found.labels["rater"].unique(maintain_order=True).to_list(),
        "labels": len(found.labels),
        "units": found.compared.select("item", "axis", "unit_id").unique().height,
    }


def _index(found: _Found, embedded: pl.DataFrame) -> list[dict[str, Any]]:
    """What the list of records shows, sorts and filters by; where each detail is, is its place here."""
    scores = _scores(found, embedded)
    disagreements = embedded["disagreements"].fill_null(0) if "disagreements" in embedded.columns else None
    return [
        {
            "id": _permanent(row),
            "place": row["item"],
            "record": row["record_id"],
            "model": row["model"],
            "nth": row["nth"],
            "line": row["line"],
            "failed": row["failed"],
            "unreadable": row["unreadable"],
            "doubt": row["doubt"],
            "why": {name: row[name] for name in _DOUBTS if row[name] > 0},
            "disagreements": None if disagreements is None else disagreements[number],
            "scores": scores.get(row["item"], {}),
        }
        for number, row in enumerate(embedded.iter_rows(named=True))
    ]


def _permanent(row: Mapping[str, Any]) -> str:
    """What a link to this record goes by: the same in another report of it."""
    told = repr((row["record_id"], row["model"], row["nth"], row["line"] if row["unreadable"] else None))
    return hashlib.sha256(told.encode()).hexdigest()[:_ID_DIGITS]


def _scores(found: _Found, embedded: pl.DataFrame) -> dict[int, dict[int, list[float | None]]]:
    """By item and column: the trace score, then the score of each axis of the report."""
    mine = found.rows.filter(pl.col("item").is_in(embedded["item"].implode())).select("item", "column", "line")
    scores: dict[int, dict[int, list[float | None]]] = defaultdict(dict)
    for column in found.columns:
        run = found.runs[column.run]
        lines = mine.filter(column=column.index)
        wanted = run.scores.filter((pl.col("judge") == column.judge) & pl.col("line").is_in(lines["line"].implode()))
        names = [f"{axis}_score" if axis in run.axes else None for axis in found.axes]
        table = (
            wanted.select("line", "trace_score", *filter(None, names))
            .collect(engine="streaming")
            .join(lines, on="line")
        )
        for row in table.iter_rows(named=True):
            scores[row["item"]][column.index] = [row["trace_score"], *(row[name] if name else None for name in names)]
    return scores


def _blocks(data: dict[str, Any], questions: Questions, details: Sequence[str]) -> Iterator[str]:
    yield data_block("data", to_json(data))
    yield from (data_block(f"q{number}", to_json(question)) for number, question in enumerate(questions.all))
    yield from (data_block(f"d{number}", detail) for number, detail in enumerate(details))
