"""Records -> what a person labels of each: kept on the disk, in a file without a name, while nobody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, TypedDict, cast

import orjson

from judge.axis import AskedKind
from judge.errors import RecordError
from judge.label.label import Answer, Place, Question
from judge.probe import AskedUnit, build_probes
from judge.record import Record
from judge.rubric import Rubric
from judge.traces.lines import Line
from judge.traces.reading import Traces
from judge.view import View, record_values, shown_parts
from judge.working import each

__all__ = ["Seen", "Sheet", "Task", "Tasks", "opened_tasks", "read_tasks"]

_ANSWERS: Mapping[AskedKind, Answer] = {
    "checklist": "presence",
    "criteria": "verdict",
    "scale": "value",
    "rating": "value",
}
"""What of a trace's claims is right is no question to a person: they are found by the judge."""
_VALUES = ("question", "options", "context", "images", "answer", "reasoning")


class Seen(TypedDict):
    """What a judge sees of a record for some of its units, and so what a person sees.

    `images` says how many; `parts` are those of the trace, as of `view.shown_parts`.
    """

    question: str
    options: list[tuple[str, str]]
    context: str
    images: int
    answer: str
    reasoning: str
    parts: list[list[tuple[int, str]]]


class _Rated(TypedDict):
    """One of the criteria that are rated together, and what it is worth there."""

    text: str
    importance: str | None
    worth: float
    good: bool


class _UnitOnSheet(TypedDict):
    """What is asked, and how it is answered.

    `within` is what a leaf of a tree is a part of, and `good` says of a criterion whether it is good that it holds.
    `levels` are those of a scale or rating with their anchors, and `rated` is what is rated together. `seen` is the
    index of what is seen for it.
    """

    axis: str
    about: str
    unit_id: str
    topic: str | None
    claim: str
    presence_question: str | None
    correctness_question: str | None
    answer: Answer
    within: list[str]
    good: bool
    levels: list[tuple[int, str]]
    rated: list[_Rated]
    seen: int


class Sheet(TypedDict):
    """What a person sees of a record: no judge's verdict, no model's name, and nothing of `meta`."""

    images: list[str]
    seen: list[Seen]
    units: list[_UnitOnSheet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One record.

    Attributes:
        key: Of the record.
        line: Of the input, from 1.
        questions: On its units, in the order of the rubric's axes.
        start: Byte of the file that its sheet begins at.
        length: Bytes of its sheet.
    """

    key: str
    line: int
    questions: tuple[Question, ...]
    start: int
    length: int


@dataclass(slots=True)
class Tasks:
    """All that can be labelled, in the order of the input.

    Attributes:
        tasks: One a record.
        skipped: Why other records cannot be labelled.
        only: The units that are asked about, with their ranks; None for all. A record without any of them is no task.
    """

    rubric: Rubric
    file: IO[bytes]
    tasks: list[Task] = field(default_factory=list)
    skipped: list[RecordError] = field(default_factory=list)
    only: Mapping[Place, int] | None = None
    _seen: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Units of all records."""
        return sum(len(task.questions) for task in self.tasks)

    def questions(self) -> Iterator[tuple[Question, str]]:
        """Every question, with the key of its record."""
        return ((question, task.key) for task in self.tasks for question in task.questions)

    def sheet(self, number: int) -> bytes:
        """The sheet of a record, as JSON."""
        task = self.tasks[number]
        self.file.seek(task.start)
        return self.file.read(task.length)

    def seen(self, number: int, unit: int) -> Seen:
        """What is seen of a record for one of its units."""
        sheet: Sheet = orjson.loads(self.sheet(number))
        return sheet["seen"][sheet["units"][unit]["seen"]]

    def add(self, record: Record) -> None:
        """Take in a record.

        Raises:
            RecordError: No judge could be asked either, nothing is asked that a person can answer, or an earlier record
                has its id and its model, so that labels could not tell the two apart.
        """
        asked = [unit for probes in build_probes(record, self.rubric, granularity="axis") for unit in probes.asked]
        units = [unit for unit in asked if unit.kind in _ANSWERS]
        if not units:
            kinds = ", ".join(dict.fromkeys(axis.kind for axis in self.rubric.axes.values()))
            message = f"has nothing to label: the rubric {self.rubric.name!r} asks only about {kinds}."
            raise _refused(record, "units", "no_units", message)
        self._refuse_twin(record)
        units = [unit for unit in units if self.only is None or _place(record, unit) in self.only]
        if not units:
            return
        content = orjson.dumps(_sheet(record, self.rubric, units))
        questions = tuple(_question(record, unit) for unit in units)
        start = self.file.seek(0, 2)
        self.file.write(content)
        self.tasks.append(Task(key=record.key, line=record.line, questions=questions, start=start, length=len(content)))

    def sort(self) -> None:
        """Put the records in the order of `only`, each where its first unit is."""
        if (ranks := self.only) is not None:
            self.tasks.sort(key=lambda task: min(ranks[question.place] for question in task.questions))

    def _refuse_twin(self, record: Record) -> None:
        line = self._seen.setdefault((record.id, record.model), record.line)
        if line != record.line:
            message = f"is {record.id!r}, as in line {line}, and the model is the same too."
            hint = "Give the traces of one question different models, so that labels can tell them apart."
            raise _refused(record, "id", "same_trace", message, hint)


@contextmanager
def opened_tasks(rubric: Rubric, only: Mapping[Place, int] | None = None) -> Iterator[Tasks]:
    """Room for the tasks of a rubric, or for some units of them; gone when this ends, however it ends."""
    with TemporaryFile() as file:
        yield Tasks(rubric, file, only=only)


async def read_tasks(tasks: Tasks, traces: Traces) -> None:
    """Take in every record of an input, and note those that cannot be labelled.

    Raises:
        InputError: The input cannot be read, or holds no records.
    """
    with traces.opened() as reading:

        async def take(line: Line) -> None:
            number, row = line[1]
            try:
                tasks.add(await reading.record(number, row))
            except RecordError as exc:
                tasks.skipped.append(exc)

        await reading.lines.begin(asyncio.Event(), traces.name)
        await each(reading.lines, take, concurrency=1, reading_waits=reading.lines.waits)
    tasks.sort()


def _place(record: Record, asked: AskedUnit) -> Place:
    return Place(record.id, record.model, asked.axis, asked.unit.unit_id)


def _question(record: Record, asked: AskedUnit) -> Question:
    return Question(_place(record, asked), _ANSWERS[asked.kind], tuple(asked.levels))


def _sheet(record: Record, rubric: Rubric, units: Sequence[AskedUnit]) -> Sheet:
    views = list(dict.fromkeys(unit.view for unit in units))
    seen = [_seen(record, view) for view in views]
    return {
        "images": [image.data_url for image in record.images] if any(one["images"] for one in seen) else [],
        "seen": seen,
        "units": [_on_sheet(unit, rubric.axes[unit.axis].description, views.index(unit.view)) for unit in units],
    }


def _seen(record: Record, view: View) -> Seen:
    values = record_values(record, view)
    parts = [[(piece.start, piece.text) for piece in part] for part in shown_parts(record.trace, view)]
    return cast("Seen", {name: values[name] for name in _VALUES} | {"parts": parts})


def _on_sheet(asked: AskedUnit, about: str, seen: int) -> _UnitOnSheet:
    unit = asked.unit
    return {
        "axis": asked.axis,
        "about": about,
        "unit_id": unit.unit_id,
        "topic": unit.topic,
        "claim": unit.claim,
        "presence_question": unit.presence_question,
        "correctness_question": unit.correctness_question,
        "answer": _ANSWERS[asked.kind],
        "within": list(asked.within),
        "good": _is_good(asked),
        "levels": list(asked.levels.items()),
        "rated": [_on_list(one) for one in asked.criteria],
        "seen": seen,
    }


def _on_list(asked: AskedUnit) -> _Rated:
    unit = asked.unit
    return {"text": unit.claim, "importance": unit.importance, "worth": asked.weight, "good": _is_good(asked)}


def _is_good(asked: AskedUnit) -> bool:
    return asked.polarity != "negative"


def _refused(record: Record, field: str, code: str, message: str, hint: str = "") -> RecordError:
    return RecordError(message, line=record.line, field=field, record_id=record.id, code=code, hint=hint)
