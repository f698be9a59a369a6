"""Tables of several judges on the same records -> one, with the panel's own rows below those of its judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl
from msgspec.structs import asdict

from judge.outcome import Failure
from judge.panel import FEW_JUDGES, SPLIT, Together, outcome_of, score_together
from judge.panels.accord import Accord
from judge.panels.doubtful import About, Doubt, find_doubts, read_verdicts
from judge.panels.rule import PanelRule
from judge.score import AxisScore, TraceScore, columns_of
from judge.table import Tables, table_schemas
from judge.verdict import Verdict

__all__ = ["join_tables"]

_Row: TypeAlias = dict[str, Any]
_NO_AXIS = AxisScore()
_OF_THE_RECORD = ("line", "record_id", "record_key", "model", "answer", "answer_correct", "trace_chars")
_TOKENS = ("prompt_tokens", "completion_tokens")
_MESSAGES = {
    SPLIT: "as many judges say one thing as another.",
    FEW_JUDGES: "fewer judges have a verdict than the panel needs ({least} of {judges}).",
}


def join_tables(
    judges: Sequence[Tables], rule: PanelRule, accord: Accord, *, first: Sequence[int] = ()
) -> tuple[Tables, list[Doubt]]:
    """Join what the judges of a panel said of some records, and say what the panel does.

    Args:
        judges: In the order of the rule's members, empty tables included.
        rule: Who is in the panel.
        accord: Grows by these records.
        first: Members whose rows tell what a line holds, where a resumed run finds another record there.

    Returns:
        The tables, in input order, of each record the judges' rows and then the panel's. `scores` has a column
        `judges`: how many of them score the record; `verdicts` has `judges` and `agreement`; `failures` has `judge`.
        And the doubtful units.
    """
    panel = _Panel(judges, rule, accord, first)
    own = panel.tables()
    told = [_with_judge(tables, judge) for tables, judge in zip(judges, rule.judges, strict=True)]
    names = ("scores", "verdicts", "calls", "failures")
    joined = {name: _stacked([getattr(one, name) for one in (*told, own)]) for name in names}
    return Tables(**joined), panel.doubts


def _stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # A stable sort: of one record, judges keep their order, and the panel comes last.
    return pl.concat(frames, how="diagonal").sort("line", maintain_order=True)


def _with_judge(tables: Tables, judge: str) -> Tables:
    failures = tables.failures.with_columns(pl.lit(judge, pl.String).alias("judge"))
    return Tables(scores=tables.scores, verdicts=tables.verdicts, calls=tables.calls, failures=failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one judge said of one record."""

    score: _Row
    verdicts: list[Verdict]


class _Panel:
    def __init__(self, judges: Sequence[Tables], rule: PanelRule, accord: Accord, first: Sequence[int]) -> None:
        self._rule = rule
        self._labels = rule.labels
        self._accord = accord
        self._unread = pl.concat([tables.failures for tables in judges]).filter(stage="read")
        self._said = [_by_line(tables) for tables in judges]
        self._first = [*first, *(place for place in range(len(judges)) if place not in first)]
        self.doubts: list[Doubt] = []
        self._scores: list[_Row] = []
        self._verdicts: list[_Row] = []
        self._failures: list[_Row] = []

    def tables(self) -> Tables:
        for line in sorted({line for said in self._said for line in said}):
            self._add(line)
        unread = self._unread.unique("line", keep="first", maintain_order=True)
        self._failures += [{**row, "judge": self._labels.judge} for row in unread.iter_rows(named=True)]
        schemas = table_schemas(self._labels.axes)
        more: Mapping[str, Any] = {"judges": pl.Int32}
        return Tables(
            scores=pl.DataFrame(self._scores, schema={**schemas["scores"], **more}),
            verdicts=pl.DataFrame(self._verdicts, schema={**schemas["verdicts"], **more, "agreement": pl.Float64}),
            calls=pl.DataFrame(schema=schemas["calls"]),
            failures=pl.DataFrame(self._failures, schema={**schemas["failures"], "judge": pl.String}),
        )

    def _add(self, line: int) -> None:
        said = self._of(line)
        (row, *_) = (one.score for one in said.values())
        rule, member = self._rule, self._rule.members[0]
        together = score_together(
            [one.verdicts for one in said.values()],
            rule.reducer,
            least=rule.least,
            min_coverage=member.min_coverage,
            axes=member.rubric.scored,
        )
        self._count(line, said)
        failures = list(_failures(line, row["record_id"], together, said, rule))
        self._failures += [{**asdict(one), "judge": self._labels.judge} for one in failures]
        self._scores.append(self._score_row(row, said, together, failures))
        self._verdicts += self._verdict_rows(row, together)
        split = [(one.axis, one.unit_id) for one in together.verdicts if one.failure == SPLIT]
        about = About(line=line, record_id=row["record_id"], model=row["model"])
        self.doubts += find_doubts(about, {judge: one.verdicts for judge, one in said.items()}, split=split)

    def _of(self, line: int) -> dict[str, _Said]:
        """What each judge said of the record that is in this line now."""
        key = next(said[line].score["record_key"] for said in map(self._said.__getitem__, self._first) if line in said)
        pairs = zip(self._rule.judges, self._said, strict=True)
        held = {judge: said[line] for judge, said in pairs if line in said}
        return {judge: one for judge, one in held.items() if one.score["record_key"] == key}

    def _count(self, line: int, said: Mapping[str, _Said]) -> None:
        units: dict[tuple[str, str, int], dict[str, str]] = {}
        kinds: dict[str, str] = {}
        for judge, one in said.items():
            for verdict in one.verdicts:
                if verdict.kind != "faithfulness" and (outcome := outcome_of(verdict)) is not None:
                    units.setdefault((verdict.axis, verdict.unit_id, verdict.sample), {})[judge] = outcome
                    kinds[verdict.axis] = verdict.kind
        for (axis, _, _), outcomes in units.items():
            self._accord.add(axis, line, outcomes, levels=kinds[axis] in ("scale", "rating"))

    def _score_row(self, row: _Row, said: Mapping[str, _Said], together: Together, failures: Sequence[Failure]) -> _Row:
        scores = together.scores
        tokens = {name: _total([one.score[name] for one in said.values()]) for name in _TOKENS}
        return {
            **{name: row[name] for name in _OF_THE_RECORD},
            "judge": self._labels.judge,
            "rubric": self._labels.rubric,
            **self._measured(scores),
            **_whole_trace(scores),
            **tokens,
            "failure": failures[0].error if scores is None or scores.score is None else None,
            "judges": sum(one.score["trace_score"] is not None for one in said.values()),
        }

    def _measured(self, scores: TraceScore | None) -> _Row:
        axes = scores.axes if scores else {}
        return {
            f"{axis}_{column}": getattr(axes.get(axis, _NO_AXIS), column)
            for axis, kind in self._labels.axes.items()
            for column in columns_of(kind)
        }

    def _verdict_rows(self, row: _Row, together: Together) -> Iterator[_Row]:
        about = {name: row[name] for name in ("line", "record_id", "record_key", "model")}
        labels = self._labels
        about |= {"judge": labels.judge, "prompt_fp": labels.prompt_fp, "rubric_fp": labels.rubric_fp}
        for verdict, (judges, share) in zip(together.verdicts, together.judges, strict=True):
            yield {**about, **asdict(verdict), "judges": judges, "agreement": share}


def _whole_trace(scores: TraceScore | None) -> _Row:
    if scores is None:
        return {"samples": 0, "units_asked": 0, "units_judged": 0}
    return {
        "trace_grounding": scores.grounding,
        "trace_correctness": scores.correctness,
        "trace_score": scores.score,
        "trace_score_sd": scores.score_sd,
        "samples": scores.samples,
        "units_asked": scores.units_asked,
        "units_judged": scores.units_judged,
    }


def _by_line(tables: Tables) -> dict[int, _Said]:
    verdicts = read_verdicts(tables.verdicts)
    rows = tables.scores.iter_rows(named=True)
    return {row["line"]: _Said(score=row, verdicts=verdicts.get(row["line"], [])) for row in rows}


def _failures(
    line: int, record_id: str, together: Together, said: Mapping[str, _Said], rule: PanelRule
) -> Iterator[Failure]:
    """Units of an axis that have no verdict for one reason, together; else why there is no score at all."""
    missing: dict[tuple[str, str], dict[str, None]] = {}
    for one in together.verdicts:
        if one.failure is not None:
            missing.setdefault((one.axis, one.failure), {})[one.unit_id] = None
    for (axis, error), units in missing.items():
        message = _MESSAGES[error].format(least=rule.least, judges=len(rule.members))
        yield Failure(
            line=line,
            record_id=record_id,
            stage="panel",
            error=error,
            message=message,
            axis=axis,
            unit_ids=tuple(units),
        )
    if not missing and (together.scores is None or together.scores.score is None):
        yield _whole(line, record_id, said, rule)


def _whole(line: int, record_id: str, said: Mapping[str, _Said], rule: PanelRule) -> Failure:
    """A record that no judge could score is the record's fault where all of them say the same."""
    why = {one.score["failure"] for one in said.values()}
    error = why.pop() if len(why) == 1 and None not in why else FEW_JUDGES
    message = _MESSAGES.get(error, "no judge could score this record; see their rows.")
    message = message.format(least=rule.least, judges=len(rule.members))
    return Failure(line=line, record_id=record_id, stage="panel", error=error, message=message)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
