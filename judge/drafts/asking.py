"""A record's reference -> Requests: one call for each checklist axis."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from msgspec import structs
from pydantic import JsonValue

from judge.errors import RubricError
from judge.probe import Probes
from judge.prompt import JudgeModel, Request, closed_object, one_line
from judge.record import Record
from judge.rubric import Rubric
from judge.template import Templates

__all__ = ["AxisRequest", "DraftAxis", "DraftPrompt", "unit_schema"]

_TEMPLATES = ("system", "record", "axis", "complaint")
_USUAL_IMPORTANCES = ("core", "supporting")
"""Where a rubric weighs every unit alike: names that a person can give weights to later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftAxis:
    """What a judge is told of an axis.

    Attributes:
        importances: The names that its units may have; none where the rubric has a default weight only.
    """

    description: str
    importances: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisRequest:
    """What is asked of a record for one axis."""

    axis: str
    request: Request


class DraftPrompt:
    """The templates of drafts, for one rubric.

    Args:
        rubric: Its checklist axes say what units are wanted.

    Attributes:
        axes: What is told of those, by name, in the rubric's order.

    Raises:
        RubricError: It has none.
        PromptError: A template is missing or wrong.
    """

    def __init__(self, rubric: Rubric) -> None:
        self.axes = {
            name: DraftAxis(description=one_line(axis.description), importances=_importances(axis.importance))
            for name, axis in rubric.axes.items()
            if axis.kind == "checklist"
        }
        if not self.axes:
            hint = "A draft is of a reference's units, which only such axes ask about."
            raise RubricError(f"the rubric {rubric.name!r} has no checklist axis.", hint=hint)
        self._templates = Templates("draft", _TEMPLATES)
        self.system = self._templates.render("system")

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record aside."""
        axes = [[name, axis.description, axis.importances] for name, axis in self.axes.items()]
        body = [self._templates.sources, axes, unit_schema(_USUAL_IMPORTANCES)]
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def build_requests(self, record: Record, model: JudgeModel) -> list[AxisRequest]:
        """One request for each axis.

        Args:
            record: Has a reference with reasoning; images are not shown, as units come from the text.
            model: Who is asked.

        Raises:
            PromptError: The templates cannot render this record.
        """
        shared = self._templates.render("record", **_values(record))
        return [
            AxisRequest(
                axis=name,
                request=Request(
                    model=model,
                    system=self.system,
                    shared=shared,
                    asked=self._render_axis(name, axis),
                    schema=unit_schema(axis.importances),
                    sample=0,
                    probes=Probes(record=record, asked=()),
                ),
            )
            for name, axis in self.axes.items()
        ]

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The same request with a complaint; it quotes nothing of the reply."""
        return structs.replace(request, complaint=self._templates.render("complaint", faults=list(faults)))

    def _render_axis(self, name: str, axis: DraftAxis) -> str:
        described = [(other, each.description) for other, each in self.axes.items()]
        return self._templates.render("axis", axis=name, axes=described, importances=list(axis.importances))


def _importances(weights: Mapping[str, float] | None) -> tuple[str, ...]:
    return _USUAL_IMPORTANCES if weights is None else tuple(name for name in weights if name != "default")


def unit_schema(importances: Sequence[str]) -> str:
    """JSON Schema of a reply, as text. The quote comes first: a model that claims first quotes what it claimed."""
    text: JsonValue = {"type": "string"}
    unit: dict[str, JsonValue] = {"source_quote": text, "claim": text, "topic": text}
    if importances:
        unit["importance"] = {"type": "string", "enum": list(importances)}
    unit |= {"presence_question": text, "correctness_question": text}
    units: JsonValue = {"type": "array", "items": closed_object(unit)}
    return orjson.dumps(closed_object({"units": units})).decode()


def _values(record: Record) -> dict[str, object]:
    """What `record.j2` shows; the tag is the hash of what it encloses, so that no text can close it."""
    reasoning = record.reference.reasoning or ""
    return {
        "question": record.question or "",
        "options": list((record.options or {}).items()),
        "context": record.context or "",
        "reasoning": reasoning,
        "answer": record.reference.answer or "",
        "tag": hashlib.sha256(reasoning.encode()).hexdigest()[:12],
    }
