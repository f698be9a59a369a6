"""Outcomes -> Polars frames: the schemas are the contract (§5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, TypeAlias

import polars as pl
from msgspec.structs import astuple

from judge.answer import answer_correct, extract_answer, reference_answer
from judge.axis import Kind
from judge.backend import Reply
from judge.errors import ConfigError
from judge.outcome import Call, Failure, Outcome
from judge.record import Record
from judge.score import AxisScore, columns_of
from judge.verdict import Verdict

__all__ = ["Labels", "Rows", "Run", "Tables", "build_calls", "build_tables", "table_schemas"]

_NO_REPLY = Reply(text="")
_NO_AXIS = AxisScore()

_VERDICTS = {
    **dict.fromkeys(("line", "record_id", "record_key", "model", "judge", "prompt_fp", "rubric_fp"), pl.String),
    **dict.fromkeys(("kind", "axis", "unit_id", "claim", "importance"), pl.String),
    "line": pl.Int64,
    "weight": pl.Float64,
    "sample": pl.Int32,
    "presence": pl.Int8,
    "correctness": pl.Int8,
    "verdict": pl.String,
    "value": pl.Float64,
    "level": pl.Int16,
    "estimator": pl.String,
    "points": pl.Float64,
    "polarity": pl.String,
    "gate": pl.Boolean,
    **dict.fromkeys(("p_present", "p_correct"), pl.Float64),
    "evidence": pl.String,
    "evidence_start": pl.Int64,
    "evidence_end": pl.Int64,
    **dict.fromkeys(("evidence_found", "source", "source_found", "reason", "failure", "call_id"), pl.String),
}
_CALLS = {
    "call_id": pl.String,
    "line": pl.Int64,
    "record_id": pl.String,
    "judge": pl.String,
    "answered_by": pl.String,
    "attempts": pl.Int32,
    "cached": pl.Boolean,
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "cached_tokens"), pl.Int64),
    **dict.fromkeys(("cost_usd", "latency_s", "queued_s"), pl.Float64),
    "finish_reason": pl.String,
    "failure": pl.String,
}
_FAILURES = {
    "line": pl.Int64,
    **dict.fromkeys(("record_id", "stage", "error", "message", "axis"), pl.String),
    "unit_ids": pl.List(pl.String),
    "raw": pl.String,
}


_Row: TypeAlias = tuple[object, ...]
_OF_A_RECORD = ("line", "record_id", "record_key", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What every row of a run says of the judge and the rubric.

    Attributes:
        judge: The judge id: model, prompt and sampling together.
        rubric: Name and version of the rubric.
        axes: The kind of each of its axes, by name, in order.
    """

    judge: str
    rubric: str
    prompt_fp: str
    rubric_fp: str
    axes: Mapping[str, Kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The rows of some records; one frame a table."""

    scores: pl.DataFrame
    verdicts: pl.DataFrame
    calls: pl.DataFrame
    failures: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Tables):
    """What scoring gave: the tables, and a way to put the scores beside your own columns."""

    def merge(self, frame: pl.DataFrame, *, left_on: str = "id") -> pl.DataFrame:
        """Your frame with the score columns beside it, rows in your order; a name that is taken gets `_judged`.

        Args:
            frame: One row per trace. Where it has a column `model`, and the run knows models, rows meet on both.
            left_on: Its column with the record ids.

        Raises:
            ConfigError: Rows cannot be matched one to one.
        """
        ids = frame.schema.get(left_on)
        if ids is None or not (ids == pl.String or ids.is_integer()):
            message = f"the frame needs a column {left_on!r} with the record ids, text or whole numbers."
            raise ConfigError(message, hint="Give left_on.")
        by_model = "model" in frame.columns and self.scores["model"].is_not_null().any()
        keys = ["record_id", "model"] if by_model else ["record_id"]
        if self.scores.select(keys).is_duplicated().any():
            raise ConfigError(
                f"several traces share one {' and '.join(keys)}, so they cannot be matched to rows.",
                hint="Give every trace its own id, or add a column `model`.",
            )
        scores = self.scores.drop("line", *({"model"} - set(keys) if "model" in frame.columns else ()))
        # A whole number goes by its text, as it was read.
        mine = [pl.col(left_on).cast(pl.String), *map(pl.col, keys[1:])]
        # Unless asked, Polars promises no order.
        return frame.join(
            scores, left_on=mine, right_on=keys, how="left", nulls_equal=True, maintain_order="left", suffix="_judged"
        )


def table_schemas(axes: Mapping[str, Kind]) -> dict[str, dict[str, Any]]:
    """Column -> dtype of every table, for a rubric with axes of these names and kinds."""
    scores: dict[str, Any] = {"line": pl.Int64}
    scores |= dict.fromkeys(("record_id", "record_key", "model", "judge", "rubric"), pl.String)
    scores |= {f"{axis}_{column}": pl.Float64 for axis, kind in axes.items() for column in columns_of(kind)}
    scores |= dict.fromkeys(("trace_grounding", "trace_correctness", "trace_score", "trace_score_sd"), pl.Float64)
    scores |= {"samples": pl.Int32, "answer": pl.String, "answer_correct": pl.Boolean}
    scores |= {"trace_chars": pl.Int64, "units_asked": pl.Int32, "units_judged": pl.Int32}
    scores |= {"prompt_tokens": pl.Int64, "completion_tokens": pl.Int64, "failure": pl.String}
    return {"scores": scores, "verdicts": _VERDICTS, "calls": _CALLS, "failures": _FAILURES}


class Rows:
    """Rows of the tables, outcome by outcome.

    They are made as soon as a record is judged, and all else of an outcome can go. Made of five hundred at once, in the
    thread that writes them, they kept the interpreter from the loop for 8 ms; what is left there takes 4.

    A line that could not be read has a row in `failures` and in no other table.

    Args:
        labels: For every row.

    Attributes:
        lines: Of the outcomes.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._measures = {axis: attrgetter(*columns_of(kind)) for axis, kind in labels.axes.items()}
        self._scores: list[_Row] = []
        self._records: list[_Row] = []  # one for each verdict
        self._verdicts: list[_Row] = []
        self._calls: list[_Row] = []
        self._failures: list[_Row] = []
        self.lines: list[int] = []

    def add(self, outcome: Outcome) -> None:
        """The rows of an outcome follow those of the ones before."""
        if (record := outcome.record) is not None:
            self._scores.append(_score_row(outcome, record, self._labels, self._measures))
            self._records += repeat((record.line, record.id, record.key, record.model), len(outcome.verdicts))
            self._verdicts += map(astuple, outcome.verdicts)
            self._calls += [_call_row(call, record, self._labels) for call in outcome.calls]
        self._failures += map(_failure_row, outcome.failures)
        self.lines.append(outcome.line)

    def build(self) -> Tables:
        """The tables of all outcomes."""
        schemas, labels = table_schemas(self._labels.axes), self._labels
        alike = {"judge": labels.judge, "prompt_fp": labels.prompt_fp, "rubric_fp": labels.rubric_fp}
        verdicts = _columns(self._records, _OF_A_RECORD) | _columns(self._verdicts, Verdict.__struct_fields__)
        verdicts |= {name: (value,) * len(self._verdicts) for name, value in alike.items()}
        return Tables(
            scores=_frame(_columns(self._scores, schemas["scores"]), schemas["scores"]),
            verdicts=_frame(verdicts, schemas["verdicts"]),
            calls=_frame(_columns(self._calls, _CALLS), _CALLS),
            failures=_frame(_columns(self._failures, _FAILURES), _FAILURES),
        )


def build_tables(outcomes: Iterable[Outcome], labels: Labels) -> Tables:
    """The rows of these outcomes, in their order."""
    rows = Rows(labels)
    for outcome in outcomes:
        rows.add(outcome)
    return rows.build()


def build_calls(calls: Iterable[tuple[Call, Record]], labels: Labels) -> pl.DataFrame:
    """The rows of these calls, each with the record that it is about, in their order."""
    return _frame(_columns([_call_row(call, record, labels) for call, record in calls], _CALLS), _CALLS)


def _columns(rows: Sequence[_Row], names: Iterable[str]) -> dict[str, Sequence[object]]:
    """Rows -> their columns, in the order of the names."""
    names = tuple(names)
    return dict(zip(names, zip(*rows, strict=True) if rows else ((),) * len(names), strict=True))


def _frame(columns: Mapping[str, Sequence[object]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """A frame of these columns, in the order of the schema, which has every one of them."""
    return pl.DataFrame([_series(name, columns[name], dtype) for name, dtype in schema.items()])


def _series(name: str, values: Sequence[object], dtype: Any) -> pl.Series:
    """One column. Half of them hold the same in every row, mostly null, which Polars is told once.

    Without an expression, which needs threads that a forked child does not have.
    """
    if len(values) > 1 and values[0] is values[-1] and values.count(values[0]) == len(values):
        return pl.Series(name, values[:1], dtype=dtype).new_from_index(0, len(values))
    return pl.Series(name, values, dtype=dtype)


def _score_row(
    outcome: Outcome, record: Record, labels: Labels, measures: Mapping[str, Callable[[AxisScore], _Row]]
) -> _Row:
    scores = outcome.scores
    axes = scores.axes if scores else {}
    given = reference_answer(record.reference.answer, record.reference.reasoning, record.options)
    answer = extract_answer(record.trace, record.options)
    return (
        *(record.line, record.id, record.key, record.model, labels.judge, labels.rubric),
        *chain.from_iterable([measured(axes.get(axis, _NO_AXIS)) for axis, measured in measures.items()]),
        *((scores.grounding, scores.correctness, scores.score, scores.score_sd) if scores else (None,) * 4),
        *(scores.samples if scores else 0, answer, answer_correct(answer, given, record.options)),
        len(record.trace),
        *((scores.units_asked, scores.units_judged) if scores else (0, 0)),
        *(_tokens(outcome.calls, "prompt_tokens"), _tokens(outcome.calls, "completion_tokens")),
        outcome.failure,
    )


def _tokens(calls: Sequence[Call], name: str) -> int | None:
    """Over all replies of a record, those from a journal or store too: the same after a resume. Money is not."""
    counts = [getattr(call.reply, name) for call in calls if call.reply is not None]
    return None if None in counts else sum(counts)


def _call_row(call: Call, record: Record, labels: Labels) -> _Row:
    reply = call.reply or _NO_REPLY
    return (
        *(call.call_id, record.line, record.id, labels.judge, reply.model, call.attempts, reply.cached),
        *(reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens),
        *(reply.cost_usd, *((reply.latency_s, reply.queued_s) if call.reply else (None, None))),
        *(reply.finish_reason, call.failure),
    )


def _failure_row(failure: Failure) -> _Row:
    return (
        *(failure.line, failure.record_id, failure.stage, failure.error, failure.message, failure.axis),
        *(list(failure.unit_ids), failure.raw),
    )
