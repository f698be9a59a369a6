"""Request -> the tokens that it will take, before it is sent."""

from __future__ import annotations

from judge.backend import Reply
from judge.prompt import Request

__all__ = ["Tokens"]

_MOST_AT_FIRST = 1024
"""Completion tokens before any were seen: a reply seldom uses up `max_tokens`, which is there for models that think."""


class Tokens:
    """Estimates from the text's length, corrected by what the server counted so far.

    Four characters a token is right for English; other scripts, and images, have their own ratio.
    """

    def __init__(self) -> None:
        self._guessed = 0.0
        self._prompt = 0
        self._completion = 0
        self._replies = 0

    def estimate(self, request: Request) -> float:
        """Prompt and completion tokens, above 0."""
        ratio = self._prompt / self._guessed if self._guessed else 1.0
        return request.guessed_tokens * ratio + self._completion_of(request)

    def learn(self, request: Request, reply: Reply) -> float | None:
        """The tokens that a reply took; None when the server does not count them."""
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        self._guessed += request.guessed_tokens
        self._prompt += reply.prompt_tokens
        self._completion += reply.completion_tokens
        self._replies += 1
        return reply.prompt_tokens + reply.completion_tokens

    def _completion_of(self, request: Request) -> float:
        if request.labels:
            return 1
        if self._replies:
            return self._completion / self._replies
        limit = request.params.get("max_tokens")
        return min(limit, _MOST_AT_FIRST) if isinstance(limit, int) else _MOST_AT_FIRST
