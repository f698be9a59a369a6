"""Prompts and completions of TRL -> rewards: GRPO, RLOO, async GRPO, and all that calls a reward function as they do.

    from trl import GRPOTrainer
    from judge.rewards.trl import make_reward

    reward = make_reward("hosted_vllm/Qwen3-32B", api_base="http://127.0.0.1:8000/v1", rubric="pkr")
    trainer = GRPOTrainer(..., reward_funcs=reward)

`reward` and `reward_sync` are configured by the file that `JUDGE_REWARD` names, for trainers that import a function by
its name: `trl grpo --reward_funcs judge.rewards.trl.reward`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from judge import loop
from judge.client import Judge
from judge.rewards.failing import OnFailure
from judge.rewards.options import build_rewarder, kept_rewarder
from judge.rewards.rewarder import Batch, Rewarder
from judge.rewards.rows import rows_of

__all__ = ["make_reward", "make_sync_reward", "reward", "reward_sync"]

T = TypeVar("T")
POLICIES: Final[tuple[OnFailure, ...]] = ("group_mean", "none", "raise", "constant", "drop_group")
"""What can be done with a failure: all that there is, as TRL sees whole groups and skips what is None."""


def make_reward(judge: Judge | str, **options: Any) -> partial[Coroutine[Any, Any, list[float | None]]]:
    """A reward function of a judge: `async def f(prompts, completions, **columns) -> list[float | None]`.

    It is known as a coroutine function by every version of TRL, and pickles for a trainer that spawns a process: a
    function within a function would not, and an object that is called would be taken for a plain function by some.

    Args:
        judge: A judge, or its name.
        options: Of `build_rewarder`: of the judge where it is a name, of the shape of the reward, of failures.

    Raises:
        ConfigError: One is unknown or out of its range.
    """
    return _named(partial(judge_reward, build_rewarder(judge, **options)))


def make_sync_reward(judge: Judge | str, **options: Any) -> partial[list[float | None]]:
    """The same as a plain function, for trainers that await nothing: SDPO, online DPO.

    Args:
        judge: As of `make_reward`.
        options: As of `make_reward`.

    Raises:
        ConfigError: As of `make_reward`.
    """
    return _named(partial(judge_reward_sync, build_rewarder(judge, **options)))


async def reward(prompts: Any, completions: Any = None, **columns: Any) -> list[float | None]:
    """The reward that the file named by `JUDGE_REWARD` describes; see `judge_reward`."""
    return await judge_reward(kept_rewarder({}, policies=POLICIES), prompts, completions, **columns)


def reward_sync(prompts: Any, completions: Any = None, **columns: Any) -> list[float | None]:
    """The same as a plain function."""
    return judge_reward_sync(kept_rewarder({}, policies=POLICIES), prompts, completions, **columns)


async def judge_reward(
    rewarder: Rewarder, prompts: Sequence[Any], completions: Sequence[Any] | None = None, **columns: Any
) -> list[float | None]:
    """Rewards of completions, in their order.

    Args:
        rewarder: Judge, shape and failures.
        prompts: Text or messages. Where a trainer gives its completions alone and by position, as ms-swift does, these
            are the completions, and the prompts are in its column `messages`.
        completions: Text or messages.
        columns: Of the data set, a value a completion; `log_extra` and `log_metric` are called where they are given.

    Returns:
        A number for each, or None where the rule of failures says so.

    Raises:
        RewardError: Too much failed.
    """
    batch = await rewarder.arewards(_rows(prompts, completions, columns))
    _log(batch, **columns)
    return batch.values


def judge_reward_sync(
    rewarder: Rewarder, prompts: Sequence[Any], completions: Sequence[Any] | None = None, **columns: Any
) -> list[float | None]:
    """The same as a plain function."""
    return loop.run(judge_reward(rewarder, prompts, completions, **columns))


def _named(function: partial[T]) -> partial[T]:
    """Trainers log a reward under the name of its function, and a partial one has none by itself."""
    vars(function)["__name__"] = function.func.__name__
    return function


def _rows(prompts: Sequence[Any], completions: Sequence[Any] | None, columns: dict[str, Any]) -> list[dict[str, Any]]:
    if completions is None:
        prompts, completions = columns.get("messages") or [None] * len(prompts), prompts
    return rows_of(prompts, completions, columns)


def _log(batch: Batch, *, log_extra: Any = None, log_metric: Any = None, **_: Any) -> None:
    """The same names on every rank and at every step, or TRL mixes them up."""
    if log_metric is not None:
        for name, value in batch.metrics.items():
            log_metric(name, value)
    if log_extra is not None:
        for axis in batch.rewards[0].scores:
            log_extra(f"judge/{axis}", [reward.scores[axis] for reward in batch.rewards])
        log_extra("judge/why", [reward.why or reward.status for reward in batch.rewards])
