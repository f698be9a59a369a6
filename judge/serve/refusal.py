"""What is wrong -> the answer to it: {"error": {"code": "queue_full", "message": "…", "hint": "…"}}.

No answer tells a path, a key, an address behind us or a line of our code.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from judge.errors import RewardError
from judge.fault import shown
from judge.outcome import Failure

__all__ = ["BEHIND", "JSON", "Refusal", "as_refusal", "error_body", "json_response", "tellable"]

JSON: Final = "application/json"
BEHIND: Final = "ask"
"""The stage whose messages tell of the judge's server, and so are not told."""
_CODES: Final = {
    HTTPStatus.NOT_FOUND: ("not_found", "There is no such address.", "GET /openapi.json lists those that there are."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This address does not know the method.", "See Allow."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("body_too_large", "The body", "Send fewer records at a time."),
}


class Refusal(HTTPException):
    """A request that is not answered as it was meant.

    Args:
        status: Of HTTP.
        code: A short stable word.
        message: What was wrong, and what is allowed.
        hint: What to do next.
        headers: Further ones of the answer.
    """

    def __init__(
        self, status: HTTPStatus, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code
        self.message = message
        self.hint = hint

    def response(self) -> Response:
        """The answer."""
        body = error_body(self.code, self.message, self.hint)
        return Response(body, self.status_code, headers=dict(self.headers or {}), media_type=JSON)


def error_body(code: str, message: str, hint: str = "") -> bytes:
    """The JSON of an error."""
    return orjson.dumps({"error": {"code": code, "message": message, "hint": hint}})


def json_response(content: object) -> Response:
    """An answer that is as it was meant."""
    return Response(orjson.dumps(content), media_type=JSON)


def tellable(failure: Failure) -> str | None:
    """The message of a failure, where it is about what the client sent."""
    return None if failure.stage == BEHIND else failure.message


def as_refusal(error: Exception) -> Refusal:
    """Of an exception that a request may end with; of any other nothing is told but that it was one."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, RewardError):
        # What it says in full may tell of the judge's server.
        message = "Judgements failed, and the rule of this reward allows no reward then."
        hint = "Look at the judge, the records and the service's log, and send it again."
        return Refusal(HTTPStatus.FAILED_DEPENDENCY, error.code, message, hint=hint)
    if isinstance(error, HTTPException):
        return _of_http(error)
    message = "Something went wrong here, and not with the request."
    hint = "The service's log has the request's id, which is in X-Request-Id."
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message, hint=hint)


def _of_http(error: HTTPException) -> Refusal:
    status = HTTPStatus(error.status_code)
    code, message, hint = _CODES.get(status, (status.phrase.lower().replace(" ", "_"), str(error.detail), ""))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        message = f"{message} {error.detail}"
    return Refusal(status, code, message, hint=hint, headers=error.headers)


def _invalid(error: RequestValidationError) -> Refusal:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    found = "" if first["type"] == "missing" else f" It is {shown(first.get('input'))}."
    message = f"{place}: {first['msg'].removeprefix('Value error, ')}.{found}"
    hint = "GET /openapi.json has the schema and an example."
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_body", message, hint=hint)
