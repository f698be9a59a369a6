"""What goes back over the wire: a completion, or an error as a real server words it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeAlias

import orjson

from judge.testing.usage import count_tokens

Manner: TypeAlias = Literal["whole", "drip", "drip_headers", "reset", "reset_midbody", "truncated", "black_hole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer and the manner in which it is delivered (see `wire.py`).

    Args:
        status: None where no status line is ever complete.
        paid: A completion was computed for it.
        fault: What went wrong on purpose, for the ledger.
    """

    body: bytes = b""
    status: int | None = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "whole"
    paid: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One chat completion, before it is written out."""

    name: str
    model: str
    text: str | None
    prompt_tokens: int
    cached_tokens: int
    finish_reason: str = "stop"
    refusal: str | None = None
    has_choices: bool = True
    logprobs: Mapping[str, object] | None = None
    tells_cached: bool = True

    def answer(self) -> Answer:
        """The completion as a server sends it."""
        # The standard library's JSON has NaN, as that of many servers.
        write = orjson.dumps if self.logprobs is None else _dump
        return Answer(body=write(self._payload()), paid=True)

    def _payload(self) -> dict[str, object]:
        return {
            "id": f"chatcmpl-{self.name}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.model,
            "choices": [self._choice()] if self.has_choices else [],
            "usage": self._usage(),
        }

    def _choice(self) -> dict[str, object]:
        message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
        return {"index": 0, "message": message, "logprobs": self.logprobs, "finish_reason": self.finish_reason}

    def _usage(self) -> dict[str, object]:
        written = 1 if self.logprobs else count_tokens(self.text or self.refusal or "")
        details = {"cached_tokens": self.cached_tokens} if self.tells_cached else None
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
            "prompt_tokens_details": details,
        }


def error(
    status: int,
    message: str | None = None,
    *,
    kind: str | None = None,
    param: str | None = None,
    code: str | int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error object in the shape of vLLM and OpenAI. The message defaults to the status phrase."""
    phrase = _phrase(status)
    told = {
        "message": message or phrase,
        "type": kind or phrase.replace(" ", ""),
        "param": param,
        "code": code or status,
    }
    return Answer(status=status, body=orjson.dumps({"error": told}), headers=headers or {})


def unauthorized() -> Answer:
    """401 as vLLM says it: a string where every other error has an object."""
    return Answer(status=401, body=b'{"error":"Unauthorized"}')


def too_long(limit: int, tokens: int) -> Answer:
    """400 in vLLM's words for a prompt that does not fit."""
    said = (
        f"This model's maximum context length is {limit} tokens. However, your prompt contains at least "
        f"{tokens} input tokens. Please reduce the length of the input prompt. "
        f"(parameter=input_tokens, value={tokens})"
    )
    return error(400, said, kind="BadRequestError", param="input_tokens")


def unknown_model(model: str, served: str) -> Answer:
    """404 in vLLM's words."""
    said = f"The model `{model}` does not exist. Valid aliases: {served}."
    return error(404, said, kind="NotFoundError", param="model")


def unknown_format(form: str) -> Answer:
    """400 in the words of a llama.cpp server from before JSON schemas."""
    said = f'response_format type must be one of "text" or "json_object", but got: {form}'
    return error(400, said, kind="invalid_request_error", param="response_format")


def too_many_logprobs(asked: int, most: int) -> Answer:
    """400 in vLLM's words for more `top_logprobs` than it gives."""
    said = f"Requested sample logprobs of {asked}, which is greater than max allowed: {most}"
    return error(400, said, kind="BadRequestError", param="top_logprobs")


def too_many(wait_s: float | None) -> Answer:
    """429, with the seconds to wait where they are known."""
    headers = {} if wait_s is None else {"Retry-After": f"{wait_s:.3f}".rstrip("0").rstrip(".")}
    return error(
        429,
        "Rate limit reached for requests.",
        kind="rate_limit_error",
        code="rate_limit_exceeded",
        headers=headers,
    )


def _dump(payload: object) -> bytes:
    return json.dumps(payload).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Error"
