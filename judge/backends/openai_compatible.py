"""Any server that speaks `/v1/chat/completions`: vLLM, SGLang, llama.cpp, TGI, OpenAI. Straight over aiohttp.

POST {api_base}/chat/completions
{"model": "m", "messages": […], "temperature": 0, "response_format": {"type": "json_schema", …}}
"""

from __future__ import annotations

import logging
from typing import Annotated, TypeAlias

import aiohttp
import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from judge.backend import Reply
from judge.backends.bounds import as_count, as_object, as_text, with_whole_escapes
from judge.backends.http_status import is_too_long, refusal, shown
from judge.backends.messages import chat_messages
from judge.backends.server import Server
from judge.backends.transport import proxy_for, transport_error
from judge.errors import TransientError
from judge.price import Price
from judge.prompt import Request

__all__ = ["OpenAICompatible", "open_session"]

_log = logging.getLogger(__name__)
_MAX_REPLY_BYTES = 16 * 1024 * 1024
_NO_SCHEMAS = ("response_format", "json_schema", "structured", "guided", "grammar")


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


_Word: TypeAlias = Annotated[str | None, BeforeValidator(as_text)]
_Count: TypeAlias = Annotated[int | None, BeforeValidator(as_count)]


class _Choice(BaseModel):
    message: _Message
    finish_reason: _Word = None


class _PromptDetails(BaseModel):
    cached_tokens: _Count = None


class _Usage(BaseModel):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    prompt_tokens_details: Annotated[_PromptDetails | None, BeforeValidator(as_object)] = None


class _Completion(BaseModel):
    """The parts of a reply's body that we read."""

    model_config = ConfigDict(extra="ignore")

    model: _Word = None
    choices: list[_Choice] = Field(min_length=1)
    usage: Annotated[_Usage | None, BeforeValidator(as_object)] = None


class OpenAICompatible:
    """Asks one server. Retries nothing itself.

    Args:
        server: Where and as whom.
        session: Owned by the caller, of the loop that calls.
        price: Of its tokens; None leaves the cost of a reply unknown.

    Attributes:
        notes: What had to be done differently for this server, in words for the end of a run.
    """

    def __init__(self, server: Server, session: aiohttp.ClientSession, *, price: Price | None = None) -> None:
        self._server = server
        self._price = price
        self._session = session
        self._schemas = True
        self._token_limit = "max_tokens"
        self.notes: list[str] = []

    async def complete(self, request: Request) -> Reply:
        """Answer one request; what a server does not know of its form is left out from then on.

        Raises:
            TransientError, RejectedError, FatalError: By status; see `http_status.py`.
        """
        attempts, sent, form = 0, None, self._body(request)
        while form != sent:
            attempts, sent = attempts + 1, form
            status, headers, body = await self._post(form)
            if status == 400:
                self._adapt(body)
                form = self._body(request)  # another call may have found it out while this one was under way
        if status != 200:
            raise refusal(status, headers, body, self._server, images=bool(request.images))
        return _read(body, self._server, self._price, attempts=attempts)

    def _body(self, request: Request) -> dict[str, JsonValue]:
        params = request.params
        limit = params.pop("max_tokens", None)
        body: dict[str, JsonValue] = {
            "model": self._server.model,
            "messages": chat_messages(request),  # type: ignore[dict-item]  # a list of objects is a JsonValue
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
        if is_too_long(text):  # vLLM names both token limits in this one
            return
        if self._token_limit == "max_tokens" and "max_completion_tokens" in text:
            self._token_limit = "max_completion_tokens"
        elif self._schemas and any(word in text for word in _NO_SCHEMAS):
            self._schemas = False
            self.notes.append(
                f"{self._server.api_base} refused response_format json_schema; asked for JSON in the text instead."
            )
        _log.info("a request was refused: schemas %s, token limit as %s", self._schemas, self._token_limit)

    async def _post(self, body: dict[str, JsonValue]) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": "application/json", **self._server.sent_headers}
        url = f"{self._server.api_base}/chat/completions"
        try:
            # A redirect is not followed: it would take the prompt, and headers with secrets, to somebody else.
            sending = self._session.post(url, data=orjson.dumps(body), headers=headers, allow_redirects=False)
            async with sending as response:
                headers_received = {key.lower(): value for key, value in response.headers.items()}
                return response.status, headers_received, await _read_bounded(response)
        except (aiohttp.ClientError, OSError) as exc:
            raise transport_error(exc, self._server.api_base) from exc


def open_session(server: Server) -> aiohttp.ClientSession:
    """A client session for this server, to be closed by the caller in the same loop."""
    # No timeout of aiohttp's own: a wall-clock deadline stands around every attempt. No limit of connections: the
    # limit of calls is the limit.
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        proxy=proxy_for(server.api_base),
        auto_decompress=True,
    )


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > _MAX_REPLY_BYTES:
            raise TransientError(f"the server sent more than {_MAX_REPLY_BYTES >> 20} MiB.", code="bad_response")
    return bytes(received)


def _read(body: bytes, server: Server, price: Price | None, *, attempts: int) -> Reply:
    try:
        completion = _Completion.model_validate_json(with_whole_escapes(body))
    except ValidationError as exc:
        found = shown(body.decode("utf-8", "replace"), server)[:80]
        raise TransientError(f"the server's reply is not a chat completion: {found!r}.", code="bad_response") from exc
    choice, usage = completion.choices[0], completion.usage or _Usage()
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    return Reply(
        text=as_text(choice.message.content) or "",
        model=completion.model or None,
        finish_reason="refusal" if choice.message.refusal else choice.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=cached,
        cost_usd=price.cost_usd(usage.prompt_tokens, usage.completion_tokens, cached) if price else None,
        attempts=attempts,
    )
