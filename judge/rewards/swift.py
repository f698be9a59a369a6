"""ms-swift's reward class, in the form of its `AsyncORM`.

    # plugin.py, for --external_plugins plugin.py --reward_funcs judge
    from judge.rewards.swift import JudgeORM
    from swift.rewards import orms
    orms["judge"] = JudgeORM

ms-swift makes an object of a class, calls it in a new event loop each step, and takes null for 0: a failure gets the
mean of its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from judge.rewards.failing import OnFailure
from judge.rewards.options import kept_rewarder
from judge.rewards.parts import numbers_of
from judge.rewards.rows import rows_of

__all__ = ["POLICIES", "JudgeORM"]

POLICIES: Final[tuple[OnFailure, ...]] = ("group_mean", "constant", "raise")
# Of ms-swift itself, of each completion: they differ between equal ones.
_NO_COLUMNS: Final = {
    *("request_id", "prompt_id", "finish_reason", "is_truncated", "rollout_infos", "response_token_ids"),
    "trajectory_inputs",
}


class JudgeORM:
    """Rewards by the file that `JUDGE_REWARD` names.

    Args:
        args: Of ms-swift; not read.
    """

    def __init__(self, args: object = None, **_: object) -> None:
        self.args = args

    async def __call__(
        self,
        completions: Sequence[str],
        messages: Sequence[Sequence[Any]] | None = None,
        prompt_id: Sequence[str] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Reward the completions of one batch.

        Args:
            completions: Texts.
            messages: The conversation of each, the completion at its end.
            prompt_id: The group of each; by their question where there is none.
            columns: Columns of the data set, under the names that an input line has.

        Raises:
            RewardError, ConfigError: There are no rewards; ms-swift ends.
        """
        prompts = [None] * len(completions) if messages is None else [conversation[:-1] for conversation in messages]
        given = {name: values for name, values in columns.items() if name not in _NO_COLUMNS}
        rows = rows_of(prompts, completions, given)
        return numbers_of(await kept_rewarder({}, policies=POLICIES).arewards(rows, prompt_id))
