"""A label: what a person says of one unit of a trace.

{"record_id": "r1", "model": "m", "axis": "perception", "unit_id": "P1", "rater": "ann", "presence": 2,
"correctness": 1, "evidence": "The right base is opaque", "evidence_start": 7, "evidence_end": 31, "record_key": "9f…"}

A criterion has `"verdict": "MET"` in place of presence and correctness, and a scale `"value": 3`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from judge.words import Met

__all__ = ["ANSWERS", "Answer", "Label", "Place", "Question", "first_fault"]

Answer: TypeAlias = Literal["presence", "verdict", "value"]
"""How something is answered: a unit by its presence, and then its correctness; a criterion; a scale."""

ANSWERS: Mapping[Answer, tuple[str, ...]] = {
    "presence": ("presence", "correctness"),
    "verdict": ("verdict",),
    "value": ("value",),
}
"""The fields of a label that say each of them."""


def _number(given: object) -> object:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError("must be a finite number")
    return given


class Place(NamedTuple):
    """The unit of a trace that a label is of."""

    record_id: str
    model: str | None
    axis: str
    unit_id: str


class Question(NamedTuple):
    """What a person is asked at a place.

    Attributes:
        levels: Of a value: what it may be.
    """

    place: Place
    answer: Answer
    levels: tuple[int, ...] = ()


class Label(BaseModel):
    """One line of the file: a presence, a verdict or a value.

    Attributes:
        presence: Of a unit: 0 not raised, 1 partly or implied, 2 clearly raised.
        correctness: -1 wrong, 0 unclear, 1 right; null exactly where presence is 0.
        verdict: Of a criterion: whether it holds.
        value: Of a scale: the level; of a score, whatever number was given to it.
        evidence: A passage of the trace; null where none was marked.
        evidence_start: Where it begins, in code points of the joined trace.
        evidence_end: Where it ends, exclusive.
        record_key: Of the record as it was labelled; another one means that the record has changed since.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    record_id: str
    model: str | None = None
    axis: str
    unit_id: str
    rater: str
    presence: Literal[0, 1, 2] | None = None
    correctness: Literal[-1, 0, 1] | None = None
    verdict: Met | None = None
    value: Annotated[int | float, PlainValidator(_number)] | None = None
    evidence: str | None = None
    evidence_start: int | None = Field(default=None, ge=0)
    evidence_end: int | None = Field(default=None, ge=1)
    record_key: str | None = None

    @model_validator(mode="after")
    def _answers_once(self) -> Label:
        if len([name for name in ANSWERS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"a label has one of {', '.join(ANSWERS)}")
        if bool(self.presence) != (self.correctness is not None):
            raise ValueError("correctness must be -1, 0 or 1 where presence is 1 or 2, and null where it is not")
        return self

    @property
    def place(self) -> Place:
        return Place(self.record_id, self.model, self.axis, self.unit_id)

    @property
    def answers(self) -> dict[str, Any]:
        """What was said: name -> value, of what was asked only."""
        return next(
            {name: getattr(self, name) for name in names}
            for asked, names in ANSWERS.items()
            if getattr(self, asked) is not None
        )

    def is_of(self, question: Question) -> bool:
        """Whether it answers what is asked now."""
        return question.answer in self.answers and (not question.levels or self.value in question.levels)

    def line(self) -> bytes:
        """As it stands in the file: without what is not asked of its kind."""
        others = {name for names in ANSWERS.values() for name in names} - set(self.answers)
        return orjson.dumps(self.model_dump(exclude=others), option=orjson.OPT_APPEND_NEWLINE)


def first_fault(error: ValidationError) -> str:
    """What is wrong with a label, in a sentence."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}.".removeprefix(": ").replace("Value error, ", "")
