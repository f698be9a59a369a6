"""Rewards of verifiers: of one rollout from 0.4 on, and of a group before.

    [env.taskset.task.rewards.judge]            # 0.4
    fn = "judge.rewards.verifiers:judge_reward"

    vf.Rubric(funcs=[judge_rewards])            # 0.1 to 0.3

From 0.4 on, a reward that raises leaves its rollout out of the loss, and so a failure does. Before, it would be 0, so a
failure gets the mean of its group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from judge.errors import RewardError
from judge.rewards.failing import OnFailure
from judge.rewards.options import kept_rewarder
from judge.rewards.parts import numbers_of, parts_of
from judge.rewards.rows import fields_of, plain, row_of

__all__ = ["GROUP_POLICIES", "POLICIES", "judge_reward", "judge_rewards"]

POLICIES: Final[tuple[OnFailure, ...]] = ("raise", "constant")
GROUP_POLICIES: Final[tuple[OnFailure, ...]] = ("group_mean", "constant")
_SHARE: Final = 0.9
"""Of the time for scoring. verifiers keeps a rollout whose time ran out, and rewards it by what was there: 0."""
# Of a task itself; its `image` is that of a container.
_NO_FIELDS: Final = {
    *("idx", "name", "description", "prompt", "system_prompt", "image", "workdir", "agent_user", "skills"),
    *("network_allow", "network_block", "artifacts", "artifact_max_bytes", "timeout", "resources"),
}


async def judge_reward(task: Any, trace: Any) -> float:
    """Reward a rollout by the file that `JUDGE_REWARD` names, and record what it is made of as metrics of the trace.

    Args:
        task: `TaskData`; what a subclass adds are fields of the record. `answer` is the right answer where it has no
            `reference`.
        trace: `Trace`; what the model said in it is judged.

    Raises:
        RewardError: There is no reward, or not in nine tenths of the time that the task gives to scoring.
        ConfigError: The file cannot be used.
    """
    rewarder = kept_rewarder({}, policies=POLICIES)
    limit = getattr(getattr(task, "timeout", None), "scoring", None)
    try:
        async with asyncio.timeout(None if limit is None else limit * _SHARE):
            batch = await rewarder.arewards([_row(task, trace)])
    except TimeoutError as exc:
        raise RewardError(f"not judged within {_SHARE:.0%} of the {limit:g} s that the task gives to scoring.") from exc
    trace.record_metrics(parts_of(batch)[0])
    return numbers_of(batch)[0]


async def judge_rewards(
    prompts: Sequence[object], completions: Sequence[object], answers: Sequence[object], infos: Sequence[object]
) -> list[float]:
    """Reward a group of rollouts by the file that `JUDGE_REWARD` names.

    Args:
        prompts: Text or messages.
        completions: Text or messages.
        answers: The right answer of each.
        infos: Mappings with further fields of the record.

    Raises:
        RewardError, ConfigError: verifiers writes it to its log and gives the whole group 0, which teaches nothing.
    """
    rows = [
        row_of(plain(prompt), plain(completion), fields_of(answer, fields_of(info)))
        for prompt, completion, answer, info in zip(prompts, completions, answers, infos, strict=True)
    ]
    batch = await kept_rewarder({}, policies=GROUP_POLICIES).arewards(rows, [0] * len(rows))
    return numbers_of(batch)


def _row(task: Any, trace: Any) -> dict[str, Any]:
    given = {name: value for name, value in plain(task).items() if name not in _NO_FIELDS and value is not None}
    return row_of(plain(task.prompt), plain(trace.assistant_messages), fields_of(given.get("answer"), given))
