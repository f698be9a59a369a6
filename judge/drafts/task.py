"""A task, good traces and bad ones -> one Request for criteria."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson
from msgspec import structs
from pydantic import JsonValue

from judge.probe import Probes
from judge.prompt import JudgeModel, Request, closed_object
from judge.record import build_record
from judge.template import Templates

__all__ = ["IMPORTANCES", "TaskPrompt"]

IMPORTANCES = {"essential": 1.0, "important": 0.7, "optional": 0.3}
"""Weights of Rubrics as Rewards, arXiv 2507.17746."""
_TEMPLATES = ("criteria_system", "criteria_task", "complaint")
_POLARITIES = ("positive", "negative")


class TaskPrompt:
    """The templates for criteria.

    Raises:
        PromptError: A template is missing or wrong.
    """

    def __init__(self) -> None:
        self._templates = Templates("draft", _TEMPLATES)

    def build_request(self, task: str, good: Sequence[str], bad: Sequence[str], model: JudgeModel) -> Request:
        """The one request.

        Args:
            task: Its description.
            good: Traces that did it well, all of which are shown.
            bad: Those that did it badly, the same.
            model: Who is asked.
        """
        groups = [
            (heading, [(_tag(trace), trace) for trace in traces])
            for heading, traces in (("Good traces", good), ("Bad traces", bad))
        ]
        return Request(
            model=model,
            system=self._templates.render("criteria_system"),
            shared=self._templates.render("criteria_task", task=task, tag=_tag(task), groups=groups),
            asked="",
            schema=_schema(),
            sample=0,
            probes=Probes(record=build_record({"id": "task", "trace": ""}), asked=()),
        )

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The same request with a complaint; it quotes nothing of the reply."""
        return structs.replace(request, complaint=self._templates.render("complaint", faults=list(faults)))


def _tag(text: str) -> str:
    """The hash of what a fence encloses, so that no text can close it."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _schema() -> str:
    text: JsonValue = {"type": "string"}
    criterion = closed_object(
        {
            "reason": text,
            "text": text,
            "polarity": {"type": "string", "enum": list(_POLARITIES)},
            "importance": {"type": "string", "enum": list(IMPORTANCES)},
        }
    )
    return orjson.dumps(closed_object({"criteria": {"type": "array", "items": criterion}})).decode()
