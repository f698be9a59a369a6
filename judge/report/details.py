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

from judge.report.material import Material
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
    material: Material,
    chosen: pl.DataFrame,
    *,
    labels: Mapping[int, list[dict[str, Any]]],
    told: Mapping[str, Told],
    questions: Questions,
    with_text: bool,
) -> Iterator[Detail]:
    """What there is to show of each chosen item, in order.

    Args:
        material: Of the runs.
        chosen: Of `choose_items`.
        labels: Of people, by item.
        told: Texts, by record key.
        questions: Filled with the questions of these items.
        with_text: Whether anything that quotes is shown.
    """
    runs, columns = material.runs, material.columns
    mine = material.rows.filter(pl.col("item").is_in(chosen["item"].implode()))
    tables = [_read(runs[column.run], column, mine, with_text=with_text) for column in columns]
    unread = _by_line([row for run in runs for row in run.failures if row["stage"] == "read"])
    pairs = _preferences(material.preferences, chosen, with_text=with_text)
    preferred = _preferred(material.preferred, chosen)
    listed = _listed(material, mine)
    rows = mine.partition_by("item", as_dict=True)
    for item in chosen.iter_rows(named=True):
        if item["unreadable"]:
            yield {"unreadable": [_failure(row, with_text=with_text) for row in unread[item["line"]][:1]]}
            continue
        detail: Detail = {"columns": {}, "units": {}}
        for row in rows[item["item"],].iter_rows(named=True) if (item["item"],) in rows else ():
            column = columns[row["column"]]
            _add_scores(detail, column, runs[column.run].axes, row["line"], tables[column.index], with_text=with_text)
            _add_verdicts(detail, column, tables[column.index].verdicts.get(row["line"], []), with_text=with_text)
            _add_texts(detail, told.get(row["record_key"]), questions)
        record = item["record_id"]
        yield _kept(
            columns=detail.pop("columns"),
            units=_marked(detail.pop("units"), listed.get(item["item"], {})),
            **detail,
            labels=labels.get(item["item"], []),
            preferences=pairs.get(record, []),
            preferred=preferred.get(record, []),
        )


def _add_texts(detail: Detail, told: Told | None, questions: Questions) -> None:
    if told is not None and "question" not in detail:
        detail |= {"trace": _cut(told.record.trace), "question": questions.place(told)}


def _read(run: ReportedRun, column: Column, rows: pl.DataFrame, *, with_text: bool) -> _Rows:
    lines = rows.filter(column=column.index)["line"]
    mine = (pl.col("judge") == column.judge) & pl.col("line").is_in(lines.implode())
    wanted = ["line", "axis", "unit_id", "claim", *_UNIT, *_VERDICT, *(_QUOTING if with_text else ())]
    verdicts: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in run.verdicts.filter(mine).select(wanted).collect(engine="streaming").iter_rows(named=True):
        verdicts[row["line"]].append(row)
    scores = {row["line"]: row for row in run.scores.filter(mine).collect(engine="streaming").iter_rows(named=True)}
    known = set(lines)
    failures = _by_line([row for row in run.failures if row["line"] in known and _is_of(row, column)])
    return _Rows(scores=scores, verdicts=verdicts, failures=failures)


def _is_of(failure: Mapping[str, Any], column: Column) -> bool:
    """Whether a column shows it; only the failures of a panel say whose they are."""
    return bool(failure["stage"] != "read" and failure.get("judge", column.judge) == column.judge)


def _by_line(rows: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["line"]].append(row)
    return found


def _add_scores(
    detail: Detail, column: Column, axes: Sequence[str], line: int, tables: _Rows, *, with_text: bool
) -> None:
    score = tables.scores[line]
    detail["columns"][str(column.index)] = _kept(
        line=line,
        axes={axis: values for axis in axes if (values := _axis(score, axis))},
        trace=_kept(**{part: score[f"trace_{part}"] for part in ("grounding", "correctness", "score", "score_sd")}),
        samples=score["samples"],
        answer=score["answer"] if with_text else None,
        answer_correct=score["answer_correct"],
        answered=score["answer"] is not None,
        units=[score["units_judged"], score["units_asked"]],
        failure=score["failure"],
        failures=[_failure(row, with_text=with_text) for row in tables.failures.get(line, [])],
    )


def _add_verdicts(detail: Detail, column: Column, rows: Sequence[Mapping[str, Any]], *, with_text: bool) -> None:
    """What several judges said of one unit stands together."""
    shown = (*_VERDICT, *(_QUOTING if with_text else ()))
    for row in rows:
        key = (row["axis"], row["unit_id"], row["claim"])
        about = {"axis": row["axis"], "unit": row["unit_id"], "claim": row["claim"] if with_text else None}
        unit = detail["units"].setdefault(key, {**_kept(**about, **{name: row[name] for name in _UNIT}), "by": {}})
        unit["by"].setdefault(str(column.index), []).append(_kept(**{name: row[name] for name in shown}))


def _axis(score: Mapping[str, Any], axis: str) -> Detail:
    parts = ("score", "grounding", "correctness", "contradicted", "coverage", "score_low", "score_high", "score_sd")
    return _kept(**{part: score.get(f"{axis}_{part}") for part in parts})


def _failure(row: Mapping[str, Any], *, with_text: bool) -> Detail:
    told = {"stage": row["stage"], "error": row["error"], "axis": row.get("axis"), "units": row.get("unit_ids")}
    return _kept(**told, **({"message": row["message"], "raw": _cut(row.get("raw"))} if with_text else {}))


def _preferences(preferences: pl.DataFrame, chosen: pl.DataFrame, *, with_text: bool) -> dict[str, list[Detail]]:
    found: dict[str, list[Detail]] = defaultdict(list)
    wanted = (*_PREFERENCE, *(_PREFERENCE_QUOTING if with_text else ()))
    mine = preferences.filter(pl.col("record_id").is_in(chosen["record_id"].implode()))
    for row in mine.iter_rows(named=True):
        found[row["record_id"]].append(_kept(**{name: row[name] for name in wanted}))
    return found


def _preferred(preferred: pl.DataFrame | None, chosen: pl.DataFrame) -> dict[str, list[Detail]]:
    """Which traces people prefer, by record."""
    found: dict[str, list[Detail]] = defaultdict(list)
    if preferred is not None:
        for row in preferred.filter(pl.col("record_id").is_in(chosen["record_id"].implode())).iter_rows(named=True):
            found[row["record_id"]].append({name: value for name, value in row.items() if name != "record_id"})
    return found


def _listed(material: Material, rows: pl.DataFrame) -> dict[int, dict[tuple[str, str], str]]:
    """Why units of each item are listed for people, by axis and unit."""
    lines = {(material.columns[column].run, line): item for item, column, line in rows["item", "column", "line"].rows()}
    found: dict[int, dict[tuple[str, str], str]] = defaultdict(dict)
    for number, run in enumerate(material.runs):
        for line, axis, unit, why in run.doubtful["line", "axis", "unit_id", "why"].rows():
            if (item := lines.get((number, line))) is not None:
                found[item][axis, unit] = why
    return found


def _marked(units: Mapping[tuple[str, ...], Detail], listed: Mapping[tuple[str, str], str]) -> list[Detail]:
    """Units with why a person should look at them, where they are listed."""
    return [{**unit, **_kept(why=listed.get((unit["axis"], unit["unit"])))} for unit in units.values()]


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]} […] {len(text) - LONGEST_TEXT:,} more characters are in the trace file."


def _kept(**fields: Any) -> Detail:
    """Without what holds nothing."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], (), {})}
