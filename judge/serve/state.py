"""GET /healthz: whether the service is alive. /readyz: whether it takes requests and its judges answer. /metrics."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from judge.serve.answers import State
from judge.serve.metrics import CONTENT_TYPE
from judge.serve.refusal import Refusal, json_response
from judge.serve.service import Service

__all__ = ["state_routes"]


def state_routes(service: Service) -> APIRouter:
    """The routes."""
    router = APIRouter()

    @router.get("/healthz", response_model=State, summary="Whether the service is alive")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @router.get("/readyz", response_model=State, summary="Whether its judges answer")
    async def readyz() -> Response:
        if service.door.closed:
            raise _unready("ending", "The service is ending.")
        for readiness in service.readiness.values():
            if (trouble := await readiness.trouble()) is not None:
                raise _unready("judge_not_ready", f"A judgement of our own came to nothing: {trouble}.")
        return json_response({"status": "ready"})

    @router.get("/metrics", response_class=Response, summary="Numbers for Prometheus")
    async def metrics() -> Response:
        return Response(service.metrics.written(), headers={"Content-Type": CONTENT_TYPE})

    return router


def _unready(code: str, message: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, code, message, headers={"Retry-After": "5"})
