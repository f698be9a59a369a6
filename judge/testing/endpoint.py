"""request -> answer: the routes, and in which order a completion can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import orjson
from aiohttp import web

from judge.testing.ask import Ask, image_urls, lookup, parse_ask
from judge.testing.behaviour import Behaviour
from judge.testing.bucket import TokenBucket
from judge.testing.faults import PROBE, REPLY, draw_fault, draw_latency
from judge.testing.ledger import Ledger, LedgerRow
from judge.testing.misbehave import misbehave
from judge.testing.named import load_script
from judge.testing.probes import certain, constrained, written
from judge.testing.replies import (
    Answer,
    Completion,
    error,
    too_long,
    too_many,
    too_many_logprobs,
    unauthorized,
    unknown_format,
    unknown_model,
)
from judge.testing.scripts import Script
from judge.testing.usage import PrefixCache, count_tokens, prompt_text
from judge.testing.wire import deliver, reached

_ANY_MODEL = "scripted-judge"


class Endpoint:
    """Handles every request of one server; reads its behaviour anew for each, so a test may change it."""

    def __init__(self, behaviour: Behaviour, ledger: Ledger) -> None:
        self._behaviour = behaviour
        self._ledger = ledger
        self._script: Script = load_script(behaviour.script, seed=behaviour.seed)
        self._prefixes = PrefixCache()
        self._bucket = TokenBucket()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Route one request."""
        if request.path == "/v1/chat/completions" and request.method == "POST":
            return await self._complete(request)
        return await deliver(request, self._look_up(request))

    def _look_up(self, request: web.BaseRequest) -> Answer:
        match request.method, request.path:
            case "GET", "/health":
                return Answer()
            case "GET", "/ledger":
                return Answer(body=self._ledger.to_json())
            case "GET", "/v1/models":
                return Answer(body=self._models()) if self._authorized(request) else unauthorized()
            case _:
                return error(404)

    async def _complete(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = await request.read()
        body = _read(raw)
        ask, key = parse_ask(body), _key(raw, body)
        attempt = self._ledger.next_attempt(key)
        answer = (
            self._refuse(request, body) or self._fail(ask, key, attempt) or self._compute(ask, key, attempt).answer()
        )
        row = self._ledger.open(
            key=key,
            asked=ask.key,
            attempt=attempt,
            fault=answer.fault,
            paid=answer.paid,
            status=answer.status,
            complaint=bool(ask.complaint),
        )
        return await self._send(request, ask, answer, row)

    async def _send(self, request: web.BaseRequest, ask: Ask, answer: Answer, row: LedgerRow) -> web.StreamResponse:
        delivered = False
        try:
            await self._think(answer, row)
            if answer.paid:
                self._prefixes.learn(prompt_text(ask.body))
            response = await deliver(request, answer)
            delivered = await reached(request)
            return response
        finally:  # the client may go away at any await, which cancels us
            self._ledger.finish(row, delivered=delivered)

    async def _think(self, answer: Answer, row: LedgerRow) -> None:
        """Only what was computed took time: errors come at once."""
        latency_ms, sigma = self._behaviour.latency_ms, self._behaviour.latency_sigma
        if answer.paid and latency_ms:
            seed, mean_s = self._behaviour.seed, latency_ms / 1000
            await asyncio.sleep(draw_latency(seed=seed, key=row.key, attempt=row.attempt, mean_s=mean_s, sigma=sigma))

    def _refuse(self, request: web.BaseRequest, body: Mapping[str, object]) -> Answer | None:
        """What a well-behaved server says no to."""
        if not self._authorized(request):
            return unauthorized()
        if not isinstance(body.get("messages"), list) or body.get("stream"):
            return error(400, "A JSON body with `messages` and without `stream` is needed.", kind="BadRequestError")
        return (
            self._refuse_model(body)
            or self._refuse_images(body)
            or self._refuse_format(body)
            or self._refuse_logprobs(body)
            or self._refuse_length(body)
        )

    def _refuse_model(self, body: Mapping[str, object]) -> Answer | None:
        served, asked = self._behaviour.model, str(body.get("model"))
        return unknown_model(asked, served) if served is not None and asked != served else None

    def _refuse_images(self, body: Mapping[str, object]) -> Answer | None:
        if not (self._behaviour.blind and image_urls(body)):
            return None
        return error(400, f"{body.get('model')} is not a multimodal model", kind="BadRequestError")

    def _refuse_format(self, body: Mapping[str, object]) -> Answer | None:
        form = lookup(body, "response_format", "type")
        refused = self._behaviour.reject_response_format and form == "json_schema"
        return unknown_format(str(form)) if refused else None

    def _refuse_logprobs(self, body: Mapping[str, object]) -> Answer | None:
        asked, most = body.get("top_logprobs"), self._behaviour.max_top_logprobs
        return too_many_logprobs(asked, most) if isinstance(asked, int) and asked > most else None

    def _refuse_length(self, body: Mapping[str, object]) -> Answer | None:
        limit = self._behaviour.max_model_len
        tokens = 0 if limit is None else count_tokens(prompt_text(body))
        return too_long(limit, tokens) if limit is not None and tokens > limit else None

    def _fail(self, ask: Ask, key: str, attempt: int) -> Answer | None:
        behaviour = self._behaviour
        if behaviour.rate_limit and (wait_s := self._bucket.wait_s(behaviour.rate_limit)):
            return replace(too_many(wait_s), fault="rate_limit")
        fault = self._fault(ask, key, attempt)
        if fault is None:
            return None
        return misbehave(fault, lambda: self._compute(ask, key, attempt), retry_after_s=behaviour.retry_after_s)

    def _fault(self, ask: Ask, key: str, attempt: int) -> str | None:
        behaviour = self._behaviour
        if behaviour.always is not None and behaviour.only in ask.trace:
            return str(behaviour.always)
        # A re-ask is a new key. Were its reply spoilt too, a client that re-asks twice might run out of them.
        kinds = [kind for kind in behaviour.kinds if not (ask.complaint and kind in (*REPLY, *PROBE))]
        return draw_fault(seed=behaviour.seed, key=key, attempt=attempt, share=behaviour.faults, kinds=kinds)

    def _compute(self, ask: Ask, key: str, attempt: int) -> Completion:
        text, logprobs = self._say(ask)
        prompt = prompt_text(ask.body)
        completion = Completion(
            name=f"{key[:16]}-{attempt}",
            model=str(ask.body.get("model")),
            text=text,
            prompt_tokens=count_tokens(prompt),
            cached_tokens=self._prefixes.find(prompt),
            finish_reason="length" if ask.probed else "stop",
            logprobs=logprobs,
            tells_cached=self._behaviour.tells_cached,
        )
        return _bounded(completion, ask.body)

    def _say(self, ask: Ask) -> tuple[str, Mapping[str, object] | None]:
        """The text, and with a probe the probabilities of its one token, if they are asked for."""
        reply = self._script(ask)
        if not ask.probed:
            return (reply if isinstance(reply, str) else orjson.dumps(dict(reply)).decode()), None
        tokens = certain(reply, ask) if isinstance(reply, str) else {token: float(str(p)) for token, p in reply.items()}
        if self._behaviour.constrains:
            tokens = constrained(tokens, ask.body)
        top = ask.body.get("top_logprobs")
        told = written(tokens, top=top if isinstance(top, int) else 0) if ask.body.get("logprobs") is True else None
        return max(tokens, key=lambda token: tokens[token]), told

    def _authorized(self, request: web.BaseRequest) -> bool:
        wanted = self._behaviour.api_key
        return wanted is None or request.headers.get("Authorization") == f"Bearer {wanted}"

    def _models(self) -> bytes:
        name = self._behaviour.model or _ANY_MODEL
        card = {
            "id": name,
            "object": "model",
            "owned_by": "judge",
            "max_model_len": self._behaviour.max_model_len,
        }
        return orjson.dumps({"object": "list", "data": [card]})


def _read(raw: bytes) -> Mapping[str, object]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _key(raw: bytes, body: Mapping[str, object]) -> str:
    """SHA-256 of the canonical body: the order of keys and white space do not count."""
    return sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS) if body else raw).hexdigest()


def _bounded(completion: Completion, body: Mapping[str, object]) -> Completion:
    """Stop at `max_tokens` as a real server does."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    text = completion.text or ""
    if not isinstance(limit, int) or count_tokens(text) <= limit:
        return completion
    return replace(completion, text=text[: 4 * limit], finish_reason="length")
