"""Records -> Outcomes: all that is asked of a record, and all that came of it. Async, and nothing is lost.

How units are asked about is a `Way`: `Written` or `Probed`. Errors of a backend or of a reply turn into failures in
`conversation.py` and here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from judge.backend import Backend
from judge.content import has_content
from judge.conversation import Answer, Conversation, Keep
from judge.errors import InputError, RecordError
from judge.evidence import TraceText
from judge.outcome import Failure, Outcome, failed_record
from judge.prompt import Request
from judge.record import Record
from judge.rubric import Rubric
from judge.score import score_trace

__all__ = ["Asker", "Way", "first_asks", "refuse_images"]


class Way(Protocol):
    """How the units of a record are asked about, with one judge and one rubric."""

    @property
    def rubric(self) -> Rubric:
        """What is asked about."""
        ...

    def first_asks(self, record: Record) -> list[Request]:
        """What is asked of a record whatever is answered, at least one request.

        Raises:
            InputError: It cannot be asked about.
        """
        ...

    def nothing_raised(self, request: Request) -> Answer:
        """The answer to a first ask for a trace that says nothing; nobody is asked."""
        ...

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The request with what was wrong with the reply to it."""
        ...

    async def answer(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        """Hold the conversations of a record, and give one answer to each first ask, in their order."""
        ...


class Asker:
    """Judges records.

    Args:
        way: How they are asked about.
        backend: Answers requests, with caching, retries, limits and deadline already around it.
        keep: Given every reply that could be used; only those may be stored for other runs.
        min_coverage: Share of judged weight, in [0, 1], below which an axis has no score.
        sees_images: Else a record with images is not asked about: the judge would be blind.
    """

    def __init__(
        self, way: Way, backend: Backend, *, keep: Keep, min_coverage: float = 1.0, sees_images: bool = True
    ) -> None:
        self._way = way
        self._talk = Conversation(backend, keep=keep, complain=way.complain)
        self._sees_images = sees_images
        self._min_coverage = min_coverage

    async def judge(self, record: Record) -> Outcome:
        """Judge one record.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept. Every other trouble is in the outcome.
        """
        try:
            requests = first_asks(record, self._way, sees_images=self._sees_images)
        except InputError as exc:
            return failed_record(exc, record=record, line=record.line)
        if not has_content(record.trace):
            return self._outcome(record, [self._way.nothing_raised(request) for request in requests])
        return self._outcome(record, await self._way.answer(requests, TraceText(record.trace), self._talk))

    def _outcome(self, record: Record, answers: Sequence[Answer]) -> Outcome:
        verdicts = tuple([verdict for answer in answers for verdict in answer.verdicts])
        scores = score_trace(verdicts, min_coverage=self._min_coverage, axes=self._way.rubric.axes)
        failures = [failure for answer in answers for failure in answer.failures]
        if scores.score is None and not failures:
            failures.append(_weightless(record, self._way.rubric.name) if verdicts else _claimless(record))
        return Outcome(
            line=record.line,
            record=record,
            scores=scores,
            verdicts=verdicts,
            calls=tuple([call for answer in answers for call in answer.calls]),
            failures=tuple(failures),
        )


def first_asks(record: Record, way: Way, *, sees_images: bool) -> list[Request]:
    """What is asked of a record whatever is answered.

    Raises:
        InputError: It cannot be asked about.
    """
    if not sees_images and way.rubric.shows_images:
        refuse_images(record)
    return way.first_asks(record)


def refuse_images(record: Record) -> None:
    """Raise where a record has images: a judge that is silently blind would mark as missing what only they show.

    Raises:
        RecordError: It has.
    """
    if record.images:
        raise RecordError(
            "is an image, and this judge reads texts only.",
            line=record.line,
            field="image",
            record_id=record.id,
            code="image_not_seen",
            hint="Use a judge that sees images, or describe it in `context` and remove it.",
        )


def _claimless(record: Record) -> Failure:
    message = "the trace claims nothing, so there is nothing to score."
    return Failure(line=record.line, record_id=record.id, stage="record", error="no_claims", message=message)


def _weightless(record: Record, rubric: str) -> Failure:
    message = f"all units weigh 0 under the rubric {rubric!r}, so there is nothing to divide by."
    return Failure(line=record.line, record_id=record.id, stage="record", error="no_weight", message=message)
