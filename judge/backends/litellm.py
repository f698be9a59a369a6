"""Any provider that litellm knows, with structured output through instructor. Both are imported only when asked for.

Request -> instructor: messages and schema in one of four modes -> litellm: one call of a provider -> Reply: raw text
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import orjson
from msgspec import structs
from pydantic import BaseModel, ConfigDict

from judge.backend import Reply
from judge.backends.cache_marks import REFUSED_MARKS, with_marks
from judge.backends.http_status import is_too_long
from judge.backends.litellm_errors import kinds_of, map_error, read_refusal, said_by
from judge.backends.litellm_reply import read_reply, stored_tokens
from judge.backends.litellm_setup import (
    FIXED,
    check_model,
    import_litellm,
    internal_call,
    once,
    read_secrets,
    refuse_params,
)
from judge.backends.logprobs import ProbeForm, no_logprobs, with_probabilities, without_limits
from judge.backends.messages import chat_messages
from judge.backends.server import Server
from judge.price import Price, find_price, has_cache_marks
from judge.prompt import Request

__all__ = ["LiteLLM"]

_log = logging.getLogger(__name__)
_REFUSED_BY = {  # instructor's modes, best first, and the words of a server that does not know one
    "JSON_SCHEMA": ("response_format", "schema", "structured", "guided", "grammar"),
    "TOOLS": ("tools", "tool_choice", "tool call", "function call"),
    "JSON": ("response_format", "json_object", "json mode"),
    "MD_JSON": (),
}
_MODES = tuple(_REFUSED_BY)
_in_use: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""Backends by loop: litellm keeps one set of clients for each loop, and the last backend closes them."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How a model is asked: an instructor mode, parameters that it does not take, and whether prompts have marks."""

    mode: str = _MODES[0]
    left_out: frozenset[str] = frozenset()
    marks: bool = False


class LiteLLM:
    """Asks one model of any provider. Retries nothing itself, and lets neither library do so.

    Args:
        model: `provider/model`, as litellm names it.
        api_base: The provider's address, where it is not its usual one.
        key_file: Holds the key; else litellm reads it from the provider's own environment variable.
        headers: Further headers: name -> `env:VARIABLE` or `file:PATH`.
        price: Of its tokens, in place of what litellm knows.

    Raises:
        ConfigError: As `check_model`; or a key or header that cannot be used.

    Attributes:
        notes: What had to be done differently for this model, in words for the end of a run.
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None,
        key_file: Path | None = None,
        headers: Mapping[str, str] | None = None,
        price: Price | None = None,
    ) -> None:
        provider = check_model(model, api_base=api_base)
        key, read = read_secrets(key_file, headers or {})
        self._server = Server(model=model, api_base=api_base or provider, api_key=key, headers=read)
        self._litellm = import_litellm()
        self._target = {"model": model, "api_base": api_base}
        self._price = price
        self._stores = has_cache_marks(model)
        self._form = _Form(marks=self._stores)
        self._probing = ProbeForm(choices=False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.notes: list[str] = []

    async def complete(self, request: Request) -> Reply:
        """Answer one request; what a provider does not know of its form is asked for otherwise from then on.

        Raises:
            TransientError, RejectedError, FatalError: As the OpenAI-compatible backend raises them.
            ConfigError: A parameter that is not the request's.
        """
        self._enter()
        attempts = 0
        while True:
            tried = self._form
            call = await self._ask(request, tried)
            attempts += not call.has("UnsupportedParamsError")  # litellm refuses by itself, and nothing is sent
            if call.error is None or call.has("ContentPolicyViolationError"):
                return self._priced(self._checked(read_reply(call.response, attempts), call, request), call.response)
            if not self._adapt(call, tried, request):
                break
        if request.labels and "logprobs" in call.said and not is_too_long(call.said.lower()):
            raise no_logprobs(self._server.model)
        # Not inside an `except`: the provider's exception holds its request, and that holds the key.
        raise map_error(call.error, self._server, images=bool(request.images))

    def _checked(self, reply: Reply, call: _Call, request: Request) -> Reply:
        if not request.labels:
            return reply
        logprobs = getattr(call.response.choices[0], "logprobs", None) if call.response is not None else None
        told = logprobs.model_dump() if isinstance(logprobs, BaseModel) else logprobs
        return with_probabilities(reply, told, request.labels, self._server.model)

    def _priced(self, reply: Reply, response: Any) -> Reply:
        """At the price that was given; else at litellm's, which is that of the model that answered, if it knows it."""
        if self._price is None and reply.cost_usd is not None:
            return reply
        price = self._price or find_price(self._server.model)
        stored = stored_tokens(response) if self._stores else None
        counts = (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens, stored)
        return structs.replace(reply, cost_usd=price.cost_usd(*counts) if price else None)

    async def aclose(self) -> None:
        """Close what litellm keeps open for this loop, unless another backend uses it. May be called twice."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        _in_use[loop] -= 1
        cache = self._litellm.in_memory_llm_clients_cache
        ours = [] if _in_use[loop] else [key for key in cache.cache_dict if str(key).endswith(f"-{id(loop)}")]
        for key in ours:  # never to be shown: some hold the API key
            client = cache.cache_dict[key]
            cache.delete_cache(key)
            await client.close()

    def _enter(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            _in_use[self._loop] = _in_use.get(self._loop, 0) + 1

    async def _ask(self, request: Request, form: _Form) -> _Call:
        params = {name: value for name, value in request.params.items() if name not in form.left_out}
        refuse_params(params)
        if request.labels:
            return await self._probe(request, params)
        call = _Call(self._litellm, {**params, **self._target, **self._secrets(), **FIXED}, request, marks=form.marks)
        instructor = import_module("instructor")
        mode = _MODES[-1] if request.plain else form.mode
        client = instructor.from_litellm(call.send, mode=instructor.Mode[mode])
        try:
            await client.create(
                messages=chat_messages(request), response_model=_reply_model(request.schema), max_retries=0
            )
        except Exception:  # what litellm raised is in the call, and whether a reply fits is for `judge.verdict`
            if not call.came_back:
                raise
        return call

    async def _probe(self, request: Request, params: dict[str, Any]) -> _Call:
        """One token and its probabilities: there is no structure to ask for, and so no instructor."""
        fields = {"max_tokens": 1, **self._probing.fields(request.labels)}
        sent = {**without_limits(params), **fields, **self._target, **self._secrets(), **FIXED}
        call = _Call(self._litellm, sent, request)
        with suppress(Exception):  # it is kept in the call
            await call.send(messages=chat_messages(request))
        return call

    def _secrets(self) -> dict[str, Any]:
        """What litellm is given; where nothing was read, it looks for itself."""
        key = {"api_key": self._server.api_key} if self._server.api_key else {}
        return {**key, "extra_headers": dict(self._server.headers)} if self._server.headers else key

    def _adapt(self, call: _Call, tried: _Form, request: Request) -> bool:
        """Whether a refusal was about the form and there is another one to try; it is kept for this model."""
        unsupported, words = call.has("UnsupportedParamsError"), call.said.lower()
        if not (unsupported or call.status in (400, 422)) or is_too_long(words):
            return False
        if request.labels and not unsupported:
            return self._adapt_probe(call, words, request)
        if tried.marks and any(word in words for word in REFUSED_MARKS):
            return self._choose(tried, replace(tried, marks=False), "refused marks for its cache; asked without them")
        if not request.labels and any(word in words for word in _REFUSED_BY[tried.mode]):
            mode = _MODES[_MODES.index(tried.mode) + 1]
            return self._choose(tried, replace(tried, mode=mode), f"refused {tried.mode}; asked with {mode} instead")
        named = (
            {name for name in request.params if re.search(rf"\b{re.escape(name)}\b", words)} if unsupported else set()
        )
        note = f"takes no {', '.join(sorted(named))}; left out"
        return self._choose(tried, replace(tried, left_out=tried.left_out | named), note)

    def _adapt_probe(self, call: _Call, words: str, request: Request) -> bool:
        if note := self._probing.adapt(words, call.fixed):
            self.notes.append(f"{self._server.model} {note}")
        return any(call.fixed.get(name) != value for name, value in self._probing.fields(request.labels).items())

    def _choose(self, tried: _Form, other: _Form, note: str) -> bool:
        if other != tried == self._form:  # else another call found it out while this one was under way
            self._form = other
            self.notes.append(f"{self._server.model} {note}.")
            _log.info("%s %s", self._server.model, note)
        return other != tried


class _Call:
    """Stands between instructor and litellm: sends the request as it should be, and keeps what came back of it."""

    def __init__(self, litellm: Any, fixed: dict[str, Any], request: Request, *, marks: bool = False) -> None:
        self._litellm = litellm
        self.fixed = fixed
        self._request = request
        self._marks = marks
        self.response: Any = None
        self.error: Exception | None = None

    async def send(self, **form: Any) -> Any:
        tokens = [(flag, flag.set(True)) for flag in (once, internal_call())]
        try:
            self.response = await self._litellm.acompletion(**{**self.fixed, **self._exact(form)})
        except Exception as exc:
            self.error = exc
            raise
        finally:
            for flag, token in tokens:
                flag.reset(token)
        return self.response

    @property
    def came_back(self) -> bool:
        return self.response is not None or self.error is not None

    @property
    def status(self) -> int | None:
        return read_refusal(self.error)[0]

    @property
    def said(self) -> str:
        """What was said against the request, by the server or by litellm."""
        return said_by(self.error)

    def has(self, kind: str) -> bool:
        """Whether litellm raised this kind of error."""
        return kind in kinds_of([self.error])

    def _exact(self, form: dict[str, Any]) -> dict[str, Any]:
        """With our schema as it is: instructor asks for no strictness, sorts what is required, and adds a title."""
        schema = orjson.loads(self._request.schema or "{}")
        if form.get("response_format", {}).get("type") == "json_schema":
            form["response_format"]["json_schema"] = {"name": "verdicts", "schema": schema, "strict": True}
        for tool in form.get("tools", ()):
            tool["function"]["parameters"] = schema
        # Here, as instructor writes into messages too.
        return {**form, "messages": with_marks(form["messages"], self._request)} if self._marks else form


class _AnyObject(BaseModel):
    """Takes whatever a judge says: its text is parsed and refused elsewhere."""

    model_config = ConfigDict(extra="allow")
    shape: ClassVar[bytes]

    @classmethod
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
        return {"title": "verdicts", **orjson.loads(cls.shape)}


@lru_cache(maxsize=64)
def _reply_model(schema: str) -> Any:
    fields = {"shape": schema.encode(), "__module__": __name__, "__doc__": "Verdicts on the units."}
    return import_module("instructor").openai_schema(type("verdicts", (_AnyObject,), fields))
