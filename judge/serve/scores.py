"""POST /v1/score: records -> scores, in their order. What failed is null with a reason, and never a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from msgspec.structs import asdict
from starlette.responses import Response

from judge.answer import answer_correct, extract_answer, reference_answer
from judge.errors import BackendError
from judge.outcome import Failure, Outcome
from judge.record import Record
from judge.score import TraceScore
from judge.serve.answers import Scores
from judge.serve.bodies import ScoreBody
from judge.serve.offer import Served
from judge.serve.refusal import BEHIND, json_response, tellable
from judge.serve.service import Service
from judge.serve.strict import StrictRoute

__all__ = ["score_routes"]


def score_routes(service: Service) -> APIRouter:
    """The route."""
    router = APIRouter(route_class=StrictRoute)

    @router.post("/v1/score", response_model=Scores, summary="Score records")
    async def score(body: ScoreBody) -> Response:
        served = service.offer.find(body.judge, body.rubric)
        with service.room.taken(len(body.records)):
            scores = await _scored(served, body.records, with_verdicts=body.verdicts)
        labels = served.judge.settings.labels
        return json_response({"judge": labels.judge, "rubric": labels.rubric, "scores": scores})

    return router


async def _scored(served: Served, rows: Sequence[Mapping[str, Any]], *, with_verdicts: bool) -> list[dict[str, Any]]:
    try:
        outcomes = await served.judge.aoutcomes(rows, deadline_s=served.deadline_s)
    except BackendError as exc:  # the provider is down, the budget is spent: of the batch, not of the request
        failed: dict[str, Any] = {"stage": BEHIND, "error": exc.code, "message": None, "axis": None, "unit_ids": []}
        return [_told(None, None) | {"failure": exc.code, "failures": [failed]} for _ in rows]
    return [_of(outcome, with_verdicts=with_verdicts) for outcome in outcomes]


def _of(outcome: Outcome, *, with_verdicts: bool) -> dict[str, Any]:
    told = _told(outcome.record, outcome.scores)
    told |= {"failure": outcome.failure, "failures": [_failure(failure) for failure in outcome.failures]}
    return told | {"verdicts": [asdict(verdict) for verdict in outcome.verdicts]} if with_verdicts else told


def _told(record: Record | None, scores: TraceScore | None) -> dict[str, Any]:
    return {
        **_identity(record),
        "trace_grounding": None if scores is None else scores.grounding,
        "trace_correctness": None if scores is None else scores.correctness,
        "trace_score": None if scores is None else scores.score,
        "axes": {} if scores is None else {name: asdict(axis) for name, axis in scores.axes.items()},
        "units_asked": 0 if scores is None else scores.units_asked,
        "units_judged": 0 if scores is None else scores.units_judged,
    }


def _identity(record: Record | None) -> dict[str, Any]:
    if record is None:
        return dict.fromkeys(("record_id", "record_key", "model", "answer", "answer_correct"))
    answer = extract_answer(record.trace, record.options)
    given = reference_answer(record.reference.answer, record.reference.reasoning, record.options)
    right = answer_correct(answer, given, record.options)
    about = {"record_id": record.id, "record_key": record.key, "model": record.model}
    return {**about, "answer": answer, "answer_correct": right}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "stage": failure.stage,
        "error": failure.error,
        "message": tellable(failure),
        "axis": failure.axis,
        "unit_ids": list(failure.unit_ids),
    }
