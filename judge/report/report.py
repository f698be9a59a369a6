"""Run directories × labels × trace files -> a report: one HTML file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from judge.errors import ConfigError
from judge.report.choice import MOST_RECORDS, choose_items
from judge.report.contents import build_contents
from judge.report.details import Questions, build_details
from judge.report.figures import draw_figures
from judge.report.material import Material, gather
from judge.report.page import build_page, data_block, to_json
from judge.report.texts import Texts, read_texts
from judge.runs.directory import write_atomically
from judge.traces.reading import Traces

__all__ = ["ReportMade", "ReportWish", "write_report"]

_TEXT_ROOM: Final = 11_000_000
_IMAGE_ROOM: Final = 8_000_000
"""Bytes that texts and images may take, so that the file stays below 20 MB."""


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


async def write_report(wish: ReportWish, out: Path) -> ReportMade:
    """Write a report; a reader of the file sees it whole or not at all.

    Raises:
        ConfigError: A run cannot be read, no label meets a unit of one, or the file cannot be written.
        InputError: The labels cannot be read.
    """
    material = gather(wish.runs, wish.labels, seed=wish.seed)
    most = None if wish.whole else MOST_RECORDS
    chosen = choose_items(material.items, most=most, labelled=material.labelled, seed=wish.seed)
    texts = await _texts(wish, material, chosen)
    questions = Questions(None if wish.whole else _IMAGE_ROOM)
    details = list(_details(wish, material, chosen, texts, questions))
    embedded = chosen.head(len(details))
    figures = list(draw_figures(material, seed=wish.seed))
    contents = build_contents(
        material, embedded, figures, faults=texts.faults, with_text=wish.with_text, seed=wish.seed
    )
    title = f"judge report: {', '.join(run.name for run in material.runs)}"
    page = build_page(title, figures, _blocks(contents, questions, details))
    _write(out, page)
    told = contents["totals"]
    return ReportMade(
        size=len(page),
        **{name: told[name] for name in ("records", "failed", "embedded", "embedded_failed")},
        with_trace=sum('"trace":"' in detail for detail in details),
        figures=len(figures),
        faults=tuple(texts.faults),
    )


async def _texts(wish: ReportWish, material: Material, chosen: pl.DataFrame) -> Texts:
    if not wish.with_text:
        return Texts()
    mine = material.rows.filter(pl.col("item").is_in(chosen["item"].implode()))
    return await read_texts(wish.traces, set(mine["line"]), set(mine["record_key"]))


def _details(
    wish: ReportWish, material: Material, chosen: pl.DataFrame, texts: Texts, questions: Questions
) -> Iterator[str]:
    """As JSON, as many as there is room for; a question counts with the first of its traces."""
    labels = _labels_of_items(material)
    room, counted = _TEXT_ROOM, 0
    for detail in build_details(
        material, chosen, labels=labels, told=texts.told, questions=questions, with_text=wish.with_text
    ):
        content = to_json(detail)
        room -= len(content.encode()) + sum(map(_length, questions.all[counted:]))
        counted = len(questions.all)
        if room < 0 and not wish.whole:
            return
        yield content


def _length(question: Mapping[str, Any]) -> int:
    """Bytes of its texts; its images have a room of their own."""
    return len(to_json({name: value for name, value in question.items() if name != "images"}).encode())


def _labels_of_items(material: Material) -> Mapping[int, list[dict[str, Any]]]:
    """What people said of the units of each item, once, however many judges there are."""
    said: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for item, axis, unit, rater, what in () if material.said is None else material.said.iter_rows():
        said[item].append({"axis": axis, "unit": unit, "rater": rater, "said": what})
    return said


def _blocks(contents: Mapping[str, Any], questions: Questions, details: Sequence[str]) -> Iterator[str]:
    yield data_block("data", to_json(contents))
    yield from (data_block(f"q{number}", to_json(question)) for number, question in enumerate(questions.all))
    yield from (data_block(f"d{number}", detail) for number, detail in enumerate(details))


def _write(out: Path, page: bytes) -> None:
    try:
        write_atomically(out, lambda file: file.write(page))
    except OSError as exc:
        raise ConfigError(f"--out {out}: {exc.strerror or exc}.", hint="Give a file that can be written.") from exc
