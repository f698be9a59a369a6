"""verl's `compute_score`, for one completion.

    reward.custom_reward_function.path=pkg://judge.rewards.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.judge=hosted_vllm/Qwen3-32B

verl gives no prompt: what a judge has to know beside the completion stands in the column `extra_info` of the data set,
`question` (or `prompt`, text or messages), `units`, `reference`, `options` and what else an input line has. Without
`reference`, the `ground_truth` is the right answer, or a mapping with fields of the record.

verl scores one sample at a time and cannot leave one out: a failure is `constant`, or `raise`s, which ends the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from judge.rewards.failing import OnFailure
from judge.rewards.options import kept_rewarder
from judge.rewards.parts import numbers_of, parts_of
from judge.rewards.rows import fields_of, row_of

__all__ = ["POLICIES", "compute_score"]

POLICIES: Final[tuple[OnFailure, ...]] = ("constant", "raise")


async def compute_score(
    data_source: str,  # noqa: ARG001 - verl gives it by name
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, Any] | None = None,
    reward_router_address: str | None = None,  # noqa: ARG001 - as above
    reward_model_tokenizer: object = None,  # noqa: ARG001 - as above
    **reward_kwargs: Any,
) -> dict[str, float]:
    """The reward of a completion under `score`, and numbers to log: the same names for every sample.

    Args:
        data_source: Not read.
        solution_str: The completion, without special tokens.
        ground_truth: See above.
        extra_info: See above.
        reward_router_address: Not read; a judge that verl serves is named by `api_base`.
        reward_model_tokenizer: Not read.
        reward_kwargs: As of `build_rewarder`; none for the file that `JUDGE_REWARD` names.

    Raises:
        RewardError, ConfigError: There is no reward; verl ends the run.
    """
    fields = fields_of(ground_truth, extra_info)
    row = row_of(fields.get("prompt"), solution_str, fields)
    batch = await kept_rewarder(reward_kwargs, policies=POLICIES).arewards([row])
    return {"score": numbers_of(batch)[0], **parts_of(batch)[0]}
