"""What the defences cost clean traces: the same records scored with one of them and without, or what it would stop.

    evidence   a second run of the clean records with --evidence none
    gate       clean traces and true short answers that the gate takes for traces that say nothing
    joiner     clean traces that hold a control token of a chat template, and so are shown with a joiner in it

The fence and the notice in the system prompt have no switch, as a judge without them is never what is wanted: of these
nothing is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from judge.aggregate import interval
from judge.cautions.correlation import correlate_ranks
from judge.content import has_content
from judge.inert import make_inert
from judge.redteam.families.contentless import contentless_traces
from judge.redteam.measure import TRACE_SCORE
from judge.redteam.short_answers import SHORT_ANSWERS

__all__ = ["Drift", "Gate", "count_gated", "measure_drift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Scores with a defence less scores without it, on clean records.

    Attributes:
        with_it, without: Means.
        mean: Of the difference, with its 95 % interval over records.
        size: Mean of its absolute value.
        rho: Spearman's correlation of the two; None where one of them does not vary, or below four records.
        n: Records that have both.
        failed_with, failed_without: Records that failed.
    """

    defence: str
    with_it: float | None
    without: float | None
    mean: float | None
    low: float | None
    high: float | None
    size: float | None
    rho: float | None
    n: int
    failed_with: int
    failed_without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the gate stops and lets through, without a call.

    Attributes:
        contentless, contentless_passed: Traces that say nothing, and those that the gate lets through.
        short, short_gated: True short answers, and those that it stops.
        clean, clean_gated: Clean traces of the input, likewise.
        clean_joined: Clean traces that are shown with a joiner in a control token.
        clean_flagged: Clean traces that `judge.redteam.flags` sees something in.
    """

    contentless: int
    contentless_passed: int
    short: int
    short_gated: int
    clean: int
    clean_gated: int
    clean_joined: int
    clean_flagged: int


def count_gated(traces: Sequence[str], *, flagged: int = 0) -> Gate:
    """Ask the gate about all contentless traces, all short answers, and the clean traces of an input.

    Args:
        traces: The clean ones.
        flagged: Of these.
    """
    contentless = [trace for _, trace, _ in contentless_traces()]
    return Gate(
        contentless=len(contentless),
        contentless_passed=sum(map(has_content, contentless)),
        short=len(SHORT_ANSWERS),
        short_gated=sum(not has_content(answer) for answer in SHORT_ANSWERS),
        clean=len(traces),
        clean_gated=sum(not has_content(trace) for trace in traces),
        clean_joined=sum(make_inert(trace) != trace for trace in traces),
        clean_flagged=flagged,
    )


def measure_drift(with_it: pl.DataFrame, without: pl.DataFrame, *, defence: str = "evidence", seed: int = 0) -> Drift:
    """Compare the trace scores of the same lines.

    Args:
        with_it: Scores of the clean records with the defence.
        without: Those without it.
        defence: Its name.
        seed: Of the bootstrap.
    """
    both = with_it.select("line", TRACE_SCORE).join(without.select("line", other=TRACE_SCORE), on="line")
    known = both.drop_nulls().sort("line")
    apart = known[TRACE_SCORE] - known["other"]
    low, high, _ = interval(apart, seed=seed)
    ranks = correlate_ranks(known.with_columns(of=pl.lit(0)), TRACE_SCORE, "other", within=("of",))
    return Drift(
        defence=defence,
        with_it=_mean(known[TRACE_SCORE]),
        without=_mean(known["other"]),
        mean=_mean(apart),
        low=low,
        high=high,
        size=_mean(apart.abs()),
        rho=None if ranks is None else ranks.rho,
        n=len(known),
        failed_with=int(with_it["failure"].count()),
        failed_without=int(without["failure"].count()),
    )


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None
