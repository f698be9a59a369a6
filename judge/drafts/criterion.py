"""A judge's reply -> criteria, each said once.

{"criteria": [{"reason": "…", "text": "Names the dose.", "polarity": "positive", "importance": "essential"}]}
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from judge.backend import Reply
from judge.drafts.claim import is_compound, is_same
from judge.prompt import one_line
from judge.unwrapping import off_menu, parse_object

__all__ = ["Criterion", "read_criteria", "remarks"]

_MENU = {
    "reason": "must be text",
    "text": "must be text",
    "polarity": "must be positive or negative",
    "importance": "must be essential, important or optional",
}
_NEGATED = ("does not ", "fails to ", "lacks ", "omits ", "is missing ", "without ")


class Criterion(BaseModel):
    """One statement about a trace, as the judge wrote it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=1)
    text: str = Field(min_length=1)
    polarity: Literal["positive", "negative"]
    importance: Literal["essential", "important", "optional"]


def read_criteria(reply: Reply) -> list[Criterion]:
    """Read a reply; of criteria that say the same the first is kept.

    Raises:
        ReplyError: It has another form, or no criterion.
    """
    value = parse_object(reply)
    given = value.get("criteria")
    if value.keys() != {"criteria"} or not isinstance(given, list) or not given:
        raise off_menu(["the reply must have the one key criteria, with a list of at least one"])
    read, faults = list[Criterion](), list[str]()
    for index, each in enumerate(given):
        try:
            read.append(Criterion.model_validate(each))
        except ValidationError as exc:
            faults += _faults(index, exc)
    if faults:
        raise off_menu(faults)
    return [one for at, one in enumerate(read) if not any(is_same(one.text, other.text) for other in read[:at])]


def remarks(criterion: Criterion) -> list[str]:
    """What a person should look at, in words."""
    found = []
    if is_compound(criterion.text):
        found.append("seems to join two; a trace may do one of them")
    if any(word in f"{one_line(criterion.text).lower()} " for word in _NEGATED):
        found.append(f"is negated, and its polarity is {criterion.polarity}: is it good that it holds?")
    return found


def _faults(index: int, exc: ValidationError) -> list[str]:
    fields = dict.fromkeys(str(error["loc"][0]) if error["loc"] else "" for error in exc.errors(include_url=False))
    return [
        f"criteria[{index}].{field} {_MENU[field]}" if field in _MENU else f"criteria[{index}] has wrong keys"
        for field in fields
    ]
