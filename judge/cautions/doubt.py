"""The tables of a run -> what to doubt, the most important first."""

from __future__ import annotations

from pathlib import Path

from judge.caution import Caution, RunTables
from judge.cautions.gap import doubt_gaps
from judge.cautions.kinship import doubt_judge
from judge.cautions.sway import doubt_scores

__all__ = ["ORDER", "find_cautions"]

ORDER = (
    "self_judged",
    "same_family",
    "answered_by_other",
    "failures",
    "low_coverage",
    "low_evidence",
    "many_contentless",
    "follows_length",
    "unanswered",
    "few_records",
    "reasked",
    "all_or_none",
)
"""Every code that there is."""


def find_cautions(path: Path, judge: str) -> tuple[Caution, ...]:
    """What to doubt of a run.

    Args:
        path: Its directory, with the tables published. They are read in portions and only where needed: a run of a
            million records takes a second and a few MiB.
        judge: Who was asked, as it was named: `hosted_vllm/Qwen/Qwen3-32B`.

    Returns:
        In the order of `ORDER`; each code once at most.
    """
    tables = RunTables.scan(path)
    found = [*doubt_judge(tables, judge), *doubt_gaps(tables), *doubt_scores(tables)]
    return tuple(sorted(found, key=lambda caution: ORDER.index(caution.code)))
