"""Verdicts on criteria -> a score: the sums of contract §2.

    healthbench    Σ_MET points / Σ max(0, points)           null without positive points; may be negative
    weighted       Σ_MET points / Σ max(0, points)           cut to [0, 1]
                   Σ_good |points| / Σ |points|              where no points are positive
    rar_explicit   Σ_good |points| / Σ |points|              good: the good side of the criterion holds
    rar_implicit   (s - 1) / 9                               s: one rating of all criteria, from 1 to 10
    tree           see `tree.py`

A gate whose good side does not hold makes a score 0 at most; one that is not judged leaves none.
Sources: HealthBench, arXiv 2505.08775; Rubrics as Rewards, arXiv 2507.17746.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from judge.axis import RATINGS
from judge.criterion import Scoring
from judge.verdict import Verdict

__all__ = ["as_best", "as_worst", "rating_share", "score_criteria"]


def score_criteria(judged: Sequence[Verdict], scoring: Scoring) -> float | None:
    """The score of an axis from the criteria that are judged each on its own; a tree is none of them.

    Returns:
        A number in [0, 1], below 0 with `healthbench` only; None where there is nothing to divide by.
    """
    score = _sums(judged, scoring)
    failed = any(one.gate and not one.value for one in judged)
    return min(0.0, score) if failed and score is not None else score


def rating_share(rating: float) -> float:
    """A rating as a number in [0, 1]."""
    return (rating - RATINGS[0]) / (RATINGS[-1] - RATINGS[0])


def as_worst(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """All criteria, with the bad side of those that are not judged."""
    return [one if one.judged else _turned_out(one, good=False) for one in verdicts]


def as_best(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """All criteria, with the good side of those that are not judged."""
    return [one if one.judged else _turned_out(one, good=True) for one in verdicts]


def _sums(judged: Sequence[Verdict], scoring: Scoring) -> float | None:
    positive = sum(max(0.0, _points(one)) for one in judged)
    if scoring == "rar_explicit" or (scoring == "weighted" and not positive):
        return _share_of_good(judged)
    if not positive:
        return None
    reached = sum(_points(one) * _met(one) for one in judged) / positive
    return reached if scoring == "healthbench" else min(1.0, max(0.0, reached))


def _share_of_good(judged: Sequence[Verdict]) -> float | None:
    whole = sum(one.weight for one in judged)
    return sum(one.weight * (one.value or 0.0) for one in judged) / whole if whole else None


def _met(one: Verdict) -> float:
    """1 where a criterion holds, else 0; between the two where it is a mean over the judges of a panel."""
    if one.value is None or one.value in (0.0, 1.0):
        return float(one.verdict == "MET")
    return 1.0 - one.value if one.polarity == "negative" else one.value


def _points(one: Verdict) -> float:
    return one.points or 0.0


def _turned_out(one: Verdict, *, good: bool) -> Verdict:
    """As the sums see it: what is good for them is to hold where points are gained, and not where they are lost."""
    met = good == (_points(one) > 0)
    return replace(one, verdict="MET" if met else "UNMET", value=float(good), failure=None)
