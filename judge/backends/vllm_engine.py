"""vLLM in this process: `vllm/MODEL` asks a model without a server or a port; its engine is a process beside ours.

A request has the form of one to `/v1/chat/completions`, and vLLM's own code reads it (`vllm_start.py`), so that an
engine here and a server elsewhere answer alike.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import JsonValue

from judge.backend import Reply
from judge.backends.http_status import refusal
from judge.backends.messages import chat_messages
from judge.backends.reply_form import schema_for
from judge.backends.server import Server
from judge.backends.vllm_setup import import_vllm
from judge.backends.vllm_start import Engine, start_engine
from judge.errors import BackendError, FatalError, TransientError
from judge.price import Price
from judge.prompt import Request

__all__ = ["VLLMEngine"]

_MOST_LOGPROBS = 20
_PROTOCOL = "vllm.entrypoints.openai.chat_completion.protocol"
_TO_ERROR = "vllm.entrypoints.serve.exception_handling.error_response"


class VLLMEngine:
    """Asks an engine of its own, which it starts when it is first needed. Retries nothing itself.

    Args:
        model: Path, or name at Hugging Face.
        engine_args: As `vllm serve` has them, with underscores.
        price: Of its tokens; None leaves the cost of a reply unknown.

    Attributes:
        notes: What had to be done differently, in words for the end of a run.
    """

    def __init__(self, model: str, engine_args: Mapping[str, JsonValue], *, price: Price | None = None) -> None:
        self._model = model
        self._engine_args = engine_args
        self._price = price
        self._starting: asyncio.Task[Engine] | None = None
        self.notes: list[str] = []

    async def ready(self) -> None:
        """Wait for the engine, which starts at the first call.

        Raises:
            FatalError: It cannot be started.
        """
        await self._engine()

    async def complete(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            TransientError, RejectedError, FatalError: As a server of vLLM would, by status; see `http_status.py`. A
                FatalError with the code `engine_died` where the engine's process is gone.
        """
        engine = await self._engine()
        try:
            form = import_vllm(_PROTOCOL).ChatCompletionRequest.model_validate(_body(request))
            answer = await engine.chat.create_chat_completion(form)
        except Exception as exc:
            _raise_if_cancelled()
            raise self._refused(exc, engine, images=bool(request.images)) from exc
        if not hasattr(answer, "choices"):
            _raise_if_cancelled()
            raise self._refusal(answer, images=bool(request.images))
        return self._read(answer, request.labels)

    async def aclose(self) -> None:
        """End the engine, or its start where that is under way."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        starting.cancel()
        (ended,) = await asyncio.gather(starting, return_exceptions=True)
        if isinstance(ended, Engine):
            await ended.stop()

    async def _engine(self) -> Engine:
        if self._starting is None:
            self._starting = asyncio.ensure_future(start_engine(self._model, self._engine_args))
        return await asyncio.shield(self._starting)

    def _refused(self, error: Exception, engine: Engine, *, images: bool) -> BackendError:
        if engine.llm is None or engine.llm.errored:
            hint = "The same command goes on where it stopped; --log-level debug shows what vLLM says."
            return FatalError(f"the engine of {self._model!r} died: {error}", code="engine_died", hint=hint)
        return self._refusal(import_vllm(_TO_ERROR).create_error_response(error), images=images)

    def _refusal(self, answer: Any, *, images: bool) -> BackendError:
        """The error that a server's answer with this status would be."""
        body = orjson.dumps({"error": {"message": answer.error.message}})
        server = Server(model=self._model, api_base="vLLM")
        error = refusal(answer.error.code, {}, body, server, images=images)
        if "chat template" in str(error):
            hint = "It is no chat model; give it one: --engine-arg chat_template=FILE"
            return FatalError(error.message, code="chat_template", hint=hint)
        return error

    def _read(self, answer: Any, labels: tuple[str, ...]) -> Reply:
        choice, usage = answer.choices[0], answer.usage
        details = usage.prompt_tokens_details
        cached = details.cached_tokens if details is not None else None
        cost = self._price.cost_usd(usage.prompt_tokens, usage.completion_tokens, cached) if self._price else None
        return Reply(
            text=choice.message.content or "",
            model=answer.model,
            finish_reason=choice.finish_reason,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=cached,
            cost_usd=cost,
            probabilities=_probabilities(choice.logprobs, labels) if labels else None,
        )


def _raise_if_cancelled() -> None:
    """A call that is cancelled is for vLLM a client that hung up, and refused; for us it is a deadline, or the end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _body(request: Request) -> dict[str, object]:
    body: dict[str, object] = {"messages": chat_messages(request), **request.params}
    if request.labels:
        # One token; a limit that the user set is for replies in words.
        body.pop("max_completion_tokens", None)
        return {
            **body,
            "max_tokens": 1,
            "structured_outputs": {"choice": list(request.labels)},
            "logprobs": True,
            "top_logprobs": _MOST_LOGPROBS,
        }
    if request.plain:
        return body
    schema = {"name": "verdicts", "schema": orjson.loads(schema_for(request, bounds=True)), "strict": True}
    return {**body, "response_format": {"type": "json_schema", "json_schema": schema}}


def _probabilities(logprobs: Any, labels: tuple[str, ...]) -> dict[str, float]:
    """P(label) = Σ exp(logprob) over the first token's alternatives that are the label, white space aside."""
    if logprobs is None or not logprobs.content:
        raise TransientError("vLLM gave no probabilities for a one-token probe.", code="bad_response")
    alternatives = logprobs.content[0].top_logprobs
    return {
        label: min(math.fsum(math.exp(one.logprob) for one in alternatives if one.token.strip() == label), 1.0)
        for label in labels
    }
