"""What the page sends of a unit -> the fields of a label, checked against what was asked and shown.

{"presence": 2, "correctness": 1, "evidence": {"quote": "The right base is opaque", "start": 7, "end": 31}}
{"verdict": "MET", "evidence": null}      of a criterion
{"value": 3, "evidence": null}            of a scale
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from judge.errors import InputError
from judge.label.label import Answer, Question, first_fault
from judge.strict_json import StrictJsonError, parse_json
from judge.words import Met

__all__ = ["Sent", "read_sent"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Passage(_Strict):
    """Half-open, in code points."""

    quote: str = Field(min_length=1)
    start: int = Field(ge=0)
    end: int = Field(ge=1)


class Sent(_Strict):
    """A label as the page gives it."""

    evidence: _Passage | None = None

    def fields(self) -> dict[str, Any]:
        """Those of a label."""
        passage = self.evidence
        return {
            **self.model_dump(exclude={"evidence"}),
            "evidence": None if passage is None else passage.quote,
            "evidence_start": None if passage is None else passage.start,
            "evidence_end": None if passage is None else passage.end,
        }


class _OnUnit(Sent):
    presence: Literal[0, 1, 2]
    correctness: Literal[-1, 0, 1] | None = None

    @model_validator(mode="after")
    def _raised_is_judged(self) -> _OnUnit:
        if self.presence and self.correctness is None:
            raise ValueError("correctness must be -1, 0 or 1 where presence is 1 or 2")
        return self

    def fields(self) -> dict[str, Any]:
        """With presence 0, correctness and evidence are null whatever was sent."""
        fields = super().fields()
        return fields if self.presence else {**dict.fromkeys(fields), "presence": 0}


class _OnCriterion(Sent):
    verdict: Met


class _OnScale(Sent):
    value: int


_SENT: Mapping[Answer, type[Sent]] = {"presence": _OnUnit, "verdict": _OnCriterion, "value": _OnScale}


def read_sent(body: bytes, question: Question, shown: Iterable[tuple[int, str]]) -> Sent:
    """Read a request.

    Args:
        body: JSON.
        question: What was asked.
        shown: Pieces of the trace that are shown for it, and where they stand in the whole: a browser counts UTF-16
            units, and what it makes of them is not taken on its word.

    Raises:
        InputError: It is no whole answer to the question, or its quote is not where it says.
    """
    try:
        sent = _SENT[question.answer].model_validate(parse_json(body))
    except StrictJsonError as exc:
        raise InputError(f"is no label: {exc}.") from exc
    except ValidationError as exc:
        raise InputError(f"is no label: {first_fault(exc)}") from exc
    if isinstance(sent, _OnScale) and sent.value not in question.levels:
        raise InputError(f"is no label: value: must be one of {', '.join(map(str, question.levels))}.")
    passage = sent.evidence
    if passage is not None and not any(_stands(passage, start, text) for start, text in shown):
        where = f"{passage.start} to {passage.end}"
        raise InputError(f"the quote is not at {where} of what is shown of the trace, in code points.")
    return sent


def _stands(passage: _Passage, start: int, text: str) -> bool:
    """Whether a piece of the trace holds the passage; what is between two pieces was not shown."""
    inside = start <= passage.start < passage.end <= start + len(text)
    return inside and text[passage.start - start : passage.end - start] == passage.quote
