"""OpenRLHF's `reward_func(queries, prompts, labels)`, and the bodies of its HTTP route.

    --reward.remote_url $(python -c "import judge.rewards.openrlhf as m; print(m.__file__)")

A query is prompt and completion together, special tokens and all. A label is the right answer, or a mapping with fields
of the record. OpenRLHF asks for one sample at a time and cannot leave one out: a failure is `constant`, or `raise`s,
which ends the run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from judge.errors import JudgeError
from judge.rewards.failing import OnFailure
from judge.rewards.options import kept_rewarder
from judge.rewards.parts import numbers_of, parts_of
from judge.rewards.rewarder import Batch
from judge.rewards.rows import fields_of, row_of
from judge.rewards.text import without_prompt

__all__ = ["POLICIES", "answer", "reward_func", "rows_of_query"]

POLICIES: Final[tuple[OnFailure, ...]] = ("constant", "raise")
_LOG = logging.getLogger("judge.rewards")


def rows_of_query(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[object]) -> list[dict[str, Any]]:
    """Rows in the shape of an input line, in the order of the queries.

    Args:
        queries: Prompt and completion together.
        prompts: What each query begins with.
        labels: The right answer of each, or a mapping, also as JSON text, with fields of the record.
    """
    return [
        row_of(prompt, without_prompt(query, prompt), fields_of(label))
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]


def answer(batch: Batch) -> dict[str, Any]:
    """What OpenRLHF reads: rewards to learn from, scores in [0, 1] to filter groups by, and numbers to log.

    Raises:
        RewardError: A reward is null.
    """
    numbers, parts = numbers_of(batch), parts_of(batch)
    logs = {name: [each[name] for each in parts] for name in parts[0]} if parts else {}
    return {"rewards": numbers, "scores": [min(1.0, max(0.0, number)) for number in numbers], "extra_logs": logs}


def reward_func(
    queries: Sequence[str],
    prompts: Sequence[str],
    labels: Sequence[object],
    **_: object,
) -> dict[str, Any]:
    """Reward completions by the file that `JUDGE_REWARD` names; see `rows_of_query` and `answer`.

    Raises:
        RewardError, ConfigError: OpenRLHF passes over it and ends later, without a word of why; so it is logged here.
    """
    try:
        rewarder = kept_rewarder({}, policies=POLICIES)
        return answer(rewarder.rewards(rows_of_query(queries, prompts, labels)))
    except JudgeError as exc:
        _LOG.error("no reward: %s", exc)
        raise
