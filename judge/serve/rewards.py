"""Records, and the bodies of trainers -> rewards, in the shape that each of them reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Query
from starlette.responses import Response

from judge.rewards import nemo_gym, openrlhf, slime
from judge.rewards.failing import OnFailure
from judge.rewards.rewarder import Batch
from judge.serve.answers import OpenRLHFRewards, Rewards
from judge.serve.bodies import OpenRLHFBody, RewardBody, SlimeBody, VerifyBody
from judge.serve.offer import Served
from judge.serve.refusal import json_response
from judge.serve.service import Service
from judge.serve.strict import StrictRoute

__all__ = ["POLICIES", "reward_routes"]

POLICIES: Final[Mapping[str, Sequence[OnFailure]]] = {
    "/v1/reward/openrlhf": openrlhf.POLICIES,
    "/v1/reward/slime": slime.POLICIES,
    "/verify": nemo_gym.POLICIES,
}
"""What the trainers can do with a failure that cannot do everything."""
_Row: TypeAlias = dict[str, Any]
_Name: TypeAlias = Annotated[str | None, Query(description="Of those that the service was started with.")]


def reward_routes(service: Service) -> APIRouter:
    """The routes."""
    router = APIRouter(route_class=StrictRoute)

    async def rewarded(
        served: Served, rows: Sequence[_Row], route: str, groups: Sequence[str | int] | None = None
    ) -> Batch:
        with service.room.taken(len(rows)):
            batch = await served.rewarder(POLICIES.get(route, ())).arewards(rows, groups)
        service.metrics.rewarded(batch.metrics)
        return batch

    @router.post("/v1/reward", response_model=Rewards, summary="Reward records")
    async def reward(body: RewardBody) -> Response:
        served = service.offer.find(body.judge, body.rubric)
        return json_response(_told(served, await rewarded(served, body.records, "/v1/reward", body.groups)))

    @router.post("/v1/reward/openrlhf", response_model=OpenRLHFRewards, summary="Reward samples of OpenRLHF")
    async def reward_openrlhf(body: OpenRLHFBody, rubric: _Name = None, judge: _Name = None) -> Response:
        rows = openrlhf.rows_of_query(body.query, body.prompts, body.labels)
        batch = await rewarded(service.offer.find(judge, rubric), rows, "/v1/reward/openrlhf")
        return json_response(openrlhf.answer(batch))

    @router.post("/v1/reward/slime", response_model=float | dict[str, float], summary="Reward a sample of slime")
    async def reward_slime(
        body: SlimeBody, rubric: _Name = None, judge: _Name = None, reward_key: str | None = None
    ) -> Response:
        rows = slime.rows([body.model_dump(exclude_unset=True)])
        batch = await rewarded(service.offer.find(judge, rubric), rows, "/v1/reward/slime")
        return json_response(slime.answer(batch, reward_key=reward_key)[0])

    @router.post("/verify", response_model=dict[str, Any], summary="Verify a response of NeMo-Gym")
    async def verify(body: VerifyBody, rubric: _Name = None, judge: _Name = None) -> Response:
        sent = [body.model_dump(exclude_unset=True)]
        batch = await rewarded(service.offer.find(judge, rubric), nemo_gym.rows(sent), "/verify")
        return json_response(nemo_gym.answer(sent, batch)[0])

    return router


def _told(served: Served, batch: Batch) -> dict[str, Any]:
    labels = served.judge.settings.labels
    return {
        "judge": labels.judge,
        "rubric": labels.rubric,
        "rewards": batch.values,
        "statuses": [reward.status for reward in batch.rewards],
        "reasons": [reward.why for reward in batch.rewards],
        "contributions": [reward.contributions for reward in batch.rewards],
        "scores": [reward.scores for reward in batch.rewards],
        "metrics": batch.metrics,
    }
