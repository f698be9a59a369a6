"""Rewards -> numbers for a trainer, and what a failed judgement becomes among them.

    none         null: the trainer leaves the sample out (TRL, where this is the only reward)
    raise        the step ends
    group_mean   the mean of the others of its group, so that its advantage is 0
    constant     a number that was chosen
    drop_group   null for its whole group

A failure is never 0 by itself: that would teach that what could not be judged was bad.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal, TypeAlias, get_args

from judge.errors import ConfigError, RewardError
from judge.reward import Reward

__all__ = ["FailureRule", "Failures", "OnFailure", "settle"]

OnFailure: TypeAlias = Literal["none", "raise", "group_mean", "constant", "drop_group"]
_REMEMBERED: Final = 256
_ENOUGH: Final = 20
"""Samples below which a share says nothing: one failure of one is a share of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRule:
    """What a failure becomes, and how many there may be.

    Attributes:
        on_failure: See above.
        constant: The number of `constant`.
        max_failure_rate: Share of the last 256 samples, in [0, 1], above which a step is refused: an outage must not
            train.

    Raises:
        ConfigError: A value is outside its range.
    """

    on_failure: OnFailure = "group_mean"
    constant: float = 0.5
    max_failure_rate: float = 0.2

    def __post_init__(self) -> None:
        if self.on_failure not in get_args(OnFailure):
            raise ConfigError(f"on_failure is {self.on_failure!r}; it must be one of {', '.join(get_args(OnFailure))}.")
        if not 0 <= self.max_failure_rate <= 1:
            raise ConfigError(f"max_failure_rate is {self.max_failure_rate!r}; it must be between 0 and 1.")


class Failures:
    """Counts failures over the last samples of a process, and stops a step when there are too many."""

    def __init__(self, rule: FailureRule) -> None:
        self._rule = rule
        self._last: deque[bool] = deque(maxlen=_REMEMBERED)

    def watch(self, rewards: Sequence[Reward]) -> None:
        """Count a batch.

        Raises:
            RewardError: Too many of the last samples failed.
        """
        self._last.extend(reward.status == "failed" for reward in rewards)
        failed, seen, most = sum(self._last), len(self._last), self._rule.max_failure_rate
        if seen >= _ENOUGH and failed > most * seen:
            self._last.clear()  # a trainer that goes on in spite of it is judged by what comes then
            lately = f"{failed} of the last {seen} judgements failed ({_reasons(rewards)})"
            raise RewardError(
                f"{lately}, more than max_failure_rate = {most:g}.",
                hint="Look at the judge; training on what is left would teach from an outage.",
            )


def settle(rewards: Sequence[Reward], groups: Sequence[Hashable], rule: FailureRule) -> list[float | None]:
    """A number for each reward, in their order; null where the trainer is to leave the sample out.

    Args:
        rewards: Of one batch.
        groups: The group of each: completions of one prompt.
        rule: What a failure becomes.

    Raises:
        RewardError: The rule is `raise` and one failed, or nothing in the batch has a mean to take.
    """
    failed = [place for place, reward in enumerate(rewards) if reward.value is None]
    values = [reward.value for reward in rewards]
    if not failed or rule.on_failure == "none":
        return values
    if rule.on_failure == "raise":
        raise RewardError(f"{len(failed)} of {len(rewards)} judgements failed ({_reasons(rewards)}).")
    if rule.on_failure == "drop_group":
        dropped = {groups[place] for place in failed}
        return [None if group in dropped else value for group, value in zip(groups, values, strict=True)]
    means = {} if rule.on_failure == "constant" else _means(values, groups)
    return [
        (rule.constant if rule.on_failure == "constant" else _mean_of(group, means, rewards))
        if value is None
        else value
        for group, value in zip(groups, values, strict=True)
    ]


def _means(values: Sequence[float | None], groups: Sequence[Hashable]) -> dict[Hashable, float]:
    """Of each group, and of all together, of what is known."""
    known: dict[Hashable, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        if value is not None:
            known.setdefault(("group", group), []).append(value)
            known.setdefault("all", []).append(value)
    return {group: fmean(of_group) for group, of_group in known.items()}


def _mean_of(group: Hashable, means: dict[Hashable, float], rewards: Sequence[Reward]) -> float:
    """Of a group that failed as a whole, that of the batch: any number that is the same for all gives no advantage."""
    mean = means.get(("group", group), means.get("all"))
    if mean is None:
        raise RewardError(f"all {len(rewards)} judgements of the batch failed ({_reasons(rewards)}).")
    return mean


def _reasons(rewards: Sequence[Reward]) -> str:
    counted = Counter(reward.why for reward in rewards if reward.status == "failed")
    return ", ".join(f"{why}: {count}" for why, count in counted.most_common(3)) or "earlier ones"
