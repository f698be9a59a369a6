"""A batch of Rewards -> metrics, and warnings where something is odd: a policy that games its judge shows here first.

zero_variance   share of the groups whose rewards are all the same: they teach nothing
contentless     share of the completions that say nothing
identical       share of the completions that another one of their group is equal to
jump            how far the mean is from that of the last batches, in their standard deviations
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Hashable, Sequence
from statistics import fmean, pstdev
from typing import Final

from judge.content import has_content
from judge.reward import Reward
from judge.rewards.failing import by_group

__all__ = ["Tripwires"]

_LOG = logging.getLogger("judge.rewards")
_SAME: Final = 1e-6
_REMEMBERED: Final = 20
_ENOUGH: Final = 5
_LEAST_DEVIATION: Final = 0.01
_TOGETHER: Final = 64
"""Completions that come one at a time are looked at when so many have come: one alone says nothing."""
_LIMITS: Final = {"zero_variance": 0.5, "contentless": 0.1, "identical": 0.5, "jump": 4.0}
_SAID: Final = {
    "zero_variance": "{:.0%} of the groups have the same reward throughout, and teach nothing",
    "contentless": "{:.0%} of the completions say nothing",
    "identical": "{:.0%} of the completions are equal to another one of their group",
    "jump": "the mean reward is {:+.1f} standard deviations from that of the last batches",
}


class Tripwires:
    """Looks at batches as they come; what it remembers of earlier ones is of this process."""

    def __init__(self) -> None:
        self._means: deque[float] = deque(maxlen=_REMEMBERED)
        self._alone: list[tuple[Reward, str, Hashable]] = []
        self._latest = dict.fromkeys(_LIMITS, 0.0)

    def look(self, rewards: Sequence[Reward], traces: Sequence[str], groups: Sequence[Hashable]) -> dict[str, float]:
        """Metrics of a batch, always the same ones; a warning in the log for each that is beyond its limit.

        Args:
            rewards: Of one batch.
            traces: The texts that were judged.
            groups: The group of each.
        """
        if len(rewards) > 1:
            return self._look(rewards, traces, groups)
        self._alone += zip(rewards, traces, groups, strict=True)
        if len(self._alone) >= _TOGETHER:
            gathered, self._alone = self._alone, []
            self._latest = self._look(*zip(*gathered, strict=True))
        return self._latest

    def _look(self, rewards: Sequence[Reward], traces: Sequence[str], groups: Sequence[Hashable]) -> dict[str, float]:
        values = [reward.value for reward in rewards if reward.value is not None]
        metrics = {
            "zero_variance": _zero_variance(rewards, groups),
            "contentless": _share([not has_content(trace) for trace in traces]),
            "identical": _identical(traces, groups),
            "jump": self._jump(values),
        }
        for name, limit in _LIMITS.items():
            if abs(metrics[name]) > limit:
                _LOG.warning("%s (judge/%s)", _SAID[name].format(metrics[name]), name)
        return metrics

    def _jump(self, values: Sequence[float]) -> float:
        if not values:
            return 0.0
        mean, before = fmean(values), list(self._means)
        self._means.append(mean)
        if len(before) < _ENOUGH:
            return 0.0
        return (mean - fmean(before)) / max(pstdev(before), _LEAST_DEVIATION)


def _zero_variance(rewards: Sequence[Reward], groups: Sequence[Hashable]) -> float:
    known = by_group([reward.value for reward in rewards], groups)
    return _share([max(values) - min(values) <= _SAME for values in known.values() if len(values) > 1])


def _identical(traces: Sequence[str], groups: Sequence[Hashable]) -> float:
    counted = Counter(zip(groups, traces, strict=True))
    return _share([counted[pair] > 1 for pair in zip(groups, traces, strict=True)])


def _share(holds: Sequence[bool]) -> float:
    return sum(holds) / len(holds) if holds else 0.0
