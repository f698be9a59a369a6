"""What the page sends of a unit -> the fields of a label, checked against the trace.

{"presence": 2, "correctness": 1, "evidence": {"quote": "The right base is opaque", "start": 7, "end": 31}}
"""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from judge.errors import InputError
from judge.label.labels import first_fault
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["Sent", "read_sent"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Passage(_Strict):
    """Half-open, in code points."""

    quote: str = Field(min_length=1)
    start: int = Field(ge=0)
    end: int = Field(ge=1)


class _Fields(TypedDict):
    presence: Literal[0, 1, 2]
    correctness: Literal[-1, 0, 1] | None
    evidence: str | None
    evidence_start: int | None
    evidence_end: int | None


class Sent(_Strict):
    """A label as the page gives it."""

    presence: Literal[0, 1, 2]
    correctness: Literal[-1, 0, 1] | None = None
    evidence: _Passage | None = None

    @model_validator(mode="after")
    def _raised_is_judged(self) -> Sent:
        if self.presence and self.correctness is None:
            raise ValueError("correctness must be -1, 0 or 1 where presence is 1 or 2")
        return self

    def fields(self) -> _Fields:
        """Those of a label; with presence 0, correctness and evidence are null whatever was sent."""
        passage = self.evidence if self.presence else None
        return {
            "presence": self.presence,
            "correctness": self.correctness if self.presence else None,
            "evidence": None if passage is None else passage.quote,
            "evidence_start": None if passage is None else passage.start,
            "evidence_end": None if passage is None else passage.end,
        }


def read_sent(body: bytes, trace: str) -> Sent:
    """Read a request.

    Args:
        body: JSON.
        trace: The joined trace: a browser counts UTF-16 units, and what it makes of them is not taken on its word.

    Raises:
        InputError: It is no whole label, or its quote is not where it says.
    """
    try:
        sent = Sent.model_validate(parse_json(body))
    except StrictJsonError as exc:
        raise InputError(f"is no label: {exc}.") from exc
    except ValidationError as exc:
        raise InputError(f"is no label: {first_fault(exc)}") from exc
    passage = sent.evidence
    if passage is not None and trace[passage.start : passage.end] != passage.quote:
        raise InputError(f"the quote is not at {passage.start} to {passage.end} of the trace, in code points.")
    return sent
