"""The embedded baseline: compares words. No network, no key, no weights; English.

It reads the texts only, images not at all, and it cannot follow an argument. It is for a first look and for tests.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache

import orjson

from judge.backend import Reply
from judge.backends.lexical.judging import Opinion, judge_claim
from judge.backends.lexical.text import read_trace
from judge.prompt import Request, unit_name

__all__ = ["Lexical"]

_LONG_TRACE = 200_000
"""Code points; to read so many takes a tenth of a second and more, in which the loop would hear no signal."""

_read_trace = lru_cache(maxsize=8)(read_trace)  # the calls of one record follow each other


class Lexical:
    """Answers from the overlap and the conflicts of words; deterministic and free."""

    def __init__(self) -> None:
        self._beside = asyncio.Lock()

    async def complete(self, request: Request) -> Reply:
        """Answer one request from its probes; the rendered text is not read."""
        if len(request.probes.record.trace) <= _LONG_TRACE:
            return _answer(request)
        async with self._beside:  # one by one: the calls of a record read its trace once, and threads share one core
            return await asyncio.to_thread(_answer, request)


def _answer(request: Request) -> Reply:
    record = request.probes.record
    trace = _read_trace(record.trace)
    quoting = '"evidence"' in request.schema
    replies = {
        unit_name(index): _words(judge_claim(asked.unit.claim, trace, question=record.question or ""), quoting=quoting)
        for index, asked in enumerate(request.probes.asked)
    }
    return Reply(text=orjson.dumps(replies).decode(), model="lexical", finish_reason="stop", cost_usd=0.0)


def _words(opinion: Opinion, *, quoting: bool) -> dict[str, str | int | None]:
    quote = {"evidence": opinion.evidence or None} if quoting else {}
    return {
        **quote,
        "reason": opinion.reason,
        "presence": opinion.presence,
        "correctness": opinion.correctness,
    }
