"""Any server that speaks `/v1/chat/completions`: vLLM, SGLang, llama.cpp, TGI, OpenAI. Straight over aiohttp.

POST {api_base}/chat/completions
{"model": "m", "messages": […], "temperature": 0, "response_format": {"type": "json_schema", …}}
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from judge.backend import Reply
from judge.errors import BackendError, ConfigError, FatalError, RejectedError, TransientError
from judge.prompt import Request
from judge.settings import SERVERS

__all__ = ["OpenAICompatible", "Server", "find_server"]

_MAX_REPLY_BYTES = 16 * 1024 * 1024
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_NO_SCHEMAS = ("response_format", "json_schema", "structured", "guided", "grammar")
_TOO_LONG = ("context length", "context_length", "context size", "max_model_len", "prompt is too long")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to ask, and as whom. The key is never shown."""

    model: str
    api_base: str
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Server(model={self.model!r}, api_base={self.api_base!r}, api_key={'***' if self.api_key else None})"


def find_server(name: str, api_base: str | None) -> Server:
    """Server of `hosted_vllm/MODEL` (any OpenAI-compatible one) or `openai/MODEL`.

    Keys come from the environment: `HOSTED_VLLM_API_KEY` or `OPENAI_API_KEY`.

    Raises:
        ConfigError: No address or no key where one is needed.
    """
    provider, _, model = name.partition("/")
    prefix = "OPENAI" if provider == "openai" else "HOSTED_VLLM"
    if api_base is None:
        raise ConfigError(f"{name} needs the address of its server.", hint="Add --api-base http://127.0.0.1:8000/v1")
    if "@" in _address(api_base).netloc:
        raise ConfigError(f"--api-base holds a name or password; put the key into {prefix}_API_KEY.")
    key = _key(f"{prefix}_API_KEY")
    if api_base == SERVERS["openai"] and not key:
        raise ConfigError(f"{name} needs a key.", hint="Set OPENAI_API_KEY, or give --api-base for another server.")
    return Server(model=model, api_base=api_base.rstrip("/"), api_key=key)


def _address(base: str) -> SplitResult:
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port above 65535, half an IPv6 address
        usable = False
    if not usable:
        raise ConfigError(f"--api-base {base!r} is not an address like http://127.0.0.1:8000/v1.")
    return parts


def _key(variable: str) -> str | None:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{variable} holds a character that no HTTP header can carry.", hint="Set it anew.")
    return key or None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _PromptDetails(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Completion(BaseModel):
    """The parts of a reply's body that we read."""

    model_config = ConfigDict(extra="ignore")

    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class OpenAICompatible:
    """Asks one server. Retries nothing itself.

    Args:
        server: Where and as whom.
        session: Owned by the caller, of the loop that calls.

    Attributes:
        notes: What had to be done differently for this server, in words for the end of a run.
    """

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session
        self._schemas = True
        self._token_limit = "max_tokens"
        self.notes: list[str] = []

    async def complete(self, request: Request) -> Reply:
        """Answer one request; what a server does not know of its form is left out from then on.

        Raises:
            TransientError, RejectedError, FatalError: By status; see `_refusal`.
        """
        attempts, sent, form = 0, None, self._body(request)
        while form != sent:
            attempts, sent = attempts + 1, form
            status, headers, body = await self._post(form)
            if status == 400:
                self._adapt(body)
                form = self._body(request)  # another call may have found it out while this one was under way
        if status != 200:
            raise _refusal(status, headers, body, self._server)
        return _read(body, self._server, attempts=attempts)

    def _body(self, request: Request) -> dict[str, JsonValue]:
        params = request.params
        limit = params.pop("max_tokens", None)
        body: dict[str, JsonValue] = {
            "model": self._server.model,
            "messages": [
                {"role": "system", "content": request.system},
                {"role": "user", "content": request.user},
            ],
            **params,
        }
        if limit is not None:
            body[self._token_limit] = limit
        if self._schemas:
            schema = orjson.loads(request.schema)
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "verdicts", "schema": schema, "strict": True},
            }
        return body

    def _adapt(self, body: bytes) -> None:
        """Choose another form of request where a refusal is about the form; it is kept for this server."""
        text = body.decode("utf-8", "replace").lower()
        if _is_too_long(text):  # vLLM names both token limits in this one
            return
        if self._token_limit == "max_tokens" and "max_completion_tokens" in text:
            self._token_limit = "max_completion_tokens"
        elif self._schemas and any(word in text for word in _NO_SCHEMAS):
            self._schemas = False
            self.notes.append(
                f"{self._server.api_base} refused response_format json_schema; asked for JSON in the text instead."
            )

    async def _post(self, body: dict[str, JsonValue]) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": "application/json"}
        if self._server.api_key:
            headers["Authorization"] = f"Bearer {self._server.api_key}"
        url = f"{self._server.api_base}/chat/completions"
        try:
            async with self._session.post(url, data=orjson.dumps(body), headers=headers) as response:
                headers_received = {key.lower(): value for key, value in response.headers.items()}
                return response.status, headers_received, await _read_bounded(response)
        except aiohttp.ClientConnectorError as exc:
            message = f"cannot reach {self._server.api_base} ({exc.os_error.strerror or exc.os_error})."
            raise TransientError(message, code="unreachable", hint="Is the server running?") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise TransientError(f"{url}: the connection broke ({type(exc).__name__}).", code="connection") from exc


def open_session(server: Server) -> aiohttp.ClientSession:
    """A client session for this server, to be closed by the caller in the same loop."""
    # No timeout of aiohttp's own: a wall-clock deadline stands around every attempt. No limit of connections: the
    # limit of calls is the limit. A proxy of the environment is not for servers on this machine.
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        trust_env=urlsplit(server.api_base).hostname not in _LOOPBACK,
        auto_decompress=True,
    )


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > _MAX_REPLY_BYTES:
            raise TransientError(f"the server sent more than {_MAX_REPLY_BYTES >> 20} MiB.", code="bad_response")
    return bytes(received)


def _read(body: bytes, server: Server, *, attempts: int) -> Reply:
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as exc:
        found = _shown(body.decode("utf-8", "replace"), server)[:80]
        raise TransientError(f"the server's reply is not a chat completion: {found!r}.", code="bad_response") from exc
    choice, usage = completion.choices[0], completion.usage or _Usage()
    return Reply(
        text=choice.message.content or "",
        model=completion.model,
        finish_reason="refusal" if choice.message.refusal else choice.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None,
        attempts=attempts,
    )


def _refusal(status: int, headers: dict[str, str], body: bytes, server: Server) -> BackendError:
    """The error of a status: 429, 408, 409 and 5xx are worth another try, a bad key or model ends the run."""
    text = _shown(_error_text(body), server)
    message = f"{server.api_base} answered {status}: {text}"
    if status in (401, 403):
        return FatalError(message, code="auth", hint="Is the right API key in the environment?")
    if status == 404:
        return FatalError(message, code="model_not_found", hint=f"Does the server serve {server.model!r}?")
    if status == 429 and "insufficient_quota" in text:
        return FatalError(message, code="quota", hint="The quota is used up.")
    if status in (408, 409, 425, 429) or status >= 500:
        wait_s = _retry_after_s(headers)
        code = "rate_limit" if status == 429 else f"http_{status}"
        message += f" (wait {wait_s:.6g} s)" if wait_s else ""
        return TransientError(message, code=code, retry_after_s=wait_s, throttled=status == 429)
    if _is_too_long(text.lower()):
        return RejectedError(message, code="context_limit", hint="The record is too long for this judge.")
    return RejectedError(message, code=f"http_{status}")


def _error_text(body: bytes) -> str:
    try:
        error = orjson.loads(body)["error"]
        text = error if isinstance(error, str) else f"{error.get('code') or ''} {error['message']}".strip()
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        text = body.decode("utf-8", "replace")
    return text


def _is_too_long(text: str) -> bool:
    return any(words in text for words in _TOO_LONG)


def _shown(text: str, server: Server) -> str:
    """A server's words on one line, fit for a terminal, without the key that some of them repeat."""
    if server.api_key:
        text = text.replace(server.api_key, "***")
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))[:300]


def _retry_after_s(headers: dict[str, str]) -> float | None:
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
