"""Rewards -> numbers for a trainer, and what a failed judgement becomes among them.

    none         null: the trainer leaves the sample out (TRL, where this is the only reward)
    raise        the step ends
    group_mean   the mean of the others of its group, so that its advantage is 0; where the whole group failed, the mean
                 of the batch, and where that did, the mean of the last ones
    constant     a number that was chosen
    drop_group   null for its whole group

A failure is never 0 by itself: that would teach that what could not be judged was bad.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal, TypeAlias, get_args

from judge.errors import ConfigError, RewardError
from judge.reward import Reward

__all__ = ["FailureRule", "Failures", "OnFailure", "by_group", "settle"]

OnFailure: TypeAlias = Literal["none", "raise", "group_mean", "constant", "drop_group"]
_LOG = logging.getLogger("judge.rewards")
_REMEMBERED: Final = 256
_ENOUGH: Final = 20
"""Samples below which a share says nothing: one failure of one is a share of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRule:
    """What a failure becomes, and how many there may be.

    Attributes:
        on_failure: See above.
        constant: The number of `constant`.
        max_failure_rate: Share of the last 256 samples (of the whole batch where that is larger), in [0, 1], above
            which a step is refused: an outage must not train.

    Raises:
        ConfigError: A value is outside its range.
    """

    on_failure: OnFailure = "group_mean"
    constant: float = 0.5
    max_failure_rate: float = 0.2

    def __post_init__(self) -> None:
        if self.on_failure not in get_args(OnFailure):
            raise ConfigError(f"on_failure is {self.on_failure!r}; it must be one of {', '.join(get_args(OnFailure))}.")
        if not math.isfinite(self.constant):
            raise ConfigError(f"constant is {self.constant!r}; it must be finite.")
        if not 0 <= self.max_failure_rate <= 1:
            raise ConfigError(f"max_failure_rate is {self.max_failure_rate!r}; it must be between 0 and 1.")


class Failures:
    """Looks back on the last samples of a process: stops a step when too many failed, and knows their mean."""

    def __init__(self, rule: FailureRule) -> None:
        self._rule = rule
        self._last: deque[bool] = deque(maxlen=_REMEMBERED)
        self._values: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def usual(self) -> float | None:
        """The mean of the last rewards; None where there was none."""
        return fmean(known) if (known := list(self._values)) else None

    def watch(self, rewards: Sequence[Reward]) -> None:
        """Count a batch.

        Raises:
            RewardError: Too many of the last samples failed.
        """
        now = [reward.status == "failed" for reward in rewards]
        if any(now):
            _LOG.warning("%d of %d judgements failed: %s", sum(now), len(now), _why(rewards))
        lately = [*self._last, *now][-max(_REMEMBERED, len(now)) :]
        self._last.extend(now)
        self._values.extend([reward.value for reward in rewards if reward.value is not None])
        failed, seen, most = sum(lately), len(lately), self._rule.max_failure_rate
        if seen >= _ENOUGH and failed > most * seen:
            self._last.clear()  # a trainer that goes on in spite of it is judged by what comes then
            share = f"{failed} of the last {seen} judgements failed, more than max_failure_rate = {most:g}"
            raise RewardError(
                f"{share}: {_why(rewards)}",
                hint="Look at the judge; training on what is left would teach from an outage.",
            )


def settle(
    rewards: Sequence[Reward], groups: Sequence[Hashable], rule: FailureRule, *, usual: float | None = None
) -> list[float | None]:
    """A number for each reward, in their order; null where the trainer is to leave the sample out.

    Args:
        rewards: Of one batch.
        groups: The group of each: completions of one prompt.
        rule: What a failure becomes.
        usual: The mean of earlier batches; None where there was none.

    Raises:
        RewardError: The rule is `raise` and one failed, or nothing yet has a mean to take.
    """
    failed = [place for place, reward in enumerate(rewards) if reward.value is None]
    values = [reward.value for reward in rewards]
    if not failed or rule.on_failure == "none":
        return values
    if rule.on_failure == "raise":
        raise RewardError(f"{len(failed)} of {len(rewards)} judgements failed: {_why(rewards)}")
    if rule.on_failure == "drop_group":
        dropped = {groups[place] for place in failed}
        return [None if group in dropped else value for group, value in zip(groups, values, strict=True)]
    if rule.on_failure == "constant":
        return [rule.constant if value is None else value for value in values]
    means = {group: fmean(its) for group, its in by_group(values, groups).items()}
    known = [value for value in values if value is not None]
    otherwise = fmean(known) if known else usual
    if otherwise is None:
        raise RewardError(f"all {len(rewards)} judgements of the first batch failed: {_why(rewards)}")
    # A group that failed as a whole gets one number, whichever: it gives no advantage.
    return [
        means.get(group, otherwise) if value is None else value for group, value in zip(groups, values, strict=True)
    ]


def by_group(values: Sequence[float | None], groups: Sequence[Hashable]) -> dict[Hashable, list[float]]:
    """What is known of each group that has anything known."""
    known: dict[Hashable, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        if value is not None:
            known.setdefault(group, []).append(value)
    return known


def _why(rewards: Sequence[Reward]) -> str:
    """The most frequent reasons, and the first of them in full."""
    failed = [reward for reward in rewards if reward.status == "failed"]
    counted = Counter(reward.why for reward in failed).most_common(3)
    told = ", ".join(f"{why} ({count})" for why, count in counted) or "earlier ones"
    return f"{told}. {next((reward.message for reward in failed if reward.message), '')}".strip()
