"""Records -> Outcomes: ask, check, ask again where the reply was unusable. Async, bounded, and nothing is lost.

The one place where an error of a backend or of a reply turns into a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec import structs

from judge.backend import Backend, Reply
from judge.content import has_content
from judge.errors import (
    BackendError,
    CacheError,
    FatalError,
    InputError,
    JudgeError,
    MalformedReplyError,
    OffMenuError,
    RecordError,
    ReplyError,
    TruncatedReplyError,
)
from judge.evidence import TraceText
from judge.outcome import Call, Failure, Outcome, failed_record
from judge.probe import Granularity, build_probes
from judge.prompt import JudgeModel, Prompt, Request, unit_name
from judge.record import Record
from judge.score import score_trace
from judge.verdict import EvidenceRule, Verdict, contentless_verdict, failed_verdict, off_menu, parse_reply, verify
from judge.working import together

__all__ = ["Asker", "Keep", "build_asks"]

MAX_REASKS = 2

Keep = Callable[[Request, Reply], None]
T = TypeVar("T")


class Asker:
    """Judges records with one judge and one rubric.

    Args:
        prompt: The rubric's templates.
        model: Who is asked.
        backend: Answers requests, with caching, retries, limits and deadline already around it.
        keep: Given every reply that could be used; only those may be stored for other runs.
        granularity: Which units share a call.
        evidence: What happens to a presence whose quote is not in the trace.
        samples: Repeats of every judgement, at least 1.
        min_coverage: Share of judged weight, in [0, 1], below which an axis has no score.
        sees_images: Else a record with images is not asked about: the judge would be blind.
    """

    def __init__(
        self,
        prompt: Prompt,
        model: JudgeModel,
        backend: Backend,
        *,
        keep: Keep,
        granularity: Granularity = "axis",
        evidence: EvidenceRule = "required",
        samples: int = 1,
        min_coverage: float = 1.0,
        sees_images: bool = True,
    ) -> None:
        self._prompt = prompt
        self._sees_images = sees_images
        self._model = model
        self._backend = backend
        self._keep = keep
        self._granularity = granularity
        self._evidence = evidence
        self._samples = samples
        self._min_coverage = min_coverage

    async def judge(self, record: Record) -> Outcome:
        """Judge one record.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept. Every other trouble is in the outcome.
        """
        try:
            requests = build_asks(
                record,
                self._prompt,
                self._model,
                granularity=self._granularity,
                samples=self._samples,
                sees_images=self._sees_images,
            )
        except InputError as exc:
            return failed_record(exc, record=record, line=record.line)
        if not has_content(record.trace):
            return self._outcome(record, [_Answer(verdicts=_nothing_raised(request)) for request in requests])
        trace = TraceText(record.trace)
        return self._outcome(record, await together([self._converse(request, trace) for request in requests]))

    def _outcome(self, record: Record, answers: Sequence[_Answer]) -> Outcome:
        verdicts = tuple(verdict for answer in answers for verdict in answer.verdicts)
        scores = score_trace(verdicts, min_coverage=self._min_coverage)
        failures = [failure for answer in answers for failure in answer.failures]
        if scores.score is None and not failures:
            failures.append(_weightless(record, self._prompt.rubric.name))
        return Outcome(
            line=record.line,
            record=record,
            scores=scores,
            verdicts=verdicts,
            calls=tuple(call for answer in answers for call in answer.calls),
            failures=tuple(failures),
        )

    async def _converse(self, request: Request, trace: TraceText) -> _Answer:
        """Ask, and ask again at most twice where the reply cannot be used."""
        calls: list[Call] = []
        while True:
            call_id = request.call_id
            try:
                reply = await self._backend.complete(request)
            except (FatalError, CacheError):  # to go on would pay for what fails again, or cannot be kept
                raise
            except BackendError as exc:
                calls.append(Call(call_id=call_id, reply=None, attempts=exc.attempts, failure=exc.code))
                return _unanswered(request, exc, "ask", calls)
            verdicts, error = self._read(request, reply, trace)
            failure = error.code if error else None
            calls.append(Call(call_id=call_id, reply=reply, attempts=reply.attempts, failure=failure))
            if error is None:
                self._keep(request, reply)
                return _Answer(verdicts=verdicts, calls=calls)
            if request.ask == MAX_REASKS or not _worth_another_ask(error):
                return _unusable(request, error, verdicts, calls)
            request = self._next_ask(request, error)

    def _read(self, request: Request, reply: Reply, trace: TraceText) -> tuple[list[Verdict], ReplyError | None]:
        asked = request.probes.asked
        try:
            replied = parse_reply(reply, len(asked), evidence=self._prompt.evidence)
        except ReplyError as exc:
            return [], exc
        verdicts = [
            verify(words, unit, trace, self._evidence, sample=request.sample, call_id=request.call_id)
            for words, unit in zip(replied, asked, strict=True)
        ]
        faults = [
            f"{unit_name(index)}.evidence is not a passage of the trace"
            for index, verdict in enumerate(verdicts)
            if verdict.failure
        ]
        return verdicts, off_menu(faults) if faults else None

    def _next_ask(self, request: Request, error: ReplyError) -> Request:
        again = structs.replace(request, ask=request.ask + 1)
        return self._prompt.complain(again, error.faults) if isinstance(error, OffMenuError) else again


def build_asks(
    record: Record,
    prompt: Prompt,
    model: JudgeModel,
    *,
    granularity: Granularity,
    samples: int,
    sees_images: bool,
) -> list[Request]:
    """The first asks of a record.

    Raises:
        InputError: It cannot be asked about.
    """
    if not sees_images:
        _refuse_images(record)
    return prompt.build_requests(build_probes(record, prompt.rubric, granularity), model, samples=samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came of one request and its re-asks."""

    verdicts: Sequence[Verdict]
    calls: Sequence[Call] = ()
    failures: Sequence[Failure] = ()


def _refuse_images(record: Record) -> None:
    """A judge that is silently blind would mark as missing what only the image shows."""
    if record.images:
        raise RecordError(
            "is an image, and this judge reads texts only.",
            line=record.line,
            field="image",
            record_id=record.id,
            code="image_not_seen",
            hint="Use a judge that sees images, or describe it in `context` and remove it.",
        )


def _weightless(record: Record, rubric: str) -> Failure:
    message = f"all units weigh 0 under the rubric {rubric!r}, so there is nothing to divide by."
    return Failure(line=record.line, record_id=record.id, stage="record", error="no_weight", message=message)


def _nothing_raised(request: Request) -> list[Verdict]:
    return [contentless_verdict(unit, sample=request.sample) for unit in request.probes.asked]


def _worth_another_ask(error: ReplyError) -> bool:
    return isinstance(error, MalformedReplyError | TruncatedReplyError | OffMenuError)


def _unanswered(request: Request, error: JudgeError, stage: str, calls: list[Call]) -> _Answer:
    verdicts = [
        failed_verdict(unit, sample=request.sample, failure=error.code, call_id=request.call_id)
        for unit in request.probes.asked
    ]
    return _Answer(verdicts=verdicts, calls=calls, failures=_failures(request, verdicts, error, stage))


def _unusable(request: Request, error: ReplyError, verdicts: list[Verdict], calls: list[Call]) -> _Answer:
    """Units whose evidence was found keep their verdicts; a reply with wrong keys or values has none to keep."""
    if not verdicts:
        return _unanswered(request, error, "reply", calls)
    return _Answer(verdicts=verdicts, calls=calls, failures=_failures(request, verdicts, error, "reply"))


def _failures(request: Request, verdicts: Sequence[Verdict], error: JudgeError, stage: str) -> list[Failure]:
    record = request.probes.record
    failed = [verdict for verdict in verdicts if verdict.failure]
    by_axis = {one.axis: [verdict for verdict in failed if verdict.axis == one.axis] for one in failed}
    return [
        Failure(
            line=record.line,
            record_id=record.id,
            stage=stage,
            error=units[0].failure or error.code,
            message=str(error),
            axis=axis,
            unit_ids=tuple(verdict.unit_id for verdict in units),
        )
        for axis, units in by_axis.items()
    ]
