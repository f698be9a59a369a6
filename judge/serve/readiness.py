"""A judge -> whether it answers: a real judgement, at most every half minute, and none where others succeed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from judge.client import Judge
from judge.errors import JudgeError
from judge.outcome import Call
from judge.rubric import load_rubric

__all__ = ["FRESH_S", "Readiness"]

FRESH_S: Final = 30.0
"""An answer that is no older says that the judge answers; a question costs money."""
_AGAIN_S: Final = 5.0
"""After so many seconds it is asked again whether it has come back."""
_PATIENCE_S: Final = 20.0
_RECORD: Final = {
    "question": "Does the judge of this service answer?",
    "trace": "I see a fracture in the left wrist.",
    "units": {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]},
}


class Readiness:
    """Knows when a judge answered last.

    Args:
        judge: Asked over its own connection, about a claim of ours.
    """

    def __init__(self, judge: Judge) -> None:
        # Not kept: a reply of the store would say nothing of the judge. One record tells of a judge that compares, too.
        settings = replace(judge.settings, rubric=load_rubric("pkr"), cache=None, pairs=False)
        self._judge = Judge.of(settings, beside=judge)
        self._looked: tuple[float, str | None] = (-_AGAIN_S, "not_asked")
        self._turn = asyncio.Lock()

    def heard(self, calls: Iterable[Call]) -> None:
        """Take notice of calls: one that a judge answered now says that it answers."""
        if any(call.reply is not None and not call.reply.cached for call in calls):
            self._looked = time.monotonic(), None

    async def trouble(self) -> str | None:
        """Why the judge does not answer, as a short word; None where it does."""
        async with self._turn:
            at, trouble = self._looked
            if time.monotonic() - at >= (FRESH_S if trouble is None else _AGAIN_S):
                trouble = await self._ask()
                self._looked = time.monotonic(), trouble
            return trouble

    async def _ask(self) -> str | None:
        try:
            (outcome,) = await self._judge.aoutcomes([_RECORD], deadline_s=_PATIENCE_S)
        except JudgeError as exc:
            return exc.code
        return outcome.failure
