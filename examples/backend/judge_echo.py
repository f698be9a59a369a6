"""`--judge echo/any`: agrees with everything. A pattern for a backend of your own, and nothing to score with."""

from __future__ import annotations

import json

from judge.backend import Backend, Reply
from judge.prompt import Request

_QUOTED = 40  # characters


class Echo:
    """Answers every unit with the start of the trace as its quote."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.notes: list[str] = []

    async def complete(self, request: Request) -> Reply:
        """One call: a JSON object that fits `request.schema`, as text."""
        schema = json.loads(request.schema)
        verdict = {"reason": "I agree.", "presence": 2, "correctness": 1}
        if "evidence" in schema["properties"]["u1"]["properties"]:
            verdict = {"evidence": request.probes.record.trace[:_QUOTED].strip(), **verdict}
        text = json.dumps(dict.fromkeys(schema["required"], verdict))
        return Reply(text=text, model=self._model, finish_reason="stop", cost_usd=0.0)


def open_backend(model: str, *, api_base: str | None) -> Backend:
    """Called before anything is read: the place to find out that a key or a file is missing."""
    echo = Echo(model)
    if api_base is not None:
        echo.notes.append("--api-base is not used: echo asks no server.")
    return echo
