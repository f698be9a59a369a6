"""What is missing in a run -> cautions: records, verdicts, quotes, content, answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import orjson
import polars as pl

from judge.caution import Caution, RunTables, percent

__all__ = ["doubt_gaps"]

_MOST_UNJUDGED = 0.02
_MOST_UNVERIFIED = 0.05
_MOST_CONTENTLESS = 0.05
_MOST_UNANSWERED = 0.10
_MOST_ASKED_AGAIN = 0.10


def doubt_gaps(tables: RunTables) -> list[Caution]:
    """What to doubt because it is not there.

    Returns:
        Of `failures`, `low_coverage`, `low_evidence`, `many_contentless`, `unanswered` and `reasked` those that hold,
        in this order.
    """
    checks = (_failures, _low_coverage, _low_evidence, _many_contentless, _unanswered, _reasked)
    return [caution for check in checks if (caution := check(tables))]


def _failures(tables: RunTables) -> Caution | None:
    why = Counter(_unreadable(tables))
    whole = tables.scores.group_by("failure").len().collect(engine="streaming")
    why.update({reason: count for reason, count in whole.iter_rows() if reason is not None})
    failed, read = why.total(), why.total() + sum(whole.filter(pl.col("failure").is_null())["len"])
    if not failed:
        return None
    # Of equally frequent reasons the first by name, whatever the order of the groups.
    reason, count = min(why.items(), key=lambda pair: (-pair[1], pair[0]))
    message = (
        f"{failed:,} of {read:,} records have no score ({percent(failed / read)}), {count:,} of them for {reason!r}: "
        "the means are of the others. failures.jsonl says why; the same command asks for them again."
    )
    return Caution(code="failures", message=message, numbers={"read": read, "failed": failed, "reasons": {**why}})


def _unreadable(tables: RunTables) -> Iterable[str]:
    """Why lines of the input are in no table."""
    with tables.failures.open("rb") as file:
        for row in map(orjson.loads, file):
            if row["stage"] == "read":
                yield row["error"]


def _low_coverage(tables: RunTables) -> Caution | None:
    missing = pl.col("failure").is_not_null()
    axes = tables.verdicts.group_by("axis").agg(pl.len().alias("asked"), missing.sum().alias("missing")).sort("axis")
    counted = axes.collect(engine="streaming")
    asked, unjudged = int(counted["asked"].sum()), int(counted["missing"].sum())
    if not asked or unjudged / asked <= _MOST_UNJUDGED:
        return None
    shares = {axis: gone / of for axis, of, gone in counted.iter_rows()}
    of_axes = ", ".join(f"{axis} {percent(share)}" for axis, share in shares.items())
    message = (
        f"{unjudged:,} of {asked:,} units have no verdict ({percent(unjudged / asked)}; {of_axes}): what is missing "
        "may not be like the rest. See the column `failure` of verdicts.parquet."
    )
    return Caution(
        code="low_coverage", message=message, numbers={"asked": asked, "missing": unjudged, "axes": {**shares}}
    )


def _low_evidence(tables: RunTables) -> Caution | None:
    looked_for = pl.col("failure").is_null() & pl.col("evidence_found").is_not_null()
    counts = tables.verdicts.filter(looked_for).group_by("evidence_found").len().collect(engine="streaming")
    found: dict[str, int] = dict(counts.iter_rows())
    quotes, near, none = sum(found.values()), found.get("near", 0), found.get("no", 0)
    if not quotes or (near + none) / quotes <= _MOST_UNVERIFIED:
        return None
    message = (
        f"Of {quotes:,} quotes, {near:,} were found only nearly and {none:,} not at all "
        f"({percent((near + none) / quotes)}): look at some of them"
        + (", or score with --evidence required." if none else ".")
    )
    return Caution(code="low_evidence", message=message, numbers={"quotes": quotes, "near": near, "not_found": none})


def _many_contentless(tables: RunTables) -> Caution | None:
    # A judge may write the same word as its reason; where it was asked, there is a call.
    said_nothing = tables.verdicts.filter(pl.col("call_id").is_null() & (pl.col("reason") == "no_content"))
    empty = _number(said_nothing, pl.col("line").n_unique())
    traces = _number(tables.scores, pl.len())
    if not traces or empty / traces <= _MOST_CONTENTLESS:
        return None
    message = (
        f"Traces that say nothing: {empty:,} of {traces:,} ({percent(empty / traces)}); they score 0. Were they cut "
        "off, or is the reasoning in another field?"
    )
    return Caution(code="many_contentless", message=message, numbers={"traces": traces, "contentless": empty})


def _unanswered(tables: RunTables) -> Caution | None:
    asked = tables.scores.filter(pl.col("answer_correct").is_not_null())
    answers, unread = _number(asked, pl.len()), _number(asked, pl.col("answer").null_count())
    if not answers or unread / answers <= _MOST_UNANSWERED:
        return None
    message = (
        f"{unread:,} of {answers:,} traces have no final answer that could be read ({percent(unread / answers)}) and "
        "count as wrong. Ask the models for <answer>X</answer>."
    )
    return Caution(code="unanswered", message=message, numbers={"answers": answers, "unread": unread})


def _reasked(tables: RunTables) -> Caution | None:
    again = ~pl.col("call_id").str.ends_with("-0")
    calls, repeats = _number(tables.calls, pl.len()), _number(tables.calls, again.sum())
    if not calls or repeats / calls <= _MOST_ASKED_AGAIN:
        return None
    lines = tables.calls.filter(again).select(pl.col("line").unique()).collect(engine="streaming")["line"]
    asked_again = pl.col("line").is_in(lines.implode()).alias("again")
    means = tables.scores.group_by(asked_again).agg(
        pl.col("trace_score").mean(), pl.col("trace_score").count().alias("n")
    )
    found = {more: (mean, n) for more, mean, n in means.collect(engine="streaming").iter_rows()}
    (first, n_first), (later, n_later) = found.get(False, (None, 0)), found.get(True, (None, 0))
    message = (
        f"{percent(repeats / calls)} of the calls were asked again, as the reply could not be used. Records "
        f"without such a call score {_shown(first)} (n = {n_first:,}), the others {_shown(later)} (n = {n_later:,})."
    )
    numbers = {"calls": calls, "reasked": repeats, "first_mean": first, "first_n": n_first}
    return Caution(code="reasked", message=message, numbers={**numbers, "reasked_mean": later, "reasked_n": n_later})


def _shown(mean: float | None) -> str:
    return "–" if mean is None else f"{mean:.2f}"


def _number(rows: pl.LazyFrame, what: pl.Expr) -> int:
    return int(rows.select(what).collect(engine="streaming").item())
