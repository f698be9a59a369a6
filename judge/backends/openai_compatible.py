"""Any server that speaks `/v1/chat/completions`: vLLM, SGLang, llama.cpp, TGI, OpenAI. Straight over HTTP.

POST {api_base}/chat/completions
{"model": "m", "messages": […], "temperature": 0, "response_format": {"type": "json_schema", …}}
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import orjson

from judge.backend import Reply
from judge.backends.bounds import as_count, as_object, as_text, with_whole_escapes
from judge.backends.exchange import Response
from judge.backends.http_status import is_too_long, refusal, shown
from judge.backends.logprobs import ProbeForm, no_logprobs, with_probabilities, without_limits
from judge.backends.messages import chat_messages
from judge.backends.reply_form import ReplyForm
from judge.backends.secret import hider
from judge.backends.server import Server
from judge.backends.session import Session
from judge.errors import BackendError, TransientError
from judge.price import Price
from judge.prompt import Request

__all__ = ["OpenAICompatible"]

_log = logging.getLogger(__name__)


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


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


_DECODER = msgspec.json.Decoder(_Completion)
_MODELS = msgspec.json.Decoder(_Models)
_PATIENCE_S = 5.0


class OpenAICompatible:
    """Asks one server. Retries nothing itself.

    Args:
        server: Where and as whom.
        session: Owned by the caller, of the loop that calls.
        price: Of its tokens; None leaves the cost of a reply unknown.

    Attributes:
        notes: What had to be done differently for this server, in words for the end of a run.
    """

    def __init__(self, server: Server, session: Session, *, price: Price | None = None) -> None:
        self._server = server
        self._hide = hider()
        self._price = price
        self._session = session
        self._token_limit = "max_tokens"
        self._probing = ProbeForm(choices=server.vllm)
        self._held = ReplyForm(bounds=server.vllm)
        self.notes: list[str] = []

    async def serves(self) -> bool:
        """Whether a server of one's own lists the model to us; False too where it does not say.

        A provider lists its models to whoever has a key, also to one whose money has run out.
        """
        if not self._server.vllm:
            return False
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await self._session.send("GET", "/models")
            models = _MODELS.decode(answer.body) if answer.status == 200 else _Models([])
        except (BackendError, TimeoutError, msgspec.DecodeError, UnicodeDecodeError):
            return False
        return any(model.id == self._server.model for model in models.data)

    async def complete(self, request: Request) -> Reply:
        """Answer one request; what a server does not know of its form is left out from then on.

        Raises:
            TransientError, RejectedError, FatalError: By status; see `http_status.py`.
        """
        attempts, sent, form = 0, b"", self.body(request)
        while form != sent:
            attempts, sent = attempts + 1, form
            answer = await self._session.send("POST", "/chat/completions", form)
            if answer.status == 400:
                self._adapt(request, orjson.loads(sent), answer.body)
                form = self.body(request)  # another call may have found it out while this one was under way
        if answer.status != 200:
            raise self._refused_probe(request, answer) or refusal(
                answer.status, answer.headers, answer.body, self._server, images=bool(request.images)
            )
        completion = self._decode(answer.body)
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
        body |= self._probing.fields(request.labels) if request.labels else self._held.fields(request)
        return orjson.dumps(body)

    def _adapt(self, request: Request, sent: Mapping[str, Any], body: bytes) -> None:
        """Choose another form of request where a refusal is about the form; it is kept for this server."""
        text = body.decode("utf-8", "replace").lower()
        if is_too_long(text):  # vLLM names both token limits in this one
            return
        if self._token_limit == "max_tokens" and "max_completion_tokens" in text:
            self._token_limit = "max_completion_tokens"
        elif note := self._probing.adapt(text, sent) if request.labels else self._held.adapt(text, sent):
            self.notes.append(f"{self._server.api_base} {note}")
        _log.info("a request was refused: token limit as %s, %d notes", self._token_limit, len(self.notes))

    @property
    def _who(self) -> str:
        return f"{self._server.api_base} ({self._server.model})"

    def _refused_probe(self, request: Request, answer: Response) -> BackendError | None:
        """The error of a server, or of a model, that gives no logprobs and says so."""
        text = answer.body.decode("utf-8", "replace")
        if (
            not request.labels
            or answer.status not in (400, 403, 422)
            or "logprobs" not in text
            or is_too_long(text.lower())
        ):
            return None
        return no_logprobs(self._who, shown(text, self._server))

    def _decode(self, body: bytes) -> _Completion:
        try:
            return _decoded(body)
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


def _decoded(body: bytes) -> _Completion:
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError:  # perhaps for an escape; to look for one first takes as long as to decode
        return _DECODER.decode(with_whole_escapes(body))


def _counts(usage: object) -> tuple[int | None, int | None, int | None]:
    """Prompt tokens, completion tokens, and those of the prompt that the server had read before."""
    said = as_object(usage) or {}
    details = as_object(said.get("prompt_tokens_details")) or {}
    return (
        as_count(said.get("prompt_tokens")),
        as_count(said.get("completion_tokens")),
        as_count(details.get("cached_tokens")),
    )
