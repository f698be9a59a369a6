"""The runs of panels -> how far their judges agree, and how many units a person should look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from judge.report.runs import ReportedRun
from judge.report.section import Interval, Section, Table

__all__ = ["describe_panels"]

_WHY: Final[Mapping[str, str]] = {
    "split": "split evenly",
    "judges_differ": "judged differently",
    "samples_differ": "of samples that differ",
    "unsure": "of a probability near one half",
}


def describe_panels(runs: Sequence[ReportedRun]) -> Section | None:
    """How far the judges of each panel agree; None where no run is of one."""
    tables = [table for run in runs for table in _tables(run) if table.rows]
    found = [line for run in runs for line in _found(run)]
    if not tables:
        return None
    about = ["Judges that agree may be wrong together: only labels of people tell."]
    return Section(
        name="panel", title="Agreement inside the panel", short="Panel", about=about, tables=tables, found=found
    )


def _tables(run: ReportedRun) -> Iterator[Table]:
    told = run.story.get("agreement") or {}
    share = "share of pairs of judges that say the same"
    yield Table(
        caption=f"{run.name}: {share}, with 95 % intervals",
        head=("axis", "share", "alpha", "units", "records"),
        rows=[
            (
                one["axis"],
                Interval(value=one["agreement"], low=one["low"], high=one["high"]),
                *(one[name] for name in ("alpha", "units", "records")),
            )
            for one in told.get("axes", ())
        ],
    )
    yield Table(
        caption=f"{run.name}: every two judges, those that agree least first",
        head=("judge", "other", "share", "units"),
        rows=[tuple(one[name] for name in ("judge", "other", "agreement", "units")) for one in told.get("pairs", ())],
    )


def _found(run: ReportedRun) -> Iterator[str]:
    counts = run.story.get("doubtful")
    if isinstance(counts, Mapping) and counts:
        each = ", ".join(f"{count:,} {_WHY.get(why, why)}" for why, count in counts.items())
        yield f"{run.name}: for people to look at: {sum(counts.values()):,} units ({each})."
