"""A judge's reply -> units, each with the passage of the reference that it comes from.

    {"units": [{"source_quote": "no lung markings", "claim": "Lung markings are absent on the left.", "topic": "lung
    markings", "importance": "core", "presence_question": "Does the trace …?", "correctness_question": "Does …?"}]}

Nothing is repaired. A reply of another form is asked for again, and so is one with a quote that no reference has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from judge.backend import Reply
from judge.drafts.claim import gives_answer
from judge.errors import OffMenuError
from judge.evidence import TraceText
from judge.prompt import one_line
from judge.unwrapping import off_menu, parse_object

__all__ = ["DraftUnit", "Read", "read_units"]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", str_strip_whitespace=True)

    source_quote: str = Field(min_length=1)
    claim: str = Field(min_length=1)
    topic: str = Field(min_length=1)
    presence_question: str = Field(min_length=1)
    correctness_question: str = Field(min_length=1)


class _ImportantForm(_Form):
    importance: str


class DraftUnit(Struct, frozen=True, kw_only=True):
    """One unit as the judge wrote it, checked.

    Attributes:
        source_quote: The passage of the reference; the judge's own words where they are not in it.
        start, end: Half-open offsets of the passage in code points of the reference; both 0 where there is none.
        importance: None where the rubric has no names.
    """

    axis: str
    claim: str
    topic: str
    source_quote: str
    start: int
    end: int
    importance: str | None
    presence_question: str
    correctness_question: str

    @property
    def found(self) -> bool:
        """Whether the quote is in the reference."""
        return self.end > 0


class Read(Struct, frozen=True, kw_only=True):
    """What one reply says.

    Attributes:
        units: In its order, those without a passage too.
        error: What to complain about; None where there is nothing.
    """

    units: tuple[DraftUnit, ...]
    error: OffMenuError | None


def read_units(
    reply: Reply, axis: str, reference: TraceText, *, importances: Sequence[str], answer: str | None
) -> Read:
    """Read a reply and look for every quote in the reference.

    Args:
        reply: Of a request for one axis.
        axis: Its name.
        reference: The reasoning.
        importances: Names that a unit may have; empty where it has none.
        answer: The reference's, such as `C`.

    Raises:
        ReplyError: It has another form, and nothing in it can be used.
    """
    forms = _forms(parse_object(reply), importances)
    units = tuple(_unit(form, axis, reference) for form in forms)
    faults = [fault for index, unit in enumerate(units) for fault in _faults(index, unit, answer)]
    return Read(units=units, error=off_menu(faults) if faults else None)


def _forms(value: dict[str, Any], importances: Sequence[str]) -> list[_Form]:
    given = value.get("units")
    if value.keys() != {"units"} or not isinstance(given, list):
        raise off_menu(["the reply must have the one key units, with a list"])
    forms, faults = [], []
    for index, each in enumerate(given):
        try:
            forms.append(_form(each, importances))
        except ValidationError as exc:
            faults += _value_faults(index, exc)
            continue
        if importances and getattr(forms[-1], "importance", None) not in importances:
            faults.append(f"units[{index}].importance must be one of {', '.join(importances)}")
    if faults:
        raise off_menu(faults)
    return forms


def _form(value: object, importances: Sequence[str]) -> _Form:
    return (_ImportantForm if importances else _Form).model_validate(value)


def _value_faults(index: int, exc: ValidationError) -> list[str]:
    """A fault a field; keys that nobody asked for are not repeated."""
    errors = exc.errors(include_url=False)
    faults = [
        f"units[{index}].{error['loc'][0]} must be text"
        if error["loc"] and error["type"] != "extra_forbidden"
        else f"units[{index}] has wrong keys"
        for error in errors
    ]
    return list(dict.fromkeys(faults))


def _unit(form: _Form, axis: str, reference: TraceText) -> DraftUnit:
    span = reference.find(form.source_quote)
    start, end = (span.start, span.end) if span else (0, 0)
    return DraftUnit(
        axis=axis,
        claim=one_line(form.claim),
        topic=one_line(form.topic),
        source_quote=reference.text[start:end] if span else form.source_quote,
        start=start,
        end=end,
        importance=getattr(form, "importance", None),
        presence_question=one_line(form.presence_question),
        correctness_question=one_line(form.correctness_question),
    )


def _faults(index: int, unit: DraftUnit, answer: str | None) -> list[str]:
    """In our own words: what a judge wrote may carry what a reference told it to write."""
    faults = [] if unit.found else [f"units[{index}].source_quote is not a passage of the reference"]
    if gives_answer(unit.presence_question, answer):
        faults.append(f"units[{index}].presence_question names the letter of an option")
    return faults
