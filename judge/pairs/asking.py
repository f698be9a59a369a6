"""Pairs -> PairOutcomes: all that is asked of two traces, in both orders, and all that came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from judge.asking import refuse_images
from judge.content import has_content
from judge.conversation import Conversation, Heard
from judge.errors import InputError, RecordError
from judge.evidence import TraceText
from judge.outcome import Call, Failure
from judge.pairs.grouping import PairFailure
from judge.pairs.pair import Candidate, Pair, open_question
from judge.pairs.prompt import PairPrompt
from judge.pairs.said import Order, Said, read_reply
from judge.preference import Outcome, Preference, Preferred, settle
from judge.probe import Granularity
from judge.prompt import JudgeModel, Request
from judge.record import Record
from judge.turns import in_turns, with_reuse
from judge.verdict import EvidenceRule
from judge.view import shown_text
from judge.working import together

__all__ = ["PairAsker", "PairOutcome", "PairWay", "decide", "late_pair"]

_ORDERS: Final[tuple[Order, Order]] = ("ab", "ba")
_Asked: TypeAlias = tuple[Order, Request]
_Heard: TypeAlias = Heard[list[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairWay:
    """How two traces are asked about, with one judge and one rubric.

    Attributes:
        judge: The judge id.
        prompt: The rubric's templates.
        model: Who is asked.
        granularity: Which axes share a call.
        evidence: What happens to a preference whose quote is not in the trace that it calls better.
        cache_marks: The judge's provider keeps the beginning of a prompt where it is told to, and bills that.
    """

    judge: str
    prompt: PairPrompt
    model: JudgeModel
    granularity: Granularity
    evidence: EvidenceRule
    cache_marks: bool = False

    def first_asks(self, pair: Pair, question: Record, axes: Collection[str]) -> list[_Asked]:
        """All that is asked of a pair on these axes, re-asks aside: each order with the calls that share a prefix.

        Raises:
            PromptError: The templates cannot render it.
        """
        return [(order, request) for order in _ORDERS for request in self._requests(pair, question, order, axes)]

    def _requests(self, pair: Pair, question: Record, order: Order, axes: Collection[str]) -> list[Request]:
        one, other = pair.a.record.trace, pair.b.record.trace
        traces = (one, other) if order == "ab" else (other, one)
        requests = self.prompt.build_requests(question, traces, self.model, granularity=self.granularity, axes=axes)
        return with_reuse(requests) if self.cache_marks else requests

    def preference(self, pair: Pair, axis: str, **found: Any) -> Preference:
        """What was found of a pair on an axis, as a row."""
        return Preference(
            record_id=pair.record_id,
            model_a=pair.a.model,
            model_b=pair.b.model,
            axis=axis,
            judge=self.judge,
            **found,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """All that is known of one pair.

    Attributes:
        preferences: One for each axis.
        calls: All asks.
        failures: One for each axis and order that failed, or one for the pair.
    """

    pair: Pair
    preferences: tuple[Preference, ...]
    calls: tuple[Call, ...] = ()
    failures: tuple[PairFailure, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether every axis has an outcome."""
        return all(one.outcome is not None for one in self.preferences)

    @property
    def failure(self) -> str | None:
        """Why not every axis has an outcome, as a short word; None where each has one."""
        return next((one.failure for one in self.preferences if one.failure), None)


def decide(pair: Pair, prompt: PairPrompt) -> dict[str, tuple[Outcome, str]]:
    """What needs no judge, by axis, and why: a trace that says nothing loses, and two of the same words are a tie."""
    a, b = pair.a.record.trace, pair.b.record.trace
    says_a, says_b = has_content(a), has_content(b)
    if not (says_a and says_b):
        outcome: Outcome = "A" if says_a else "B" if says_b else "tie"
        return dict.fromkeys(prompt.asked, (outcome, "no_content"))
    same = [name for name, one in prompt.asked.items() if shown_text(a, one.view) == shown_text(b, one.view)]
    return dict.fromkeys(same, ("tie", "equal_traces"))


class PairAsker:
    """Compares traces.

    Args:
        way: How they are asked about.
        talk: Holds the conversations.
        sees_images: Else a pair with images is not asked about: the judge would be blind.
    """

    def __init__(self, way: PairWay, talk: Conversation, *, sees_images: bool = True) -> None:
        self._way = way
        self._talk = talk
        self._sees_images = sees_images

    async def judge(self, pair: Pair) -> PairOutcome:
        """Compare two traces.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept. Every other trouble is in the outcome.
        """
        try:
            question = await self.question(pair)
            decided = decide(pair, self._way.prompt)
            asked = self._way.first_asks(pair, question, self._way.prompt.asked.keys() - decided.keys())
        except InputError as exc:
            return _failed(pair, self._way, _failure(pair, exc.code, str(exc), "record", about=_about(pair, exc)))
        heard = await self._hold(pair, asked)
        return self._outcome(pair, [(order, one) for (order, _), one in zip(asked, heard, strict=True)], decided)

    async def _hold(self, pair: Pair, asked: Sequence[_Asked]) -> list[_Heard]:
        traces: dict[Preferred, TraceText] = {"A": TraceText(pair.a.record.trace), "B": TraceText(pair.b.record.trace)}
        orders = {request.call_id: order for order, request in asked}

        async def ask(request: Request) -> _Heard:
            order = orders[request.call_id]
            return await self._talk.hold(
                request, partial(read_reply, order=order, traces=traces, rule=self._way.evidence)
            )

        async def ask_all(requests: Sequence[Request]) -> list[_Heard]:
            return await together([ask(request) for request in requests])

        return await in_turns([request for _, request in asked], ask_all, cache_marks=self._way.cache_marks)

    async def question(self, pair: Pair) -> Record:
        """What both traces answer.

        Raises:
            RecordError: They answer different questions, or have images that cannot be sent or seen.
        """
        question = await open_question(pair)
        if not self._sees_images and self._way.prompt.shows_images:
            refuse_images(question)
        return question

    def _outcome(
        self, pair: Pair, heard: Sequence[tuple[Order, _Heard]], decided: Mapping[str, tuple[Outcome, str]]
    ) -> PairOutcome:
        said = {(order, axis): said for order, one in heard for axis, said in _said(one)}
        preferences = [
            self._way.preference(pair, axis, **_decided(*decided[axis]))
            if axis in decided
            else self._way.preference(pair, axis, **_found(said["ab", axis], said["ba", axis]))
            for axis in self._way.prompt.asked
        ]
        return PairOutcome(
            pair=pair,
            preferences=tuple(preferences),
            calls=tuple(call for _, one in heard for call in one.calls),
            failures=tuple(failure for order, one in heard for failure in _failures(pair, order, one)),
        )


def late_pair(pair: Pair, way: PairWay, message: str) -> PairOutcome:
    """The outcome of a pair for which there was no time left."""
    return _failed(pair, way, _failure(pair, "timeout", message, "ask"))


def _failed(pair: Pair, way: PairWay, failed: PairFailure) -> PairOutcome:
    rows = tuple(way.preference(pair, axis, failure=failed.failure.error) for axis in way.prompt.asked)
    return PairOutcome(pair=pair, preferences=rows, failures=(failed,))


def _decided(outcome: Outcome, reason: str) -> dict[str, Any]:
    return {"outcome": outcome, "reason": reason}


def _found(ab: Said, ba: Said) -> dict[str, Any]:
    """What two orders come to."""
    return {
        "order_ab": ab.preferred,
        "order_ba": ba.preferred,
        "outcome": settle(ab.preferred, ba.preferred),
        "reason": ab.reason,
        "failure": ab.failure or ba.failure,
        "reason_ba": ba.reason,
        "evidence_ab": ab.evidence,
        "evidence_ab_found": ab.found,
        "evidence_ba": ba.evidence,
        "evidence_ba_found": ba.found,
        "call_ab": ab.call_id,
        "call_ba": ba.call_id,
    }


def _said(heard: _Heard) -> Iterator[tuple[str, Said]]:
    """What was said at last of each axis of a request."""
    asked, code = heard.request.probes.asked, heard.error.code if heard.error else ""
    said = heard.value or [Said(failure=code, call_id=heard.call_id)] * len(asked)
    return zip((unit.axis for unit in asked), said, strict=True)


def _failures(pair: Pair, order: Order, heard: _Heard) -> Iterator[PairFailure]:
    """One for each axis that has failed in this order."""
    calls = tuple(call.call_id for call in heard.calls)
    for axis, said in _said(heard):
        if said.failure:
            yield _failure(pair, said.failure, str(heard.error), heard.stage, axis=axis, order=order, calls=calls)


def _about(pair: Pair, error: InputError) -> Candidate:
    """Which of the two traces an error is about; the first where it is about both."""
    place = (error.source, error.line) if isinstance(error, RecordError) else None
    return pair.b if place == (pair.b.source, pair.b.record.line) else pair.a


def _failure(
    pair: Pair,
    error: str,
    message: str,
    stage: str,
    *,
    axis: str | None = None,
    order: Order | None = None,
    calls: tuple[str, ...] = (),
    about: Candidate | None = None,
) -> PairFailure:
    one = about or pair.a
    return PairFailure(
        failure=Failure(
            line=one.record.line, record_id=one.record.id, stage=stage, error=error, message=message, axis=axis
        ),
        source=one.source,
        model_a=pair.a.model,
        model_b=pair.b.model,
        order=order,
        calls=calls,
    )
