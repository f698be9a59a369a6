"""The forms that a verdict may have in a recorded text: fixed words with slots.

{at: end, text: "Therefore, Output ({label}) is better.", decides: true}
{at: inside, text: "[[{number}]]"}

There are no patterns that a user could write, so no text, however it is made, takes long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from judge.criterion import as_number, as_tuple
from judge.misfit import MisfitError

__all__ = ["Form", "Numbers", "Part", "Said", "Texts", "When", "fits", "slots_of"]

Said: TypeAlias = Literal["first", "second", "tie", "A", "B", "MET", "UNMET", "CANNOT_ASSESS"]
"""What a label means. `first` and `second` are as they were shown, `A` and `B` are `model_a` and `model_b`."""
Place: TypeAlias = Literal["whole", "start", "end", "line", "anywhere", "inside", "json"]
Texts: TypeAlias = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else as_tuple(value)),
]
When: TypeAlias = dict[str, str | int | bool | list[str | int | bool]]
"""Field of a row -> the value that it must have, or a list of those that it may have."""
SLOTS: Final = ("label", "number", "first", "second", "rest")
_SLOT: Final = re.compile(r"\{([^{}]*)\}")
_KEY: Final = re.compile(r"[\w.-]+: \{(label|number)\}")
_SURROUNDED: Final[dict[str, tuple[Place, ...]]] = {"before": ("anywhere", "end"), "after": ("anywhere", "start")}


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Form(Part):
    """One form that a verdict may have.

    Attributes:
        at: Where in the text. `whole`: it is all of the text. `start`, `end`: the text begins or ends with it. `line`:
            it is one line or several whole lines. `anywhere`: a sentence begins with it. `inside`: at any place; for
            what nobody writes by chance, such as `[[5]]`. `json`: the text is a JSON object, and `text` the path of a
            key and what it holds, such as `result.winner: {label}`.
        text: Fixed words with slots: `{label}` one of `labels`, `{number}` a number, `{first}` and `{second}` the
            numbers of what was shown first and second, `{rest}` at most 200 characters of a line. Several texts are
            one form.
        means: What a text without a slot means.
        when: Field -> the value, or the values, of the rows that were asked for this form; of all where none is given.
        before: Of `end` and `anywhere`: words that may stand between the beginning of the sentence and the text.
        after: Of `start` and `anywhere`: what must follow; where none is given, anything but the rest of a word.
        decides: The judge was told to answer in this form: whatever else the text says leads up to it or explains it.
    """

    at: Place
    when: When = Field(default_factory=dict)
    text: Texts = Field(min_length=1)
    means: Said | None = None
    before: Texts = ()
    after: Texts = ()
    decides: bool = False

    @field_validator("text")
    @classmethod
    def _slots_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for slot in (slot for text in value for slot in _SLOT.findall(text)):
            if slot not in SLOTS:
                known = ", ".join(f"{{{one}}}" for one in SLOTS)
                raise MisfitError(f"{{{slot}}} is no slot; there are: {known}", "Write one of them.")
        return value

    @model_validator(mode="after")
    def _has_surroundings(self) -> Form:
        for name, places in _SURROUNDED.items():
            if getattr(self, name) and self.at not in places:
                problem = f"`{name}` says nothing of a form `at: {self.at}`"
                raise MisfitError(problem, f"Leave it away, or write `at: {places[0]}`.")
        return self

    @model_validator(mode="after")
    def _says_something(self) -> Form:
        for text in self.text:
            slots = [slot for slot in _SLOT.findall(text) if slot != "rest"]
            if self.at == "json" and not _KEY.fullmatch(text):
                problem = f"{text!r} is no path of a key and what it holds"
                raise MisfitError(problem, "Write it such as `winner: {label}` or `result.score: {number}`.")
            if bool(slots) == bool(self.means):
                problem = f"{text!r} must have a slot that says what it means, or else `means`, and not both"
                raise MisfitError(problem, "Write {label} where the label stands, or add `means: first`.")
            if len(slots) != len(set(slots)) or ("first" in slots) != ("second" in slots):
                problem = f"{text!r} has a slot twice, or only one of {{first}} and {{second}}"
                raise MisfitError(problem, "Write each slot once, and both numbers.")
        return self


def fits(when: When, fields: Mapping[str, Any]) -> bool:
    """Whether a row is one of those that are meant."""
    return all(
        fields.get(name) in (allowed if isinstance(allowed, list) else [allowed]) for name, allowed in when.items()
    )


def slots_of(form: Form) -> set[str]:
    """Those that say what a form means."""
    return {slot for text in form.text for slot in _SLOT.findall(text)} - {"rest"}


class Numbers(Part):
    """Which numbers a verdict may be.

    Attributes:
        lowest, highest: Both included.
        step: 0.5 allows half points.
    """

    lowest: Annotated[float, BeforeValidator(as_number), Field(ge=-1000, le=1000)]
    highest: Annotated[float, BeforeValidator(as_number), Field(ge=-1000, le=1000)]
    step: Annotated[float, BeforeValidator(as_number), Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _ascend(self) -> Numbers:
        if self.lowest >= self.highest:
            raise MisfitError("`lowest` must be below `highest`", "Turn them round.")
        return self

    def allow(self, number: float) -> bool:
        """Whether a verdict may be this number."""
        steps = (number - self.lowest) / self.step
        return self.lowest <= number <= self.highest and abs(steps - round(steps)) < 1e-9
