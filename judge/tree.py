"""Verdicts on its leaves -> the score of a tree: the weighted mean of the children, up to the root (contract §2).

    leaf   1 where its good side holds, else 0
    node   Σ w·child / Σ w      over the children that have a value, w: what a child weighs among its siblings
           0                    where a gate among its children fails, whatever the others are

Several roots have one more such mean. What no judged leaf is in has no value.

Source:
    PaperBench, arXiv 2504.01848. There a leaf that could not be judged and a sum of weights of 0 score 0; here neither
    is a number. Gates and leaves that should not hold are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from judge.axis import Criteria
from judge.criterion import Criterion
from judge.verdict import Verdict

__all__ = ["good_leaves", "score_siblings", "score_tree"]


def score_tree(judged: Sequence[Verdict], axis: Criteria) -> float | None:
    """The score of an axis from the leaves that are judged.

    Returns:
        A number in [0, 1]; None where no judged leaf weighs anything.
    """
    return score_siblings(axis.criteria, axis, good_leaves(judged))


def good_leaves(judged: Sequence[Verdict]) -> dict[str, float]:
    """Id of a leaf -> 1 where its good side holds, else 0; without those that are not judged."""
    return {one.unit_id: one.value for one in judged if one.value is not None}


def score_siblings(siblings: Sequence[Criterion], axis: Criteria, good: Mapping[str, float]) -> float | None:
    """The mean of criteria side by side.

    Args:
        siblings: All children of one criterion, or the roots.
        axis: That they are of; it says what each weighs.
        good: Of `good_leaves`.
    """
    if any(one.gate and good.get(one.id) == 0 for one in siblings):
        return 0.0
    weighed = [(axis.worth(one), value) for one in siblings if (value := _value(one, axis, good)) is not None]
    whole = sum(weight for weight, _ in weighed)
    return sum(weight * value for weight, value in weighed) / whole if whole else None


def _value(criterion: Criterion, axis: Criteria, good: Mapping[str, float]) -> float | None:
    return score_siblings(criterion.children, axis, good) if criterion.children else good.get(criterion.id)
