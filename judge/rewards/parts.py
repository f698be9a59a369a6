"""A Batch -> numbers for trainers that can leave no sample out, and what each of them is made of.

{"part/perception": 0.5, "part/knowledge": 0.25, …, "part/settled": 0.0, "failed": 0.0, "gated": 0.0}

The parts add up to the reward. A failure has nothing but `part/settled`: what its rule put in the place of a reward.
"""

from __future__ import annotations

import math

from judge.errors import RewardError
from judge.rewards.rewarder import Batch

__all__ = ["numbers_of", "parts_of"]


def numbers_of(batch: Batch) -> list[float]:
    """The rewards of a batch, all of them numbers.

    Raises:
        RewardError: One is null, which a trainer that has no word for it would take for 0, or break on.
    """
    numbers = [value for value in batch.values if value is not None]
    if len(numbers) < len(batch.values):
        left_out = f"{len(batch.values) - len(numbers)} of {len(batch.values)} rewards are null"
        raise RewardError(f"{left_out}, and this trainer cannot leave a sample out.", hint="Use on_failure: constant.")
    return numbers


def parts_of(batch: Batch) -> list[dict[str, float]]:
    """What each reward is made of: always numbers, and of the same names for every sample of a rewarder.

    Raises:
        RewardError: As `numbers_of`.
    """
    return [
        {
            **{f"part/{name}": added for name, added in reward.contributions.items()},
            "part/settled": number - math.fsum(reward.contributions.values()),
            "failed": float(reward.status == "failed"),
            "gated": float(reward.status == "gated"),
        }
        for reward, number in zip(batch.rewards, numbers_of(batch), strict=True)
    ]
