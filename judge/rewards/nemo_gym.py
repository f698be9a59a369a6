"""Bodies of NeMo-Gym's `/verify` -> rows, and a Batch -> the bodies that it reads.

{"responses_create_params": {"input": [{"role": "user", "content": "Which lobe?"}]},
"response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "The right lower."}]}]},
"expected_answer": "The right lower lobe", "units": {"perception": [{"unit_id": …}]}}
-> the same, and {"reward": 0.5, "reward_components": {"part/perception": 0.5, …}, "mask_sample": false}

A failure is a reward that is masked: NeMo-RL takes its number into the mean of the group, and does not learn from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from judge.reward import Reward
from judge.rewards.failing import OnFailure
from judge.rewards.parts import numbers_of, parts_of
from judge.rewards.rewarder import Batch
from judge.rewards.rows import fields_of, row_of

__all__ = ["POLICIES", "answer", "rows"]

POLICIES: Final[tuple[OnFailure, ...]] = ("constant", "raise")
_NO_FIELDS: Final = ("responses_create_params", "response", "expected_answer", "agent_ref")
_NO_PARTS: Final = ("failed", "gated")


def rows(bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the shape of an input line.

    Args:
        bodies: Of `POST /verify`. What a line of the data set has besides its prompt are fields of the record;
            `expected_answer` is the right answer where none of them says it.
    """
    return [_row(body) for body in bodies]


def answer(bodies: Sequence[Mapping[str, Any]], batch: Batch) -> list[dict[str, Any]]:
    """The bodies with their rewards, and components that add up to them.

    Raises:
        RewardError: A reward is null.
    """
    told = zip(bodies, numbers_of(batch), parts_of(batch), batch.rewards, strict=True)
    return [
        {**body, **_rewarded(number, parts), **(_masked(body, reward) if reward.status == "failed" else {})}
        for body, number, parts, reward in told
    ]


def _rewarded(number: float, parts: Mapping[str, float]) -> dict[str, Any]:
    components = {name: value for name, value in parts.items() if name not in _NO_PARTS}
    return {"reward": number, "reward_components": components, "mask_sample": False}


def _masked(body: Mapping[str, Any], reward: Reward) -> dict[str, Any]:
    """Each version of NeMo-Gym and NeMo-RL reads another one of these."""
    instance = {**(body.get("instance_config") or {}), "mask_sample": True}
    told = reward.message or reward.why
    failed = {"_ng_failure_class": "judge_failed", "_ng_failure_judge_error": told, "failure_reason": told}
    return {"mask_sample": True, "instance_config": instance, **failed}


def _row(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in body.items() if name not in _NO_FIELDS and not name.startswith("_ng_")}
    asked = (body.get("responses_create_params") or {}).get("input")
    said = [_message(item) for item in (body.get("response") or {}).get("output") or () if isinstance(item, Mapping)]
    return row_of(asked, [message for message in said if message], fields_of(body.get("expected_answer"), fields))


def _message(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """An item of a response that the candidate wrote, as a chat message; calls of tools and their results are none."""
    if item.get("type") == "reasoning":
        return {"role": "assistant", "content": item.get("content") or item.get("summary")}
    if item.get("type") == "message" and item.get("role", "assistant") == "assistant":
        return {"role": "assistant", "content": item.get("content")}
    return None
