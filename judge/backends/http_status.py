"""What a server refused with -> our error: by status, and by its words only where a status says too little."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson

from judge.backends.secret import hide
from judge.backends.server import Server
from judge.errors import BackendError, FatalError, RejectedError, TransientError

__all__ = ["WRONG_KEY", "is_too_long", "refusal", "shown"]

WRONG_KEY = "Is the right API key in the environment, or in --key-file?"
_TOO_LONG = ("context length", "context_length", "context size", "max_model_len", "prompt is too long")
_TOO_LARGE = "request too large"

_BLIND = re.compile(  # vLLM, OpenAI, llama.cpp and gateways in front of them; not "at most 4 images"
    r"not a multimodal|mmproj|image\w*\W+(?:\w+\W+){0,3}(?:not|only|un)\W*supported"
    r"|(?:not|n't) (?:support|accept)\w* (?:\w+ ){0,3}(?:image|vision|multimodal)|support (?:image|vision) input",
    re.IGNORECASE,
)


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, server: Server, *, images: bool = False
) -> BackendError:
    """The error of a status: 429, 408, 409 and 5xx are worth another try, a bad key or model ends the run.

    With `images`, the request had some, so that a model that cannot see them may be saying so.
    """
    text = shown(_error_text(body), server)
    message = f"{server.api_base} answered {status}: {text}"
    if images and _BLIND.search(text) and "format" not in text:  # a format that it does not read is another matter
        return FatalError(message, code="blind", hint="Use a judge that sees images, or remove them from the records.")
    if 300 <= status < 400:
        hint = "Give the address that it answers at: --api-base."
        return FatalError(f"{message} (redirects are not followed)", code="redirect", hint=hint)
    if status in (401, 403):
        return FatalError(message, code="auth", hint=WRONG_KEY)
    if status == 404:
        return FatalError(message, code="model_not_found", hint=f"Does the server serve {server.model!r}?")
    if status == 402 or (status == 429 and "insufficient_quota" in text):
        return FatalError(message, code="quota", hint="The quota or the credit is used up.")
    if status == 429 and _TOO_LARGE in text.lower():  # alone, it is more than a minute's tokens
        hint = "The record needs more tokens than the server lets through in a minute."
        return RejectedError(message, code="context_limit", hint=hint)
    if status in (408, 409, 425, 429) or status >= 500:
        wait_s = _retry_after_s(headers)
        code = "rate_limit" if status == 429 else f"http_{status}"
        message += f" (wait {wait_s:.6g} s)" if wait_s else ""
        return TransientError(message, code=code, retry_after_s=wait_s, throttled=status == 429)
    if is_too_long(text.lower()):
        return RejectedError(message, code="context_limit", hint="The record is too long for this judge.")
    return RejectedError(message, code=f"http_{status}")


def _error_text(body: bytes) -> str:
    try:
        error = orjson.loads(body)["error"]
        text = error if isinstance(error, str) else f"{error.get('code') or ''} {error['message']}".strip()
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        text = body.decode("utf-8", "replace")
    return text


def is_too_long(text: str) -> bool:
    return any(words in text for words in _TOO_LONG)


def shown(text: str, server: Server) -> str:
    """A server's words on one line, fit for a terminal, without the secrets that some of them repeat."""
    if server.api_key:  # however short
        text = text.replace(server.api_key, "***")
    text = hide(text)
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))[:300]


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, 0 or more; None where there is none that can be read."""
    if (millis := _number(headers.get("retry-after-ms"))) is not None:
        return millis / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := _number(value)) is not None:
        return seconds if value is not None else None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < math.inf else None
