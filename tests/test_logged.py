"""A line an attempt: numbers and names, never a text."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from run_kit import make_request

from judge.backend import Reply
from judge.calls.logged import Logged
from judge.errors import TransientError
from judge.prompt import Request

REQUEST = make_request()


class Answering:
    def __init__(self, answer: Reply | TransientError) -> None:
        self._answer = answer

    async def complete(self, request: Request) -> Reply:
        if isinstance(self._answer, TransientError):
            raise self._answer
        return self._answer


def test_an_answer_is_told_with_debug(caplog: pytest.LogCaptureFixture) -> None:
    reply = Reply(text="canary", prompt_tokens=7, completion_tokens=3)
    with caplog.at_level(logging.DEBUG, "judge"):
        assert asyncio.run(Logged(Answering(reply)).complete(REQUEST)) is reply
    ((_, level, line),) = caplog.record_tuples
    assert level == logging.DEBUG
    assert re.fullmatch(rf"call {REQUEST.call_id}: answered in \d\.\d{{3}} s, tokens 7 \+ 3, cached None", line)


def test_a_failure_is_told_with_info_and_by_its_code_only(caplog: pytest.LogCaptureFixture) -> None:
    error = TransientError("the server repeats: canary", code="http_500")
    with caplog.at_level(logging.INFO, "judge"), pytest.raises(TransientError) as caught:
        asyncio.run(Logged(Answering(error)).complete(REQUEST))
    assert caught.value is error
    ((_, level, line),) = caplog.record_tuples
    assert level == logging.INFO
    assert re.fullmatch(rf"call {REQUEST.call_id}: failed with http_500 after \d\.\d{{3}} s", line)
