"""Verdicts and failures -> Outcome: all that is known of one record after judging."""

from __future__ import annotations

from msgspec import Struct

from judge.backend import Reply
from judge.errors import InputError, RecordError
from judge.record import Record
from judge.score import TraceScore
from judge.verdict import Verdict

__all__ = ["Call", "Failure", "Outcome", "failed_record", "late_record"]


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """Something that has no verdict, and why.

    Attributes:
        stage: Where it failed: `read` (the line), `record` (its content), `ask` (no reply), `reply` (unusable).
        error: A short stable word, such as `timeout` or `off_menu`.
        axis, unit_ids: The units concerned; empty when it is the whole record.
        raw: The input line, where it could not be read.
    """

    line: int
    record_id: str | None
    stage: str
    error: str
    message: str
    axis: str | None = None
    unit_ids: tuple[str, ...] = ()
    raw: str | None = None


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """One request and what came of it; `reply` is None when none came."""

    call_id: str
    reply: Reply | None
    attempts: int
    failure: str | None = None


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """All that is known of one record after judging.

    Attributes:
        record: None when the line could not be read.
        scores: None when nothing could be asked.
    """

    line: int
    record: Record | None
    scores: TraceScore | None = None
    verdicts: tuple[Verdict, ...] = ()
    calls: tuple[Call, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def failure(self) -> str | None:
        """Why there is no trace score, as a short word; None when there is one."""
        if self.scores is not None and self.scores.score is not None:
            return None
        return self.failures[0].error


def failed_record(exc: InputError, *, record: Record | None, line: int, raw: bytes | None = None) -> Outcome:
    """The outcome of a record that could not be read or asked."""
    named = exc.record_id if isinstance(exc, RecordError) else None
    failure = Failure(
        line=line,
        record_id=record.id if record else named,
        stage="record" if record else "read",
        error=exc.code,
        message=str(exc),
        raw=None if raw is None else raw.decode("utf-8", "backslashreplace"),
    )
    return Outcome(line=line, record=record, failures=(failure,))


def late_record(record: Record, message: str) -> Outcome:
    """The outcome of a record for which there was no time left."""
    failure = Failure(line=record.line, record_id=record.id, stage="ask", error="timeout", message=message)
    return Outcome(line=record.line, record=record, failures=(failure,))
