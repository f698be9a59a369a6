"""Traces × Settings -> Estimate: calls, tokens, price and time, before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from judge.backend import Reply
from judge.distribution import read_presence
from judge.errors import InputError, ReplyError
from judge.measured import Measured, asks_of, learn, try_out
from judge.paid import Find, has_replies, paid_replies
from judge.probing import Probed
from judge.prompt import CHARS_A_TOKEN, Request
from judge.record import Record
from judge.runs.claim import refuse_other_judge
from judge.settings import Settings
from judge.traces.reading import Reading, Traces
from judge.usable import sees_images
from judge.written import Written

__all__ = ["ASSUMED_TOKENS_PER_UNIT", "Counted", "Estimate", "assumed_tokens", "estimate", "sum_up"]

ASSUMED_RAISED = 0.7
"""Share of the units that are raised, and so get a correctness probe; where their presence is not known yet."""
ASSUMED_TOKENS_PER_UNIT = 80
"""A quote, a short reason and two numbers, as JSON; where nothing was measured."""
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run would take.

    Attributes:
        records: Rows read; `failed` of them would fail unasked, `contentless` score 0 without a call.
        units: Asked about, all samples together.
        calls: First asks; `stored` of them are paid for already. Re-asks of unusable replies come on top.
        images: Sent, those of every call counted.
        prompt_tokens, completion_tokens: Of the calls that are not stored; images are part of the prompt.
        cost_usd: None where no price is known.
        seconds: None where nothing was measured.
        raised: Share of the units that get a correctness probe, where their presence is not known yet; None where no
            call hangs on it.
        guessed_claims: Of the units, the claims of traces that are not taken apart yet: a sentence each.
        measured: What the numbers rest on; None where they are assumed.
    """

    records: int
    failed: int
    contentless: int
    units: int
    calls: int
    stored: int
    images: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    seconds: float | None
    raised: float | None
    guessed_claims: int
    measured: Measured | None


@dataclass(slots=True)
class _Sum:
    """What some calls come to; the last three are of those that are not stored."""

    calls: int = 0
    stored: int = 0
    images: int = 0
    prompt: float = 0.0
    written: int = 0

    def add(self, request: Request, *, stored: bool) -> None:
        self.calls += 1
        self.stored += stored
        if not stored:
            self.images += len(request.images)
            self.prompt += request.guessed_tokens
            self.written += assumed_tokens(request)

    def plus(self, other: _Sum, share: float) -> _Sum:
        """With a share of other calls."""
        mine, theirs = ((each.calls, each.stored, each.images, each.prompt, each.written) for each in (self, other))
        calls, stored, images, prompt, written = (own + share * more for own, more in zip(mine, theirs, strict=True))
        return _Sum(round(calls), round(stored), round(images), prompt, round(written))


@dataclass(slots=True)
class Counted:
    """What the records come to. `if_raised` are the calls that are asked only where a unit is raised, all of them."""

    records: int = 0
    failed: int = 0
    contentless: int = 0
    units: int = 0
    guessed_claims: int = 0
    sure: _Sum = field(default_factory=_Sum)
    if_raised: _Sum = field(default_factory=_Sum)
    sample: list[Record] = field(default_factory=list)


def assumed_tokens(request: Request) -> int:
    """Of its reply, before anybody was asked. A list of claims tells the trace over, with the quotes twice."""
    if request.labels:
        return 1
    if request.probes.portion:
        return 2 * len(request.probes.portion) // CHARS_A_TOKEN
    return ASSUMED_TOKENS_PER_UNIT * len(request.probes.asked)


async def estimate(
    traces: Traces, settings: Settings, *, out: Path | None = None, past: Path | None = None, measure: int = 0
) -> Estimate:
    """Say what a run would take. Reads all records; asks nobody unless told to `measure`, and writes nothing.

    Args:
        traces: What would be scored.
        settings: Judge and rubric.
        out: Run directory that would be gone on with: what its journal holds is stored.
        past: An earlier run with this judge, to learn tokens and time from; that of `out` where there is none.
        measure: Records, from the first that are not stored, to ask for now in order to measure; this may cost. Their
            replies go to the shared store, so the run does not pay for them again; without a store it does.

    Raises:
        InputError: The traces cannot be read at all, or `past` is no run.
        ConfigError: The judge cannot be asked, and is to be measured; or `out` holds a run of another judge.
    """
    if out is not None:
        refuse_other_judge(out, settings, paid=not settings.free and has_replies(out / "journal.sqlite"))
    with traces.opened() as reading, paid_replies(settings, out) as find:
        counted = await _count(reading, settings, find, measure)
    measured = await try_out(settings, counted.sample) if counted.sample else None
    if measured is None and (run := past or out) is not None:
        measured = learn(run, settings.labels.judge, required=past is not None)
    return sum_up(counted, settings, measured)


async def _count(reading: Reading, settings: Settings, find: Find, measure: int) -> Counted:
    counted, sighted = Counted(), settings.free or sees_images(settings)
    for _, (number, row) in reading.lines:
        counted.records += 1
        try:
            record = await reading.record(number, row)
            requests = asks_of(record, settings, sighted=sighted)
        except InputError:
            counted.failed += 1
            continue
        counted.contentless += not requests
        found = [find(request) for request in requests]
        for request, reply in zip(requests, found, strict=True):
            counted.units += 0 if request.probes.portion else len(request.probes.asked)
            counted.sure.add(request, stored=reply is not None)
            _count_next(counted, request, reply, settings.way, find)
        _count_checks(counted, requests, found, settings.way, find)
        if len(counted.sample) < measure and None in found:
            counted.sample.append(record)
    if not counted.records:
        raise InputError("the input holds no records.")
    return counted


def _count_next(counted: Counted, request: Request, reply: Reply | None, way: Written | Probed, find: Find) -> None:
    """What a probed unit takes besides its presence probe: nothing, all of it, or nobody knows yet."""
    if not isinstance(way, Probed):
        return
    raised = None if reply is None else _is_raised(reply)
    for ask in way.next_asks(request) if raised is not False else ():
        (counted.if_raised if raised is None else counted.sure).add(
            ask, stored=raised is True and find(ask) is not None
        )


def _count_checks(
    counted: Counted, requests: list[Request], found: list[Reply | None], way: Written | Probed, find: Find
) -> None:
    """What checking the claims of a trace takes; until it is taken apart, every sentence stands for a claim."""
    if isinstance(way, Probed):
        return
    known = {request.call_id: reply for request, reply in zip(requests, found, strict=True) if reply is not None}
    guessed = any(request.probes.portion and request.call_id not in known for request in requests)
    for check in way.next_asks(requests, known):
        counted.units += len(check.probes.asked)
        counted.guessed_claims += len(check.probes.asked) * guessed
        counted.sure.add(check, stored=find(check) is not None)


def _is_raised(reply: Reply) -> bool | None:
    try:
        return read_presence(reply)[0] > 0
    except ReplyError:
        return None


def sum_up(counted: Counted, settings: Settings, measured: Measured | None) -> Estimate:
    """What all that was counted comes to."""
    raised = measured.raised if measured is not None and measured.raised is not None else ASSUMED_RAISED
    total = counted.sure.plus(counted.if_raised, raised)
    calls = total.calls - total.stored
    prompt = round(total.prompt * (measured.prompt_ratio if measured else 1.0))
    written = measured.completion_tokens if measured is not None else None
    completion = total.written if written is None else round(calls * written)
    return Estimate(
        records=counted.records,
        failed=counted.failed,
        contentless=counted.contentless,
        units=counted.units,
        calls=total.calls,
        stored=total.stored,
        images=total.images,
        prompt_tokens=0 if settings.free else prompt,
        completion_tokens=0 if settings.free else completion,
        cost_usd=_cost_usd(settings, calls, prompt, completion),
        seconds=_seconds(settings, calls, prompt + completion, measured),
        raised=raised if counted.if_raised.calls else None,
        guessed_claims=counted.guessed_claims,
        measured=measured,
    )


def _cost_usd(settings: Settings, calls: int, prompt: int, completion: int) -> float | None:
    """Calls of average size: the price of a token may depend on how long its prompt is."""
    if settings.free or not calls:
        return 0.0
    price = settings.token_price
    one = price.cost_usd(round(prompt / calls), round(completion / calls)) if price else None
    return None if one is None else calls * one


def _seconds(settings: Settings, calls: int, tokens: int, measured: Measured | None) -> float | None:
    """Places that are never empty, or the quotas by the minute, whichever is slower."""
    if measured is None:
        return None
    asking = calls * measured.latency_s / min(settings.concurrency, max(calls, 1))
    by_requests = calls / settings.rpm * _MINUTE_S if settings.rpm else 0.0
    by_tokens = tokens / settings.tpm * _MINUTE_S if settings.tpm else 0.0
    return max(asking, by_requests, by_tokens)
