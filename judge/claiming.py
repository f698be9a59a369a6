"""Asks -> Answers about what a trace claims: it is taken apart, and then each claim is checked.

portions of a trace, at the same time ─▶ claims, each found in the trace ─▶ checks, 16 a call, at the same time
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from judge.backend import Reply
from judge.claim_prompt import ClaimPrompt, sources
from judge.claims import Claim, as_asked, distinct, guess_claims, read_claims
from judge.conversation import Answer, Conversation, Heard, failures_of, unusable
from judge.errors import ReplyError
from judge.evidence import TraceText
from judge.probe import MAX_UNITS_PER_CALL, AskedUnit, Granularity, Probes, batches
from judge.prompt import JudgeModel, Request, unit_name
from judge.unwrapping import off_menu
from judge.verdict import EvidenceRule, Verdict, about_unit, lack_of_evidence, verify_claim
from judge.view import View
from judge.words import parse_claims
from judge.working import parted, together

__all__ = ["Claiming"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """How claims are asked about.

    Args:
        prompt: The rubric's templates.
        model: Who is asked.
        granularity: `unit` checks one claim a call; else there are 16 a call.
        evidence: What happens to a claim whose quote is not in the trace, or whose source is not among the sources.
        samples: Repeats of every check. A trace is taken apart once, so that all of them are about the same claims.
    """

    prompt: ClaimPrompt
    model: JudgeModel
    granularity: Granularity
    evidence: EvidenceRule
    samples: int

    def first_asks(self, groups: Sequence[Probes]) -> list[Request]:
        """What takes a trace apart, for the axes of each view."""
        return [request for probes in groups for request in self.prompt.ask_claims(probes, self.model)]

    def next_asks(self, requests: Sequence[Request], replies: Mapping[str, Reply]) -> list[Request]:
        """What is asked after these: the checks, as far as the claims are known.

        Args:
            requests: Of `first_asks`.
            replies: By call id. Where there is none, every sentence of the portion stands for a claim.
        """
        checks = []
        for group in _by_view(requests):
            axes = group[0].probes
            claims = [claim for request in group for claim in self._claims(request, replies.get(request.call_id))]
            checks += self._checks(axes, as_asked(distinct(claims), axes.asked))
        return checks

    def _claims(self, request: Request, reply: Reply | None) -> list[Claim]:
        if reply is not None:
            claims, _ = self._read_claims(TraceText(request.probes.record.trace), request, reply)
            return [claim for claim in claims or () if claim.found or self.evidence != "required"]
        return guess_claims(request.probes.portion, [asked.axis for asked in request.probes.asked])

    async def answer(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        """One answer to each request; that to the first of a view has all verdicts on the claims."""
        answers = await together([self._answer(group, trace, talk) for group in _by_view(requests)])
        return [answer for of_group in answers for answer in of_group]

    async def _answer(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        heard = await talk.hold_all(requests, partial(self._read_claims, trace))
        unknown = [one for one in heard if one.value is None]
        whole = self._unknown(unknown[0]) if unknown else await self._check(heard, talk)
        first, *others = (one.calls for one in heard)
        return [replace(whole, calls=(*first, *whole.calls)), *(Answer(verdicts=(), calls=calls) for calls in others)]

    def _unknown(self, heard: Heard[list[Claim]]) -> Answer:
        """Nobody knows what the trace claims."""
        failed = unusable(heard)
        verdicts = [replace(verdict, sample=sample) for sample in range(self.samples) for verdict in failed]
        return Answer(verdicts=verdicts, failures=failures_of(heard.request, verdicts, heard.error, heard.stage))

    async def _check(self, heard: Sequence[Heard[list[Claim]]], talk: Conversation) -> Answer:
        """Ask about every claim that the trace was found to make."""
        axes, claims = heard[0].request.probes, distinct(claim for one in heard for claim in one.value or ())
        asked = as_asked(claims, axes.asked)
        made = {one.unit.unit_id: claim for one, claim in zip(asked, claims, strict=True)}
        found, lost = parted(asked, lambda one: self.evidence == "required" and not made[one.unit.unit_id].found)
        text = TraceText(sources(axes.record, axes.view))
        asking = [self._check_some(check, made, text, talk) for check in self._checks(axes, found)]
        return _joined([self._not_found(heard, lost, made), *await together(asking)])

    def _not_found(
        self, heard: Sequence[Heard[list[Claim]]], lost: Sequence[AskedUnit], made: Mapping[str, Claim]
    ) -> Answer:
        """Claims whose quote the trace does not have: it may not make them."""
        broken = next((one for one in heard if one.error is not None), heard[0])
        verdicts = [
            Verdict(**about_unit(one, sample, broken.call_id), **claim.evidence, failure=lack_of_evidence(claim.quote))
            for sample in range(self.samples)
            for one, claim in ((one, made[one.unit.unit_id]) for one in lost)
        ]
        return Answer(verdicts=verdicts, failures=failures_of(broken.request, verdicts, broken.error))

    def _checks(self, axes: Probes, claims: Sequence[AskedUnit]) -> list[Request]:
        size = 1 if self.granularity == "unit" else MAX_UNITS_PER_CALL
        groups = [Probes(record=axes.record, asked=batch) for batch in batches(claims, size)]
        return self.prompt.ask_checks(groups, self.model, samples=self.samples) if groups else []

    async def _check_some(
        self, request: Request, made: Mapping[str, Claim], text: TraceText, talk: Conversation
    ) -> Answer:
        heard = await talk.hold(request, partial(self._read_checks, made, text))
        verdicts = heard.value or unusable(heard)
        failures = failures_of(heard.request, verdicts, heard.error, heard.stage)
        return Answer(verdicts=verdicts, calls=heard.calls, failures=failures)

    def _read_claims(
        self, trace: TraceText, request: Request, reply: Reply
    ) -> tuple[list[Claim] | None, ReplyError | None]:
        """Claims that the trace makes keep their place where others are not found in it."""
        try:
            claims, error = read_claims(reply, [asked.axis for asked in request.probes.asked], trace)
        except ReplyError as exc:
            return None, exc
        return claims, error if self.evidence == "required" else None

    def _read_checks(
        self, made: Mapping[str, Claim], text: TraceText, request: Request, reply: Reply
    ) -> tuple[list[Verdict] | None, ReplyError | None]:
        """Claims whose source was found keep their verdicts."""
        asked = request.probes.asked
        try:
            replied = parse_claims(reply, len(asked), evidence=self.prompt.evidence)
        except ReplyError as exc:
            return None, exc
        verdicts = [
            verify_claim(
                words,
                unit,
                made[unit.unit.unit_id].evidence,
                text,
                self.evidence,
                seen=bool(request.images),
                sample=request.sample,
                call_id=request.call_id,
            )
            for words, unit in zip(replied, asked, strict=True)
        ]
        faults = [
            f"{unit_name(index)}.source is not a passage of the question, the context or the reference"
            for index, verdict in enumerate(verdicts)
            if verdict.failure
        ]
        return verdicts, off_menu(faults) if faults else None


def _by_view(requests: Sequence[Request]) -> list[list[Request]]:
    """Those about one trace as it is shown; in their order, as they were built."""
    groups: dict[View, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.probes.view, []).append(request)
    return [*groups.values()]


def _joined(answers: Sequence[Answer]) -> Answer:
    return Answer(
        verdicts=[verdict for answer in answers for verdict in answer.verdicts],
        calls=[call for answer in answers for call in answer.calls],
        failures=[failure for answer in answers for failure in answer.failures],
    )
