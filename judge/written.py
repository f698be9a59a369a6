"""Asks -> Answers in writing: one call for some units, and each verdict as JSON with its evidence and reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from judge.backend import Reply
from judge.claiming import Claiming
from judge.conversation import Answer, Conversation, Heard, failures_of, unusable
from judge.errors import ReplyError
from judge.evidence import TraceText
from judge.order import as_given, reordered
from judge.probe import Granularity, Probes, build_probes
from judge.prompt import JudgeModel, Prompt, Request, unit_name
from judge.record import Record
from judge.rubric import Rubric
from judge.turns import in_turns, with_reuse
from judge.unwrapping import off_menu, refuse_copy
from judge.variation import PLAIN, Variation
from judge.verdict import EvidenceRule, Verdict, contentless_verdict, verify
from judge.words import parse_reply, refuse_unknown_levels
from judge.working import parted, together

__all__ = ["Written"]

_NO_REPLIES: Mapping[str, Reply] = MappingProxyType({})
_UNSURE = ReplyError("the judge cannot assess it from what it was given.", code="cannot_assess")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How units are asked about where the judge writes its verdicts down.

    Args:
        prompt: The rubric's templates.
        model: Who is asked.
        granularity: Which units share a call.
        evidence: What happens to a presence whose quote is not in the trace.
        samples: Repeats of every judgement, at least 1.
        cache_marks: The judge's provider keeps the beginning of a prompt where it is told to, and bills that.
        claiming: How claims of the trace are asked about; None where no axis asks about any.
        variation: Of the plain ask, in what should change no verdict.
    """

    prompt: Prompt
    model: JudgeModel
    granularity: Granularity = "axis"
    evidence: EvidenceRule = "required"
    samples: int = 1
    cache_marks: bool = False
    claiming: Claiming | None = None
    variation: Variation = PLAIN

    @property
    def rubric(self) -> Rubric:
        """What is asked about."""
        return self.prompt.rubric

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record and the rubric's own texts aside."""
        if self.claiming is None:
            return self.prompt.fingerprint
        both = self.prompt.fingerprint + self.claiming.prompt.fingerprint
        return hashlib.sha256(both.encode()).hexdigest()[:12]

    def first_asks(self, record: Record) -> list[Request]:
        """All that is asked of a record, re-asks aside.

        Raises:
            InputError: It cannot be asked about.
        """
        groups = build_probes(record, self.rubric, self.granularity)
        if self.claiming is None:
            return self._requests(groups)
        fixed, claimed = parted(groups, lambda probes: probes.kind == "faithfulness")
        return [*self._requests(fixed), *self.claiming.first_asks(claimed)]

    def _requests(self, groups: Sequence[Probes]) -> list[Request]:
        if not groups:
            return []
        first, groups = self.variation.sample, [reordered(probes, self.variation.order) for probes in groups]
        requests = self.prompt.build_requests(groups, self.model, samples=self.samples, first_sample=first)
        return with_reuse(requests) if self.cache_marks else requests

    def next_asks(self, requests: Sequence[Request], replies: Mapping[str, Reply] = _NO_REPLIES) -> list[Request]:
        """What is asked after the first asks of a record: the checks of its trace's claims.

        Args:
            requests: Of `first_asks`.
            replies: Those that are known, by call id; for others, every sentence stands for a claim.
        """
        _, claims = parted(requests, lambda request: request.probes.kind == "faithfulness")
        return self.claiming.next_asks(claims, replies) if self.claiming else []

    def nothing_raised(self, request: Request) -> Answer:
        """The answer for a trace that says nothing. It claims nothing either."""
        if request.probes.kind == "faithfulness":
            return Answer(verdicts=())
        verdicts = [contentless_verdict(unit, sample=request.sample) for unit in request.probes.asked]
        return Answer(verdicts=as_given(request.probes, verdicts))

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The request with what was wrong with the reply to it."""
        prompt = self.claiming.prompt if self.claiming and request.probes.kind == "faithfulness" else self.prompt
        return prompt.complain(request, faults)

    async def answer(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        """One answer to each request, all asked at the same time."""
        if self.claiming is None:
            return await self._answers(requests, trace, talk)
        fixed, claims = parted(requests, lambda request: request.probes.kind == "faithfulness")
        asking = (self._answers(fixed, trace, talk), self.claiming.answer(claims, trace, talk))
        return [answer for answers in await together(asking) for answer in answers]

    async def _answers(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        read = partial(self._read, trace)
        heard = await in_turns(requests, lambda some: talk.hold_all(some, read), cache_marks=self.cache_marks)
        return [_answer(one) for one in heard]

    def _read(self, trace: TraceText, request: Request, reply: Reply) -> tuple[list[Verdict] | None, ReplyError | None]:
        """Units whose evidence was found keep their verdicts."""
        asked = request.probes.asked
        try:
            replied = parse_reply(reply, len(asked), evidence=self.prompt.evidence, kind=request.probes.kind)
            refuse_unknown_levels(replied, asked)
            refuse_copy(reply, trace.text)
        except ReplyError as exc:
            return None, exc
        verdicts = [
            verify(words, unit, trace, self.evidence, sample=request.sample, call_id=request.call_id)
            for words, unit in zip(replied, asked, strict=True)
        ]
        faults = [
            f"{unit_name(index)}.evidence is not a passage of the trace"
            for index, verdict in enumerate(verdicts)
            if verdict.evidence_found == "no" and verdict.failure
        ]
        return verdicts, off_menu(faults) if faults else None


def _answer(heard: Heard[list[Verdict]]) -> Answer:
    verdicts = as_given(heard.request.probes, heard.value or unusable(heard))
    failures = failures_of(heard.request, verdicts, heard.error or _UNSURE, heard.stage)
    return Answer(verdicts=verdicts, calls=heard.calls, failures=failures)
