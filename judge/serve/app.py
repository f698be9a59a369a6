"""A service -> the application that answers for it: FastAPI behind `Front`."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from judge.errors import RewardError
from judge.serve.answers import Error
from judge.serve.comparisons import compare_routes
from judge.serve.front import Front
from judge.serve.refusal import as_refusal
from judge.serve.rewards import reward_routes
from judge.serve.scores import score_routes
from judge.serve.service import Service
from judge.serve.state import state_routes
from judge.settings import package_version

__all__ = ["build_app", "build_routes"]

_LOG: Final = logging.getLogger("judge.serve")
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Error, "description": "The body is not JSON, or the request is not HTTP."},
    401: {"model": Error, "description": "The token is missing or wrong."},
    404: {"model": Error, "description": "There is no such address, rubric or judge."},
    408: {"model": Error, "description": "The body came too slowly."},
    413: {"model": Error, "description": "The body is too large, or has too many records."},
    415: {"model": Error, "description": "The body is not said to be JSON."},
    421: {"model": Error, "description": "Host is not a name of the service."},
    422: {"model": Error, "description": "The body is not of the form asked for."},
    424: {"model": Error, "description": "Judgements failed, and the reward's rule allows no reward then."},
    429: {"model": Error, "description": "The queue is full; Retry-After says when to come back."},
    503: {"model": Error, "description": "The service is ending."},
}


def build_app(service: Service, *, hosts: Collection[str], token: str | None, most_bytes: int) -> Front:
    """All of it, as a server takes it.

    Args:
        service: What is offered.
        hosts: Names that it goes by, without a port; `*` for any.
        token: What clients have to know; None for nothing.
        most_bytes: Of a body.
    """
    app = build_routes(service)
    app.state.most_bytes = most_bytes
    secret = None if token is None else token.encode()
    return Front(app, door=service.door, hosts=hosts, token=secret, metrics=service.metrics)


def build_routes(service: Service) -> FastAPI:
    """The routes and their schema, without what guards them."""
    app = FastAPI(
        title="judge",
        version=package_version(),
        description="Scores of reasoning traces, which of two is better, and rewards for trainers.",
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses=_ERRORS,
    )
    for routes in (score_routes, compare_routes, reward_routes, state_routes):
        app.include_router(routes(service))
    for kind in (HTTPException, RequestValidationError, RewardError, Exception):
        app.add_exception_handler(kind, _refused)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, RewardError):
        _LOG.warning("%s", error)
    return as_refusal(error).response()
