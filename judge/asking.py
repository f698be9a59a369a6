"""Records -> Outcomes: ask, check, ask again where the reply was unusable. Async, bounded, and nothing is lost.

The one place where an error of a backend or of a reply turns into a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from judge.backend import Backend, Reply
from judge.content import has_content
from judge.errors import (
    BackendError,
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
from judge.probe import Granularity, build_probes
from judge.prompt import JudgeModel, Prompt, Request, unit_name
from judge.record import Record
from judge.score import TraceScore, score_trace
from judge.verdict import EvidenceRule, Verdict, contentless_verdict, failed_verdict, off_menu, parse_reply, verify

__all__ = ["Asker", "Call", "Failure", "Outcome", "each", "failed_record"]

MAX_REASKS = 2

Keep = Callable[[Request, Reply], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request and what came of it; `reply` is None when none came."""

    call_id: str
    reply: Reply | None
    attempts: int
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that is known of one record after judging.

    Attributes:
        record: None when the line could not be read.
        scores: None when nothing could be asked.
        failure: Why there is no trace score, as a short word; None when there is one.
    """

    line: int
    record: Record | None
    scores: TraceScore | None = None
    verdicts: tuple[Verdict, ...] = ()
    calls: tuple[Call, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def failure(self) -> str | None:
        if self.scores is not None and self.scores.score is not None:
            return None
        return self.failures[0].error if self.failures else "no_weight"


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
        texts_only: The judge reads texts and says so; others are not asked about a record whose image they cannot see.
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
        texts_only: bool = False,
    ) -> None:
        self._prompt = prompt
        self._texts_only = texts_only
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
            FatalError: No request can succeed; every other trouble is in the outcome.
        """
        try:
            _refuse_image(record, sent=not self._texts_only)
            groups = build_probes(record, self._prompt.rubric, self._granularity)
            requests = self._prompt.build_requests(groups, self._model, samples=self._samples)
        except InputError as exc:
            return failed_record(exc, record=record, line=record.line)
        if not has_content(record.trace):
            return self._outcome(record, [_Answer(verdicts=_nothing_raised(request)) for request in requests])
        trace = TraceText(record.trace)
        return self._outcome(record, await _all([self._converse(request, trace) for request in requests]))

    def _outcome(self, record: Record, answers: Sequence[_Answer]) -> Outcome:
        verdicts = tuple(verdict for answer in answers for verdict in answer.verdicts)
        return Outcome(
            line=record.line,
            record=record,
            scores=score_trace(verdicts, min_coverage=self._min_coverage),
            verdicts=verdicts,
            calls=tuple(call for answer in answers for call in answer.calls),
            failures=tuple(failure for answer in answers for failure in answer.failures),
        )

    async def _converse(self, request: Request, trace: TraceText) -> _Answer:
        """Ask, and ask again at most twice where the reply cannot be used."""
        calls: list[Call] = []
        while True:
            call_id = request.call_id
            try:
                reply = await self._backend.complete(request)
            except FatalError:
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
            replace(verify(words, unit, trace, self._evidence, sample=request.sample), call_id=request.call_id)
            for words, unit in zip(replied, asked, strict=True)
        ]
        faults = [
            f"{unit_name(index)}.evidence is not a passage of the trace"
            for index, verdict in enumerate(verdicts)
            if verdict.failure
        ]
        return verdicts, off_menu(faults) if faults else None

    def _next_ask(self, request: Request, error: ReplyError) -> Request:
        again = replace(request, ask=request.ask + 1)
        return self._prompt.complain(again, error.faults) if isinstance(error, OffMenuError) else again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came of one request and its re-asks."""

    verdicts: Sequence[Verdict]
    calls: Sequence[Call] = ()
    failures: Sequence[Failure] = ()


async def each(
    items: Iterable[T],
    work: Callable[[T], Awaitable[None]],
    *,
    concurrency: int,
    stop: asyncio.Event | None = None,
) -> None:
    """Do `work` on every item: N workers over one iterator, as one task an item costs a gigabyte a million.

    Args:
        items: Read on demand, one at a time.
        work: May raise; the first error ends the others and is raised.
        concurrency: Number of workers, at least 1.
        stop: When set, no further item is begun; those in work are finished.
    """
    waiting = iter(items)

    async def worker() -> None:
        while stop is None or not stop.is_set():  # asked before an item is read: none is read and then dropped
            try:
                item = next(waiting)
            except StopIteration:
                return
            await work(item)
            await asyncio.sleep(0)  # a backend that computes in place must not starve signals and progress

    await _all([worker() for _ in range(concurrency)])


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


async def _all(work: Sequence[Awaitable[T]]) -> list[T]:
    """Results in order; the first error cancels the rest, so that nothing goes on being paid for."""
    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(job) for job in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _refuse_image(record: Record, *, sent: bool) -> None:
    """A judge that is silently blind would mark as missing what only the image shows."""
    if record.image is not None and sent:
        raise RecordError(
            "is an image, and this version of judge sends none.",
            line=record.line,
            field="image",
            record_id=record.id,
            code="image_not_sent",
            hint="Describe it in `context` and remove it, or use --judge lexical, which reads texts only.",
        )


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
