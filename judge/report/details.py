"""The chosen items -> what the page shows of each: scores, verdicts, failures, labels, preferences, texts.

Texts that quote (claims, quotes, reasons, messages, answers) are left out where the report has no texts; so is a field
that holds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from judge.report.runs import Column, ReportedRun
from judge.report.texts import Told

__all__ = ["LONGEST_TEXT", "Questions", "build_details"]

Detail: TypeAlias = dict[str, Any]
LONGEST_TEXT = 50_000
"""Characters of one text; what is longer is cut, and says so."""

_VERDICT = (
    *("sample", "presence", "correctness", "verdict", "value", "level", "p_present", "p_correct"),
    *("evidence_start", "evidence_end", "evidence_found", "source_found", "failure"),
)
_QUOTING = ("evidence", "source", "reason")
_UNIT = ("importance", "points", "polarity", "kind")
_PREFERENCE = (
    *("model_a", "model_b", "axis", "judge", "order_ab", "order_ba", "outcome", "score_a", "score_b", "failure"),
    *("evidence_ab_found", "evidence_ba_found"),
)
_PREFERENCE_QUOTING = ("reason", "reason_ba", "evidence_ab", "evidence_ba")

_NO_ROOM = "The image is left out: those before it fill the room that there is. --all embeds every one."


class Questions:
    """What traces of one question share, each once.

    Args:
        image_room: Bytes that all images together may take; None for any number.
    """

    def __init__(self, image_room: int | None = None) -> None:
        self.all: list[Detail] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._room = image_room

    def place(self, told: Told) -> int:
        """Where the question of a record stands in `all`."""
        record = told.record
        options = tuple((record.options or {}).items())
        key = (record.question, options, record.context, told.thumbnails, told.image_fault)
        if key not in self._known:
            self._known[key] = len(self.all)
            texts = {"question": _cut(record.question), "options": options, "context": _cut(record.context)}
            self.all.append(_kept(**texts, **self._images(told)))
        return self._known[key]

    def _images(self, told: Told) -> Detail:
        size = sum(map(len, told.thumbnails))
        if self._room is not None and size > self._room:
            return {"image_fault": _NO_ROOM}
        self._room = None if self._room is None else self._room - size
        return {"images": told.thumbnails, "image_fault": told.image_fault}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of one column's tables by line."""

    scores: dict[int, dict[str, Any]]
    verdicts: dict[int, list[dict[str, Any]]]
    failures: dict[int, list[Mapping[str, Any]]]


def build_details(
    chosen: pl.DataFrame,
    rows: pl.DataFrame,
    runs: Sequence[ReportedRun],
    columns: Sequence[Column],
    *,
    labels: Mapping[int, list[dict[str, Any]]],
    told: Mapping[str, Told],
    questions: Questions,
    with_text: bool,
) -> Iterator[Detail]:
    """What there is to show of each chosen item, in order.

    Args:
        chosen: Of `choose_items`.
        rows: Of `find_rows`.
        runs: Of the report.
        columns: Their judges.
        labels: Of people, by item.
        told: Texts, by record key.
        questions: Filled with the questions of these items.
        with_text: Whether anything that quotes is shown.
    """
    mine = rows.filter(pl.col("item").is_in(chosen["item"].implode()))
    tables = [_read(runs[column.run], column, mine, with_text=with_text) for column in columns]
    unread = _by_line([row for run in runs for row in run.failures if row["stage"] == "read"])
    pairs = _preferences(runs, chosen, with_text=with_text)
    by_item = mine.partition_by("item", as_dict=True)
    for item in chosen.iter_rows(named=True):
        own = by_item.get((item["item"],))
        judged = [] if own is None else own.iter_rows(named=True)
        detail: Detail = {"columns": {}, "units": {}}
        for row in judged:
            _add(
                detail,
                row["column"],
                row["line"],
                tables[row["column"]],
                columns[row["column"]],
                runs,
                with_text=with_text,
            )
            if (found := told.get(row["record_key"])) is not None and "trace" not in detail:
                detail |= {"trace": _cut(found.record.trace), "question": questions.place(found)}
        if item["unreadable"]:
            detail["unreadable"] = [_failure(row, with_text=with_text) for row in unread.get(item["line"], [])[:1]]
        yield _kept(
            **detail | {"units": list(detail["units"].values())},
            labels=labels.get(item["item"], []),
            preferences=[] if item["unreadable"] else pairs.get(item["record_id"], []),
        )


def _read(run: ReportedRun, column: Column, rows: pl.DataFrame, *, with_text: bool) -> _Rows:
    lines = rows.filter(column=column.index)["line"]
    mine = (pl.col("judge") == column.judge) & pl.col("line").is_in(lines.implode())
    wanted = ["line", "axis", "unit_id", "claim", *_UNIT, *_VERDICT, *(_QUOTING if with_text else ())]
    verdicts: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in run.verdicts.filter(mine).select(wanted).collect(engine="streaming").iter_rows(named=True):
        verdicts[row["line"]].append(row)
    scores = {row["line"]: row for row in run.scores.filter(mine).collect(engine="streaming").iter_rows(named=True)}
    known = set(lines)
    failures = _by_line([row for row in run.failures if row["line"] in known and row["stage"] != "read"])
    return _Rows(scores=scores, verdicts=verdicts, failures=failures)


def _by_line(rows: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["line"]].append(row)
    return found


def _add(
    detail: Detail,
    column: int,
    line: int,
    tables: _Rows,
    named: Column,
    runs: Sequence[ReportedRun],
    *,
    with_text: bool,
) -> None:
    score = tables.scores[line]
    detail["columns"][str(column)] = _kept(
        line=line,
        axes={axis: values for axis in runs[named.run].axes if (values := _axis(score, axis))},
        trace=_kept(**{part: score[f"trace_{part}"] for part in ("grounding", "correctness", "score", "score_sd")}),
        samples=score["samples"],
        answer=score["answer"] if with_text else None,
        answer_correct=score["answer_correct"],
        answered=score["answer"] is not None,
        units=[score["units_judged"], score["units_asked"]],
        failure=score["failure"],
        failures=[_failure(row, with_text=with_text) for row in tables.failures.get(line, [])],
    )
    for row in tables.verdicts.get(line, []):
        key = (row["axis"], row["unit_id"], row["claim"])
        shown = {"axis": row["axis"], "unit": row["unit_id"], "claim": row["claim"] if with_text else None}
        unit = detail["units"].setdefault(key, _kept(**shown, **{name: row[name] for name in _UNIT}, by={}))
        told = _kept(**{name: row[name] for name in (*_VERDICT, *(_QUOTING if with_text else ()))})
        unit.setdefault("by", {}).setdefault(str(column), []).append(told)


def _axis(score: Mapping[str, Any], axis: str) -> Detail:
    parts = ("score", "grounding", "correctness", "contradicted", "coverage", "score_low", "score_high", "score_sd")
    return _kept(**{part: score.get(f"{axis}_{part}") for part in parts})


def _failure(row: Mapping[str, Any], *, with_text: bool) -> Detail:
    told = {"stage": row["stage"], "error": row["error"], "axis": row.get("axis"), "units": row.get("unit_ids")}
    return _kept(**told, **({"message": row["message"], "raw": _cut(row.get("raw"))} if with_text else {}))


def _preferences(runs: Sequence[ReportedRun], chosen: pl.DataFrame, *, with_text: bool) -> dict[str, list[Detail]]:
    found: dict[str, list[Detail]] = defaultdict(list)
    wanted = (*_PREFERENCE, *(_PREFERENCE_QUOTING if with_text else ()))
    for run in runs:
        mine = run.preferences.filter(pl.col("record_id").is_in(chosen["record_id"].implode()))
        for row in mine.iter_rows(named=True):
            found[row["record_id"]].append(_kept(**{name: row[name] for name in wanted if name in row}))
    return found


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]} […] {len(text) - LONGEST_TEXT:,} more characters are in the trace file."


def _kept(**fields: Any) -> Detail:
    """Without what holds nothing."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], (), {})}
