"""Replies of a judge, asked for now or in an earlier run -> Measured: what one is like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import polars as pl

from judge.asking import first_asks
from judge.connect import connect
from judge.content import has_content
from judge.errors import InputError
from judge.prompt import Request
from judge.record import Record
from judge.settings import Settings

__all__ = ["Measured", "asks_of", "learn", "try_out"]


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


def asks_of(record: Record, settings: Settings, *, sighted: bool = True) -> list[Request]:
    """The first asks of a record; none where its trace says nothing."""
    requests = first_asks(record, settings.way, sees_images=sighted)
    return requests if has_content(record.trace) else []


async def try_out(settings: Settings, sample: list[Record]) -> Measured | None:
    """Ask for some records now; None where no reply came."""
    guessed: dict[str, float] = {}
    outcomes = []
    async with connect(settings) as connection:
        for record in sample:
            guessed |= {request.call_id: request.guessed_tokens for request in asks_of(record, settings)}
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


def learn(run: Path, judge: str, *, required: bool) -> Measured | None:
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
