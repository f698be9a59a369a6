"""slime's `rm(args, sample)` and, for whole groups, `rm(args, samples)`; and the bodies of its `remote_rm`.

    --custom-rm-path judge.rewards.slime.rm [--group-rm] [--reward-key reward]

A sample has a prompt (text or messages), a response, a label (the right answer, or a mapping with fields of the record)
and metadata (further fields). A failed sample of a group gets the mean of the others; one that comes alone, `constant`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from judge.rewards.failing import OnFailure
from judge.rewards.options import kept_rewarder
from judge.rewards.parts import numbers_of, parts_of
from judge.rewards.rewarder import Batch
from judge.rewards.rows import fields_of, row_of

__all__ = ["GROUP_POLICIES", "POLICIES", "answer", "rm", "rows"]

POLICIES: Final[tuple[OnFailure, ...]] = ("constant", "raise")
GROUP_POLICIES: Final[tuple[OnFailure, ...]] = ("group_mean", *POLICIES)
_SENT: Final = ("prompt", "response", "label", "metadata")


def rows(bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the shape of an input line.

    Args:
        bodies: `prompt`, `response`, `label` of each sample, as `remote_rm` posts them; `metadata` where there is any.
    """
    return [
        row_of(body.get("prompt"), body.get("response"), fields_of(body.get("label"), body.get("metadata")))
        for body in bodies
    ]


def answer(batch: Batch, *, reward_key: str | None = None) -> list[float] | list[dict[str, float]]:
    """A number for each sample; with `--reward-key`, a mapping that has it under that name, and its parts.

    Raises:
        RewardError: A reward is null.
    """
    numbers = numbers_of(batch)
    if reward_key is None:
        return numbers
    return [{**parts, reward_key: number} for number, parts in zip(numbers, parts_of(batch), strict=True)]


async def rm(args: Any, samples: Any, **_: object) -> Any:
    """Reward a sample, or a list of them, by the file that `JUDGE_REWARD` names.

    Args:
        args: Of slime; `reward_key` is read.
        samples: slime's `Sample`, or a group of them.

    Raises:
        RewardError, ConfigError: There is no reward; slime ends the rollout.
    """
    together = isinstance(samples, Sequence)
    rewarder = kept_rewarder({}, policies=GROUP_POLICIES if together else POLICIES)
    group = samples if together else [samples]
    bodies = [{name: getattr(sample, name, None) for name in _SENT} for sample in group]
    batch = await rewarder.arewards(rows(bodies), [getattr(sample, "group_index", None) for sample in group])
    answers = answer(batch, reward_key=getattr(args, "reward_key", None))
    return answers if together else answers[0]
