"""Any server that speaks `/v1/chat/completions`: vLLM, SGLang, llama.cpp, TGI, OpenAI. Straight over aiohttp.

POST {api_base}/chat/completions
{"model": "m", "messages": […], "temperature": 0, "response_format": {"type": "json_schema", …}}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

import aiohttp
import msgspec
import orjson
from yarl import URL

from judge.backend import Reply
from judge.backends.bounds import as_count, as_object, as_text, with_whole_escapes
from judge.backends.http_status import is_too_long, refusal, shown
from judge.backends.logprobs import ProbeForm, no_logprobs, with_probabilities, without_limits
from judge.backends.messages import chat_messages
from judge.backends.secret import hider
from judge.backends.server import Server
from judge.backends.transport import proxy_for, transport_error
from judge.errors import BackendError, TransientError
from judge.price import Price
from judge.prompt import Request

__all__ = ["OpenAICompatible", "open_session"]

_log = logging.getLogger(__name__)
_MAX_REPLY_BYTES = 16 * 1024 * 1024
_NO_SCHEMAS = ("response_format", "json_schema", "structured", "guided", "grammar")


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: Any = None
    logprobs: Any = None


class _Completion(msgspec.Struct):
    """The parts of a reply's body that we read; `Any` where a wrong value says nothing and spoils nothing."""

    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    model: Any = None
    usage: Any = None


_DECODER = msgspec.json.Decoder(_Completion)


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
        self._url = URL(f"{server.api_base}/chat/completions")
        self._headers = {"Content-Type": "application/json", **server.sent_headers}
        self._hide = hider()
        self._price = price
        self._session = session
        self._schemas = True
        self._token_limit = "max_tokens"
        self._probing = ProbeForm(choices=server.choices)
        self.notes: list[str] = []

    async def complete(self, request: Request) -> Reply:
        """Answer one request; what a server does not know of its form is left out from then on.

        Raises:
            TransientError, RejectedError, FatalError: By status; see `http_status.py`.
        """
        attempts, sent, form = 0, b"", self.body(request)
        while form != sent:
            attempts, sent = attempts + 1, form
            status, headers, body = await self._post(form)
            if status == 400:
                self._adapt(request, orjson.loads(sent), body)
                form = self.body(request)  # another call may have found it out while this one was under way
        if status != 200:
            raise self._refused_probe(request, status, body) or refusal(
                status, headers, body, self._server, images=bool(request.images)
            )
        completion = self._decode(body)
        reply = self._read(completion, attempts)
        if request.labels:
            return with_probabilities(reply, completion.choices[0].logprobs, request.labels, self._who)
        return reply

    def body(self, request: Request) -> bytes:
        """What is sent, in the form that this server has shown to know."""
        params = without_limits(request.params) | {"max_tokens": 1} if request.labels else request.params
        limit = params.pop("max_tokens", None)
        body: dict[str, object] = {"model": self._server.model, "messages": chat_messages(request), **params}
        if limit is not None:
            body[self._token_limit] = limit
        if request.labels:
            body |= self._probing.fields(request.labels)
        elif self._schemas and not request.plain:
            body["response_format"] = _response_format(request.schema)
        return orjson.dumps(body)

    def _adapt(self, request: Request, sent: Mapping[str, Any], body: bytes) -> None:
        """Choose another form of request where a refusal is about the form; it is kept for this server."""
        text = body.decode("utf-8", "replace").lower()
        if is_too_long(text):  # vLLM names both token limits in this one
            return
        if self._token_limit == "max_tokens" and "max_completion_tokens" in text:
            self._token_limit = "max_completion_tokens"
        elif request.labels:
            if note := self._probing.adapt(text, sent):
                self.notes.append(f"{self._server.api_base} {note}")
        elif self._schemas and any(word in text for word in _NO_SCHEMAS):
            self._schemas = False
            self.notes.append(
                f"{self._server.api_base} refused response_format json_schema; asked for JSON in the text instead."
            )
        _log.info("a request was refused: schemas %s, token limit as %s", self._schemas, self._token_limit)

    @property
    def _who(self) -> str:
        return f"{self._server.api_base} ({self._server.model})"

    def _refused_probe(self, request: Request, status: int, body: bytes) -> BackendError | None:
        """The error of a server, or of a model, that gives no logprobs and says so."""
        text = body.decode("utf-8", "replace")
        if not request.labels or status not in (400, 403, 422) or "logprobs" not in text or is_too_long(text.lower()):
            return None
        return no_logprobs(self._who, shown(text, self._server))

    async def _post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        try:
            # A redirect is not followed: it would take the prompt, and headers with secrets, to somebody else.
            sending = self._session.post(self._url, data=body, headers=self._headers, allow_redirects=False)
            async with sending as response:
                return response.status, response.headers, await _read_bounded(response)
        except (aiohttp.ClientError, OSError) as exc:
            raise transport_error(exc, self._server.api_base) from exc

    def _decode(self, body: bytes) -> _Completion:
        try:
            return _DECODER.decode(with_whole_escapes(body))
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            found = shown(body.decode("utf-8", "replace"), self._server)[:80]
            message = f"the server's reply is not a chat completion: {found!r}."
            raise TransientError(message, code="bad_response") from exc

    def _read(self, completion: _Completion, attempts: int) -> Reply:
        choice, counts = completion.choices[0], _counts(completion.usage)
        return Reply(
            text=as_text(choice.message.content, self._hide) or "",
            model=as_text(completion.model, self._hide) or None,
            finish_reason="refusal" if choice.message.refusal else as_text(choice.finish_reason, self._hide),
            prompt_tokens=counts[0],
            completion_tokens=counts[1],
            cached_tokens=counts[2],
            cost_usd=self._price.cost_usd(*counts) if self._price else None,
            attempts=attempts,
        )


def _counts(usage: object) -> tuple[int | None, int | None, int | None]:
    """Prompt tokens, completion tokens, and those of the prompt that the server had read before."""
    said = as_object(usage) or {}
    details = as_object(said.get("prompt_tokens_details")) or {}
    return (
        as_count(said.get("prompt_tokens")),
        as_count(said.get("completion_tokens")),
        as_count(details.get("cached_tokens")),
    )


@lru_cache(maxsize=64)
def _response_format(schema: str) -> orjson.Fragment:
    """There are as many schemas as numbers of units, and a call takes less time than to write one."""
    form = {"name": "verdicts", "schema": orjson.Fragment(schema), "strict": True}
    return orjson.Fragment(orjson.dumps({"type": "json_schema", "json_schema": form}))


def open_session(server: Server) -> aiohttp.ClientSession:
    """A client session for this server, to be closed by the caller in the same loop."""
    # No timeout of aiohttp's own: a wall-clock deadline stands around every attempt. No limit of connections: the
    # limit of calls is the limit.
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        proxy=proxy_for(server.api_base),
        auto_decompress=True,
        cookie_jar=aiohttp.DummyCookieJar(),  # a server of models has nothing to remember us by
    )


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or _MAX_REPLY_BYTES + 1) <= _MAX_REPLY_BYTES and not response.headers.get(
        "Content-Encoding"
    ):
        return await response.read()
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > _MAX_REPLY_BYTES:
            raise TransientError(f"the server sent more than {_MAX_REPLY_BYTES >> 20} MiB.", code="bad_response")
    return bytes(received)
