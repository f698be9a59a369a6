"""What a file of recorded judge outputs looks like, and what in a text is a verdict: a declaration, written as YAML.

name: mine
about: Which of two answers is better, as the last sentence.
kind: preference
record: "{id}"
judge: "{model}"
model_a: first
model_b: second
swapped: "{swapped}"
raw: "{reply}"
labels: {"1": first, "2": second}
forms:
  - {at: end, text: "Answer {label} is better.", decides: true}
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from judge.criterion import as_tuple
from judge.misfit import MisfitError
from judge.recordings.form import Form, Numbers, Part, Said, Texts, When, slots_of
from judge.recordings.template import refuse_template

__all__ = ["Each", "Human", "Join", "Kind", "RecordedFormat", "Split"]

Kind: TypeAlias = Literal["preference", "scores", "criteria", "scale"]
Template: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(refuse_template)]
_NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    "preference": ("model_a", "model_b"),
    "scores": ("model_a", "model_b", "numbers"),
    "criteria": ("model", "rubric", "axis"),
    "scale": ("model", "axis", "numbers"),
}
"""What each kind needs, beside what every declaration has."""


_PREFERRED: Final[tuple[Said, ...]] = ("first", "second", "tie", "A", "B")
_MEANINGS: Final[dict[Kind, tuple[Said, ...]]] = {
    "preference": _PREFERRED,
    "criteria": ("MET", "UNMET", "CANNOT_ASSESS"),
    "scores": (),
    "scale": (),
}


class Join(Part):
    """Rows of other files, put beside each recording under a name.

    Attributes:
        name: Under which their fields are: `{item.label}`.
        files: Their name or a pattern of it, such as `answer_*.jsonl`; beside the recordings.
        theirs: What of their rows meets `ours`; no two of them have the same.
        ours: What of a recording meets `theirs`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    files: str = Field(min_length=1)
    theirs: Template
    ours: Template


class Split(Part):
    """A field that holds two things, as two fields of their own.

    Attributes:
        text: What is split.
        at: The words between the two, which stand in it exactly once.
        into: The names of the two.
    """

    text: Template
    at: str = Field(min_length=1)
    into: Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=2, max_length=2)]


class Each(Part):
    """A list in a row, of which every element is a recording; its fields are `{each.…}`.

    Attributes:
        list: Path of the list, or of the text that it is written in.
        written: `json` or `python`: how that text is written. Python's is read as values only, nothing of it is run.
        beside: Path of another list of the row, of the same length; the element at the same place is `{beside.…}`.
    """

    list: Template
    written: Literal["json", "python"] = "json"
    beside: Template | None = None


class Human(Part):
    """A label of a person that the rows bring.

    Attributes:
        rater: Who.
        value: The field.
        labels: What its values mean. `A` and `B` where it names a model's trace, `first` and `second` where it is as
            the pair was shown.
    """

    rater: Template
    value: Template
    labels: dict[str, Said]


class RecordedFormat(Part):
    """One format of recorded judge outputs; `docs/replay.md` explains every field with an example.

    Attributes:
        name: As `--format` has it.
        about: By what it is known, in words.
        kind: `preference`: a label says which of two is better. `scores`: two numbers do. `criteria`: whether a
            criterion holds. `scale`: a number on a scale.
        when: Field -> its value, or a list of them: rows that differ are of another format, and passed over.
        join, split: More fields for each row.
        each: Where a row holds several recordings.
        record, judge: Ids: fields in braces, and words around them.
        axis: Of the verdicts; `overall` for a preference.
        model_a, model_b: Of a pair.
        model: Of a trace.
        trace: Of a criterion or a scale, where it is recorded.
        rubric: Of criteria: name or file of the rubric whose arithmetic gives the scores.
        unit: Of criteria: the fields of a unit (`claim`, `points`, …).
        swapped: Whether `model_b` was shown first: true or false.
        orders: 2 where each pair was asked in both orders; 1 where one says all.
        raw: The recorded text; two of them where each trace of a pair was scored alone.
        finish: Why the text ended, as the server said it.
        cut: Values of `finish` that say that the text was cut off.
        errors: Beginnings of texts that are no answers, beside those that are known everywhere.
        labels: What stands in `{label}` -> what it means.
        numbers: What may stand in `{number}`, `{first}` and `{second}`.
        forms: Of a verdict.
        people: Labels of people in the rows, of pairs.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    about: str = Field(min_length=1)
    kind: Kind
    when: When = Field(default_factory=dict)
    join: Annotated[tuple[Join, ...], BeforeValidator(as_tuple)] = ()
    split: Annotated[tuple[Split, ...], BeforeValidator(as_tuple)] = ()
    each: Each | None = None
    record: Template
    judge: Template
    axis: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    model_a: Template | None = None
    model_b: Template | None = None
    model: Template | None = None
    trace: Template | None = None
    rubric: str | None = None
    unit: dict[str, Template] = Field(default_factory=dict)
    swapped: Template | None = None
    orders: Literal[1, 2] = 2
    raw: Annotated[
        tuple[Template, ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else as_tuple(value)),
        Field(min_length=1, max_length=2),
    ]
    finish: Template | None = None
    cut: Texts = ("length", "max_tokens")
    errors: Texts = ()
    labels: dict[str, Said] = Field(default_factory=dict)
    numbers: Numbers | None = None
    forms: Annotated[tuple[Form, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    people: Annotated[tuple[Human, ...], BeforeValidator(as_tuple)] = ()

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> RecordedFormat:
        for name in _NEEDED[self.kind]:
            if getattr(self, name) is None:
                raise MisfitError(f"`kind: {self.kind}` needs `{name}`", f"Add `{name}:`.")
        if self.kind == "scale" and not _whole(self.numbers):
            raise MisfitError("the ends of a scale must be whole numbers", "Write such as {lowest: 1, highest: 10}.")
        if len(self.raw) == 2 and self.kind != "scores":
            raise MisfitError("two texts in `raw` are of `kind: scores` only", "Give one.")
        return self

    @model_validator(mode="after")
    def _slots_have_values(self) -> RecordedFormat:
        slots = {slot for form in self.forms for slot in slots_of(form)}
        if "label" in slots and not self.labels:
            raise MisfitError("a form has {label}, and there are no `labels`", "Add `labels:`.")
        if slots & {"number", "first", "second"} and self.numbers is None:
            raise MisfitError("a form has a number, and there are no `numbers`", "Add `numbers:`.")
        return self

    @model_validator(mode="after")
    def _means_what_its_kind_may(self) -> RecordedFormat:
        if self.people and not self.pairs:
            raise MisfitError("labels of people are read for pairs only", "Leave `people` away.")
        meanings = [*self.labels.values(), *(form.means for form in self.forms if form.means)]
        meanings += [meant for person in self.people for meant in person.labels.values()]
        allowed = _PREFERRED if self.people and self.kind == "scores" else _MEANINGS[self.kind]
        for meant in meanings:
            if meant not in allowed:
                told = ", ".join(allowed) or "nothing, as it has numbers"
                problem = f"a label means {meant}, and of `kind: {self.kind}` it may mean: {told}"
                raise MisfitError(problem, "Change the label or the kind.")
        return self

    @model_validator(mode="after")
    def _has_forms_of_its_kind(self) -> RecordedFormat:
        numbers = {"scale": {"number"}, "scores": {"number"} if len(self.raw) == 2 else {"first", "second"}}
        for form in self.forms:
            slots = slots_of(form)
            if slots != numbers.get(self.kind, slots & {"label"}):
                named = " and ".join(f"{{{one}}}" for one in sorted(numbers.get(self.kind, {"label"})))
                problem = f"the form {form.text[0]!r} does not fit `kind: {self.kind}`, whose forms hold {named}"
                raise MisfitError(problem, "docs/replay.md has an example of each kind.")
        return self

    @property
    def pairs(self) -> bool:
        """Whether two traces are compared."""
        return self.kind in ("preference", "scores")


def _whole(numbers: Numbers | None) -> bool:
    return numbers is not None and numbers.lowest.is_integer() and numbers.highest.is_integer()
