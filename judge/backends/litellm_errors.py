"""What litellm raised -> our error, without the key that a server's words or litellm's own may repeat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from judge.backends.http_status import WRONG_KEY, refusal, shown
from judge.backends.secret import hide
from judge.backends.server import Server
from judge.errors import BackendError, FatalError, RejectedError, TransientError

__all__ = ["clean", "kinds_of", "map_error", "read_refusal", "said_by"]

_SECRET = re.compile(
    r"(bearer\s+|[?&][\w-]*(?:key|token|secret|sig)[\w-]*=|api[-_]key['\"]?\s*[:=]\s*['\"]?|://(?=[^\s/]*@))"
    r"[^\s&'\"@]+|\b(?:sk|rk|gsk|xai|hf|pplx)[-_][\w*.-]{6,}|\bAIza[\w*-]{6,}",
    re.IGNORECASE,
)


def map_error(error: BaseException | None, server: Server, *, images: bool = False) -> BackendError:
    """Our error for litellm's, by the HTTP status: its own classes are in part guessed from words in the body."""
    status, headers, body = read_refusal(error)
    text = shown(clean(said_by(error)), server)
    if "ContextWindowExceededError" in kinds_of([error]):
        return RejectedError(f"{server.api_base}: {text}", code="context_limit", hint="The record is too long.")
    if status is None or (status == 400 and "AuthenticationError" in kinds_of([error])):
        return _unanswered(error, f"{server.api_base}: {text}", server)
    return refusal(status, headers, clean(body.decode("utf-8", "replace")).encode(), server, images=images)


def _unanswered(error: BaseException | None, message: str, server: Server) -> BackendError:
    """Litellm sent nothing, or nothing came back, or 200 with something that is no reply."""
    causes = list(_chain(error))
    kinds, last = kinds_of(causes), type(causes[-1]).__name__
    if "ImportError" in kinds:
        return FatalError(message, code="dependency", hint="Install what this provider needs.")
    if "Unmapped LLM provider" in message:
        return FatalError(message, code="provider", hint="litellm offers no chat completions there.")
    if kinds & {"AuthenticationError", "PermissionDeniedError"} or re.search("api_key|credentials", message):
        return FatalError(message, code="auth", hint=WRONG_KEY)
    if "NotFoundError" in kinds:
        return FatalError(message, code="model_not_found", hint=f"Does the provider serve {server.model!r}?")
    if "RateLimitError" in kinds:
        return TransientError(message, code="rate_limit", throttled=True)
    if "BadRequestError" in kinds and not any(type(cause) is Exception for cause in causes):
        return RejectedError(message, code="http_400")
    return _transport_error(kinds, last, server.api_base)


def _transport_error(kinds: set[str], cause: str, where: str) -> TransientError:
    if kinds & {"ConnectError", "ClientConnectorError", "ConnectionRefusedError"}:
        return TransientError(f"cannot reach {where} ({cause}).", code="unreachable", hint="Is the server running?")
    if kinds & {"TransportError", "ClientError", "OSError"}:
        return TransientError(f"{where}: the connection broke ({cause}).", code="connection")
    return TransientError(f"{where}: the reply is not a chat completion ({cause}).", code="bad_response")


def read_refusal(error: BaseException | None) -> tuple[int | None, dict[str, str], bytes]:
    """Status, headers and body of a refusal; no status where there was none over HTTP."""
    for cause in _chain(error):
        if type(cause).__name__ == "HTTPStatusError":
            response = cause.response  # type: ignore[attr-defined]
            return (
                response.status_code,
                {key.lower(): value for key, value in response.headers.items()},
                response.content,
            )
    return None, {}, b""


def said_by(error: BaseException | None) -> str:
    """What was said against the request, by the server or by litellm; not cleaned."""
    status, _, body = read_refusal(error)
    return str(error) if status is None else body.decode("utf-8", "replace")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def kinds_of(errors: Iterable[BaseException | None]) -> set[str]:
    """Names, and not classes: those of httpx, aiohttp and openai are litellm's business."""
    return {kind.__name__ for error in errors for kind in type(error).__mro__}


def clean(text: str) -> str:
    """Without what may be a key: the secrets that we know, and what looks like one."""
    return _SECRET.sub(r"\1***", hide(text))
