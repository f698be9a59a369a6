"""Requests that begin alike: where a provider keeps a prompt for money, the first of each goes before the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from pair_kit import RIGHT, WEAK, pair_of, pair_settings
from test_pairs import requests_of

from judge.prompt import Request
from judge.turns import in_turns, with_reuse


def requests(granularity: str = "axis") -> list[Request]:
    """Of a pair: four calls in each order, or one."""
    settings = pair_settings("http://127.0.0.1:9/v1", granularity=granularity)
    return [request for _, request in requests_of(pair_of(RIGHT, WEAK), settings)]


@pytest.mark.parametrize("cache_marks", [True, False])
def test_answers_are_in_order_and_the_first_of_each_beginning_goes_first(cache_marks: bool) -> None:
    asked, begun, together = requests(), list[int](), list[int]()

    async def ask(request: Request) -> str:
        begun.append(asked.index(request))
        await asyncio.sleep(0)
        together.append(len(begun))
        return request.key

    async def ask_all(some: Sequence[Request]) -> list[str]:
        return await asyncio.gather(*map(ask, some))

    answers = asyncio.run(in_turns(asked, ask_all, cache_marks=cache_marks))
    assert answers == [request.key for request in asked]
    assert begun == ([0, 4, 1, 2, 3, 5, 6, 7] if cache_marks else [*range(8)])
    assert together[0] == (2 if cache_marks else 8)  # under way when the first is answered


def test_a_prompt_is_kept_where_another_begins_as_it_does() -> None:
    assert {request.reused for request in with_reuse(requests())} == {True}
    assert {request.reused for request in with_reuse(requests("trace"))} == {False}
