"""Traces × Settings -> Estimate: calls, tokens, price and time, before anything is paid."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import TypeAlias

import polars as pl

from judge.asking import first_asks
from judge.backend import Reply
from judge.connect import connect
from judge.content import has_content
from judge.distribution import read_presence
from judge.errors import InputError, ReplyError
from judge.journal.file import connect_file
from judge.journal.journal import find_replies
from judge.journal.sealed import DamagedError
from judge.probing import Probed
from judge.prompt import CHARS_A_TOKEN, Request
from judge.record import Record
from judge.runs.claim import refuse_other_judge
from judge.settings import Settings
from judge.traces.reading import Reading, Traces
from judge.usable import sees_images
from judge.written import Written

__all__ = ["ASSUMED_TOKENS_PER_UNIT", "Estimate", "Measured", "assumed_tokens", "estimate"]

ASSUMED_RAISED = 0.7
"""Share of the units that are raised, and so get a correctness probe; where their presence is not known yet."""
ASSUMED_TOKENS_PER_UNIT = 80
"""A quote, a short reason and two numbers, as JSON; where nothing was measured."""
_MINUTE_S = 60.0
_Find: TypeAlias = Callable[[Request], Reply | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What replies of this judge were like.

    Attributes:
        calls: How many were looked at.
        prompt_ratio: Prompt tokens as the server counted them / as we guess them by length; 1 where it is not known.
        completion_tokens: A call, on average; None where the server counts none.
        latency_s: Of a call, median.
        source: Where they are from, in words.
        raised: Share of the units that were raised; None where none was judged.
    """

    calls: int
    prompt_ratio: float
    completion_tokens: float | None
    latency_s: float
    source: str
    raised: float | None = None


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
class _Counted:
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
        refuse_other_judge(out, settings, paid=not settings.free and _has_replies(out / "journal.sqlite"))
    with traces.opened() as reading, _stored(settings, out) as find:
        counted = await _count(reading, settings, find, measure)
    measured = await _measure(settings, counted.sample) if counted.sample else None
    if measured is None and (run := past or out) is not None:
        measured = _learn(run, settings.labels.judge, required=past is not None)
    return _build(counted, settings, measured)


async def _count(reading: Reading, settings: Settings, find: _Find, measure: int) -> _Counted:
    counted, sighted = _Counted(), settings.free or sees_images(settings)
    for _, (number, row) in reading.lines:
        counted.records += 1
        try:
            record = await reading.record(number, row)
            requests = _asks(record, settings, sighted=sighted)
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


def _count_next(counted: _Counted, request: Request, reply: Reply | None, way: Written | Probed, find: _Find) -> None:
    """What a probed unit takes besides its presence probe: nothing, all of it, or nobody knows yet."""
    if not isinstance(way, Probed):
        return
    raised = None if reply is None else _is_raised(reply)
    for ask in way.next_asks(request) if raised is not False else ():
        (counted.if_raised if raised is None else counted.sure).add(
            ask, stored=raised is True and find(ask) is not None
        )


def _count_checks(
    counted: _Counted, requests: list[Request], found: list[Reply | None], way: Written | Probed, find: _Find
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


def _asks(record: Record, settings: Settings, *, sighted: bool = True) -> list[Request]:
    """The first asks of a record; none where its trace says nothing."""
    requests = first_asks(record, settings.way, sees_images=sighted)
    return requests if has_content(record.trace) else []


@contextmanager
def _stored(settings: Settings, out: Path | None) -> Iterator[_Find]:
    """The reply to a request that is in the run's journal or in the shared store, or None; neither is changed."""
    with ExitStack() as stack:
        journal = None
        if out is not None and _has_content(path := out / "journal.sqlite"):
            journal = stack.enter_context(closing(connect_file(path, "ro")))
        store = None
        if settings.cache is not None and settings.cache.exists():
            from judge.calls.store import Store

            store = Store(settings.cache)
            stack.callback(store.close)

        def find(request: Request) -> Reply | None:
            return _in_journal(journal, request) or (None if store is None else store.find(request.key))

        yield find


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _has_replies(path: Path) -> bool:
    if not _has_content(path):
        return False
    with _journal_errors(), closing(connect_file(path, "ro")) as journal:
        return journal.execute("SELECT 1 FROM replies LIMIT 1").fetchone() is not None


def _in_journal(journal: sqlite3.Connection | None, request: Request) -> Reply | None:
    if journal is None:
        return None
    with _journal_errors():
        return find_replies(journal, [request.call_id]).get(request.call_id)


@contextmanager
def _journal_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, DamagedError) as exc:
        raise InputError(f"the journal cannot be read: {exc}.", hint="judge score mends it when it starts.") from exc


async def _measure(settings: Settings, sample: list[Record]) -> Measured | None:
    guessed: dict[str, float] = {}
    outcomes = []
    async with connect(settings) as connection:
        for record in sample:
            guessed |= {request.call_id: request.guessed_tokens for request in _asks(record, settings)}
            outcomes.append(await connection.asker.judge(record))
    answered = [call for outcome in outcomes for call in outcome.calls]
    calls = [(call.call_id, call.reply) for call in answered if call.reply and not call.reply.cached]
    replies = [reply for _, reply in calls]
    told = [(reply.prompt_tokens, guessed[name]) for name, reply in calls if reply.prompt_tokens and name in guessed]
    written = [reply.completion_tokens for reply in replies if reply.completion_tokens is not None]
    if not replies:
        return None
    kept = ", which are not kept and will be paid for again" if settings.cache is None and not settings.free else ""
    return Measured(
        calls=len(replies),
        prompt_ratio=sum(tokens for tokens, _ in told) / sum(guess for _, guess in told) if told else 1.0,
        completion_tokens=fmean(written) if written else None,
        latency_s=median(reply.latency_s for reply in replies),
        raised=_share_raised([verdict.presence for outcome in outcomes for verdict in outcome.verdicts]),
        source=f"{len(sample)} records that were asked for, {len(replies)} calls{kept}",
    )


def _learn(run: Path, judge: str, *, required: bool) -> Measured | None:
    """From the calls of an earlier run by this judge; a run knows nothing of what we would have guessed."""
    path = run / "calls.parquet"
    if not path.exists():
        if required:
            raise InputError(f"{run} is no run: it has no calls.parquet.", hint="Give the --out of an earlier run.")
        return None
    paid = pl.scan_parquet(path).filter(~pl.col("cached"), pl.col("failure").is_null(), pl.col("judge") == judge)
    wanted = (pl.len(), pl.col("completion_tokens").mean(), pl.col("latency_s").median())
    calls, written, latency_s = paid.select(*wanted).collect().row(0)
    if not calls:
        return None
    return Measured(
        calls=calls,
        prompt_ratio=1.0,
        completion_tokens=written,
        latency_s=latency_s,
        raised=_share_raised(_presences(run)),
        source=f"{calls:,} calls of {run}",
    )


def _presences(run: Path) -> list[int | None]:
    path = run / "verdicts.parquet"
    return pl.read_parquet(path, columns=["presence"])["presence"].to_list() if path.exists() else []


def _share_raised(presences: Iterable[int | None]) -> float | None:
    """Of the units whose presence is known."""
    known = [presence for presence in presences if presence is not None]
    return sum(presence > 0 for presence in known) / len(known) if known else None


def _build(counted: _Counted, settings: Settings, measured: Measured | None) -> Estimate:
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
