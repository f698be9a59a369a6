"""Requests that share the beginning of a prompt -> their answers, asked so that a provider keeps it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from msgspec.structs import replace

from judge.prompt import Request
from judge.working import parted

__all__ = ["in_turns", "with_reuse"]

T = TypeVar("T")
_Beginning: TypeAlias = tuple[str, str, str]


def with_reuse(requests: Sequence[Request]) -> list[Request]:
    """The same, each with word of whether another begins as it does."""
    alike = Counter(map(_beginning, requests))
    return [replace(request, reused=alike[_beginning(request)] > 1) for request in requests]


async def in_turns(
    requests: Sequence[Request], ask: Callable[[Sequence[Request]], Awaitable[list[T]]], *, cache_marks: bool
) -> list[T]:
    """One answer to each request, in their order; all are asked at the same time.

    Args:
        requests: What is asked.
        ask: Asks several at the same time.
        cache_marks: Prompts are kept for money: then the first with each beginning goes before the others. Calls that
            begin together find nothing of each other, and each would pay to keep the same.
    """
    if not cache_marks:
        return await ask(requests)
    answers: dict[int, T] = {}
    for turn in _turns(requests):
        heard = await ask([requests[place] for place in turn])
        answers |= zip(turn, heard, strict=True)
    return [answers[place] for place in range(len(requests))]


def _turns(requests: Sequence[Request]) -> tuple[list[int], list[int]]:
    """The places of the first request with each beginning, and of all others; the second may be empty."""
    firsts: dict[_Beginning, int] = {}
    for place, request in enumerate(requests):
        firsts.setdefault(_beginning(request), place)
    return parted(range(len(requests)), lambda place: firsts[_beginning(requests[place])] != place)


def _beginning(request: Request) -> _Beginning:
    """What a provider can keep: it puts the schema before the messages."""
    return request.schema, request.system, request.shared
