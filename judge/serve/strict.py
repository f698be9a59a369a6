"""A body -> one JSON value: bounded in bytes and in time, and read as strictly as an input file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from judge.serve.refusal import Refusal
from judge.strict_json import StrictJsonError, parse_json
from judge.web.body import read_body

__all__ = ["BODY_S", "StrictRoute"]

BODY_S: Final = 60.0
"""Seconds that a client may take to send a body."""
_JSON_TYPE: Final = re.compile(r"application/([\w.-]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)


class _StrictRequest(Request):
    _read: bytes | None = None

    async def body(self) -> bytes:
        if self._read is None:
            # A page of another site may send text to an address here, but not JSON, unless it is asked beforehand.
            if _JSON_TYPE.fullmatch(self.headers.get("content-type", "").strip()) is None:
                message = "The body must be JSON, and Content-Type must say so."
                hint = "Content-Type: application/json"
                raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", message, hint=hint)
            self._read = await self._bounded()
        return self._read

    async def _bounded(self) -> bytes:
        try:
            async with asyncio.timeout(BODY_S):
                return await read_body(self, most=self.app.state.most_bytes)
        except TimeoutError as exc:
            message = f"The body did not come within {BODY_S:g} s."
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "body_too_slow", message) from exc

    async def json(self) -> Any:
        try:
            value = parse_json(await self.body())
            orjson.dumps(value)  # refuses what is nested more than 254 deep, and so could not be answered with
        except StrictJsonError as exc:
            raise Refusal(HTTPStatus.BAD_REQUEST, exc.code, f"The body {exc}.") from exc
        except TypeError as exc:
            message = "The body is nested too deeply; 254 levels are read."
            raise Refusal(HTTPStatus.BAD_REQUEST, "too_deep", message) from exc
        return value


class StrictRoute(APIRoute):
    """A route whose body is read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly
