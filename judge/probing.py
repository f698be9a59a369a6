"""Asks -> Answers by probes: one token for a unit's presence, one for its correctness, and a quote where it is wanted.

first presence probe, alone  ─▶  all other presence probes at the same time     the server has their prefix by then
     └ raised ─▶ correctness, quote      └ raised ─▶ correctness, quote

Of a scale: one token for its level, and nothing after it. Kinds and views differ in their prefix, so each has a first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

from judge.backend import Reply
from judge.conversation import Answer, Conversation, Heard, failures_of
from judge.distribution import read_correctness, read_level, read_presence
from judge.errors import JudgeError, ReplyError
from judge.evidence import TraceText
from judge.probe import build_probes
from judge.probe_prompt import ProbePrompt
from judge.prompt import JudgeModel, Request
from judge.record import Record
from judge.rubric import Rubric
from judge.unwrapping import off_menu, parse_object
from judge.verdict import (
    EvidenceRule,
    Verdict,
    about_unit,
    contentless_verdict,
    lack_of_evidence,
    verify_quote,
)
from judge.working import together

__all__ = ["Probed"]

_Fields: TypeAlias = dict[str, Any]
"""Some fields of a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """How units are asked about by probes.

    Args:
        prompt: The rubric's templates.
        model: Who is asked.
        evidence: What happens to a raised unit whose quote is not in the trace; `none` asks for no quotes.
        samples: Repeats of every judgement, at least 1.
    """

    prompt: ProbePrompt
    model: JudgeModel
    evidence: EvidenceRule = "none"
    samples: int = 1

    @property
    def rubric(self) -> Rubric:
        """What is asked about."""
        return self.prompt.rubric

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record and the rubric's own texts aside."""
        return self.prompt.fingerprint

    def first_asks(self, record: Record) -> list[Request]:
        """The presence and level probes of a record; what else is asked hangs on their answers.

        Raises:
            InputError: It cannot be asked about.
        """
        groups = build_probes(record, self.rubric, "unit")
        return self.prompt.ask_first(groups, self.model, samples=self.samples)

    def next_asks(self, presence: Request) -> list[Request]:
        """What is asked of the same unit where it is raised; of a scale nothing."""
        if presence.probes.kind == "scale":
            return []
        quote = [] if self.evidence == "none" else [self.prompt.ask_evidence(presence)]
        return [self.prompt.ask_correctness(presence), *quote]

    def nothing_raised(self, request: Request) -> Answer:
        """The answer for a trace that says nothing."""
        (asked,) = request.probes.asked
        return Answer(verdicts=[contentless_verdict(asked, sample=request.sample, probed=True)])

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The request with what was wrong with the reply to it."""
        return self.prompt.complain(request, faults)

    async def answer(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        """One answer to each first probe."""
        alike: dict[tuple[str, str], list[int]] = {}
        for place, request in enumerate(requests):
            alike.setdefault((request.system, request.shared), []).append(place)
        groups = [[requests[place] for place in places] for places in alike.values()]
        found = await together([self._answer_alike(group, trace, talk) for group in groups])
        answers = dict(zip(chain(*alike.values()), chain(*found), strict=True))
        return [answers[place] for place in range(len(requests))]

    async def _answer_alike(self, requests: Sequence[Request], trace: TraceText, talk: Conversation) -> list[Answer]:
        """The same for probes that begin with the same bytes."""
        first, *others = requests
        # Calls that begin together find nothing of each other in a server's prefix cache.
        heard = await talk.hold(first, _read_first)
        rest = [self._answer(request, trace, talk) for request in others]
        return await together([self._go_on(heard, trace, talk), *rest])

    async def _answer(self, request: Request, trace: TraceText, talk: Conversation) -> Answer:
        return await self._go_on(await talk.hold(request, _read_first), trace, talk)

    async def _go_on(self, presence: Heard[_Fields], trace: TraceText, talk: Conversation) -> Answer:
        """Ask what hangs on a unit's presence, and put together all that is known of it."""
        if presence.value is None or not presence.value.get("presence"):
            return _joined(presence)
        correctness, *quotes = self.next_asks(presence.request)
        read_quote = partial(_read_quote, trace, self.evidence)
        asking = [talk.hold(correctness, _read_correctness), *(talk.hold(quote, read_quote) for quote in quotes)]
        return _joined(presence, *await together(asking))


def _read_first(request: Request, reply: Reply) -> tuple[_Fields | None, ReplyError | None]:
    """A scale's level, or a unit's presence."""
    try:
        if request.probes.kind == "scale":
            level, value = read_level(reply, request.labels)
            return {"level": level, "value": value}, None
        presence, p_present = read_presence(reply)
    except ReplyError as exc:
        return None, exc
    return {"presence": presence, "p_present": p_present}, None


def _read_correctness(_: Request, reply: Reply) -> tuple[_Fields | None, ReplyError | None]:
    try:
        correctness, p_correct = read_correctness(reply)
    except ReplyError as exc:
        return None, exc
    return {"correctness": correctness, "p_correct": p_correct}, None


def _read_quote(
    trace: TraceText, rule: EvidenceRule, _: Request, reply: Reply
) -> tuple[_Fields | None, ReplyError | None]:
    """The passage; where it is not in the trace and has to be, the judge's own words and why they do not do."""
    try:
        told = parse_object(reply)
        if told.keys() != {"evidence"} or not isinstance(told["evidence"], str):
            raise off_menu(["it must have one key, evidence, and its value must be text"])
    except ReplyError as exc:
        return None, exc
    found = verify_quote(told["evidence"], trace)
    if rule != "required" or found["evidence_found"] != "no":
        return found, None
    error = off_menu(["evidence is not a passage of the trace"])
    return {**found, "failure": lack_of_evidence(told["evidence"])}, error


def _joined(*heard: Heard[_Fields]) -> Answer:
    """A unit's verdict; where a part of it failed there is none, and what was measured of it stays."""
    presence = heard[0].request
    (asked,) = presence.probes.asked
    fields = {name: value for one in heard for name, value in (one.value or {}).items()}
    broken = [(one, one.error) for one in heard if one.error is not None]
    if broken:
        fields |= {"presence": None, "correctness": None, "failure": _why(*broken[0])}
    verdict = Verdict(**about_unit(asked, presence.sample, presence.call_id, probed=True), **fields)
    failures = [failure for one, error in broken[:1] for failure in failures_of(presence, [verdict], error, one.stage)]
    return Answer(verdicts=[verdict], calls=[call for one in heard for call in one.calls], failures=failures)


def _why(heard: Heard[_Fields], error: JudgeError) -> str:
    return str((heard.value or {}).get("failure", error.code))
