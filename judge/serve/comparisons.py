"""POST /v1/compare: pairs of records -> which trace of each is better, on every axis and overall, in both orders.

A is the record called `a` in every answer. What failed is null with a reason, and never a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from judge.errors import BackendError
from judge.pairs.asking import PairOutcome
from judge.pairs.grouping import PairFailure
from judge.preference import Preference
from judge.serve.answers import Comparisons
from judge.serve.bodies import CompareBody
from judge.serve.offer import Served
from judge.serve.refusal import BEHIND, json_response, tellable
from judge.serve.service import Service
from judge.serve.strict import StrictRoute

__all__ = ["compare_routes"]

_TOLD: Final = (
    *("axis", "order_ab", "order_ba", "outcome", "reason", "reason_ba"),
    *("evidence_ab", "evidence_ab_found", "evidence_ba", "evidence_ba_found", "failure"),
)
_RECORDS: Final = ("a", "b")


def compare_routes(service: Service) -> APIRouter:
    """The route."""
    router = APIRouter(route_class=StrictRoute)

    @router.post("/v1/compare", response_model=Comparisons, summary="Say which of two records is better")
    async def compare(body: CompareBody) -> Response:
        served = service.offer.find(body.judge, body.rubric, "compares")
        with service.room.taken(len(_RECORDS) * len(body.pairs)):
            comparisons = await _compared(served, [(pair.a, pair.b) for pair in body.pairs])
        labels = served.judge.pair_settings.labels
        return json_response({"judge": labels.judge, "rubric": labels.rubric, "comparisons": comparisons})

    return router


async def _compared(
    served: Served, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    axes = [*served.judge.pair_settings.pair_way.prompt.asked]
    try:
        outcomes = await served.judge.apairs(pairs, deadline_s=served.deadline_s)
    except BackendError as exc:  # the provider is down, the budget is spent: of the batch, not of the request
        failed = {"stage": BEHIND, "error": exc.code, "message": None, "axis": None, "order": None, "record": None}
        return [_none(axes, failed) for _ in pairs]
    return [_of(one) if isinstance(one, PairOutcome) else _unread(axes, one) for one in outcomes]


def _of(outcome: PairOutcome) -> dict[str, Any]:
    pair = outcome.pair
    return {
        "record_id": pair.record_id,
        "model_a": pair.a.record.model,
        "model_b": pair.b.record.model,
        "preferences": [_row(one) for one in outcome.preferences],
        "failure": outcome.failure,
        "failures": [_failure(failed, None) for failed in outcome.failures],
    }


def _row(preference: Preference) -> dict[str, Any]:
    return {name: getattr(preference, name) for name in _TOLD}


def _none(axes: Sequence[str], failed: Mapping[str, Any]) -> dict[str, Any]:
    """Of a pair that could not be asked about, or whose records are none."""
    row: dict[str, Any] = dict.fromkeys(_TOLD) | {"failure": failed["error"]}
    nobody = dict.fromkeys(("record_id", "model_a", "model_b"))
    preferences = [row | {"axis": axis} for axis in axes]
    return {**nobody, "preferences": preferences, "failure": failed["error"], "failures": [failed]}


def _unread(axes: Sequence[str], failed: PairFailure) -> dict[str, Any]:
    return _none(axes, _failure(failed, failed.source if failed.source in _RECORDS else None))


def _failure(failed: PairFailure, record: str | None) -> dict[str, Any]:
    failure = failed.failure
    return {
        "stage": failure.stage,
        "error": failure.error,
        "message": tellable(failure),
        "axis": failure.axis,
        "order": failed.order,
        "record": record,
    }
