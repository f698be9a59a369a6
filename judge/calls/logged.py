"""One line of log for every attempt: numbers and names, never a text."""

from __future__ import annotations

import logging
import time
from collections.abc import Coroutine

from judge.backend import Backend, Reply
from judge.errors import BackendError
from judge.prompt import Request

__all__ = ["Logged"]

_log = logging.getLogger(__name__)


class Logged:
    """Says how each attempt went: what was answered with DEBUG, what failed, and may be tried again, with INFO.

    Args:
        backend: What is watched.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def complete(self, request: Request) -> Coroutine[None, None, Reply]:
        return self._watch(request) if _log.isEnabledFor(logging.INFO) else self._backend.complete(request)

    async def _watch(self, request: Request) -> Reply:
        begun = time.monotonic()
        try:
            reply = await self._backend.complete(request)
        except BackendError as exc:  # by its code: a server's words may repeat what was asked
            _log.info("call %s: failed with %s after %.3f s", request.call_id, exc.code, time.monotonic() - begun)
            raise
        if not _log.isEnabledFor(logging.DEBUG):
            return reply
        counts = (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens)
        took_s = time.monotonic() - begun
        _log.debug("call %s: answered in %.3f s, tokens %s + %s, cached %s", request.call_id, took_s, *counts)
        return reply
