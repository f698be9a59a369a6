"""Records -> what a person labels of each: kept on the disk, in a file without a name, while nobody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, TypedDict

import orjson

from judge.errors import RecordError
from judge.label.labels import Place
from judge.probe import build_probes
from judge.record import Record, Unit
from judge.rubric import Rubric
from judge.traces.lines import Line
from judge.traces.reading import Traces
from judge.working import each

__all__ = ["Sheet", "Task", "Tasks", "checklists", "opened_tasks", "read_tasks"]


class _UnitOnSheet(TypedDict):
    axis: str
    about: str
    unit_id: str
    topic: str | None
    claim: str
    presence_question: str | None
    correctness_question: str | None


class Sheet(TypedDict):
    """What a person sees of a record: no judge's verdict, no model's name, and nothing of `meta`."""

    question: str | None
    options: dict[str, str]
    context: str | None
    images: list[str]
    answer: str | None
    reasoning: str | None
    trace: str
    units: list[_UnitOnSheet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One record.

    Attributes:
        key: Of the record.
        line: Of the input, from 1.
        places: Of its units, in the order of the rubric's axes.
        start: Byte of the file that its sheet begins at.
        length: Bytes of its sheet.
    """

    key: str
    line: int
    places: tuple[Place, ...]
    start: int
    length: int


@dataclass(slots=True)
class Tasks:
    """All that can be labelled, in the order of the input.

    Attributes:
        tasks: One a record.
        skipped: Why other records cannot be labelled.
    """

    rubric: Rubric
    file: IO[bytes]
    tasks: list[Task] = field(default_factory=list)
    skipped: list[RecordError] = field(default_factory=list)
    _seen: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Units of all records."""
        return sum(len(task.places) for task in self.tasks)

    def places(self) -> Iterator[tuple[Place, str]]:
        """Every place, with the key of its record."""
        return ((place, task.key) for task in self.tasks for place in task.places)

    def sheet(self, number: int) -> bytes:
        """The sheet of a record, as JSON."""
        task = self.tasks[number]
        self.file.seek(task.start)
        return self.file.read(task.length)

    def trace(self, number: int) -> str:
        """The joined trace of a record."""
        sheet: Sheet = orjson.loads(self.sheet(number))
        return sheet["trace"]

    def add(self, record: Record) -> None:
        """Take in a record.

        Raises:
            RecordError: It has no unit of a checklist, the rubric does not fit it, or an earlier one has its id and
                its model, so that labels could not tell the two apart.
        """
        build_probes(record, self.rubric, granularity="trace")  # which refuses what no judge could be asked either
        units = _units(record, self.rubric)
        if not units:
            raise _refused(record, "units", "no_units", f"has no unit on {', '.join(checklists(self.rubric))}.")
        self._refuse_twin(record)
        content = orjson.dumps(_sheet(record, self.rubric, units))
        places = tuple(Place(record.id, record.model, axis, unit.unit_id) for axis, unit in units)
        start = self.file.seek(0, 2)
        self.file.write(content)
        self.tasks.append(Task(key=record.key, line=record.line, places=places, start=start, length=len(content)))

    def _refuse_twin(self, record: Record) -> None:
        line = self._seen.setdefault((record.id, record.model), record.line)
        if line != record.line:
            message = f"is {record.id!r}, as in line {line}, and the model is the same too."
            hint = "Give the traces of one question different models, so that labels can tell them apart."
            raise _refused(record, "id", "same_trace", message, hint)


@contextmanager
def opened_tasks(rubric: Rubric) -> Iterator[Tasks]:
    """Room for the tasks of a rubric; gone when this ends, however it ends."""
    with TemporaryFile() as file:
        yield Tasks(rubric, file)


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


def checklists(rubric: Rubric) -> list[str]:
    """Names of the axes that are judged by a record's units."""
    return [name for name, axis in rubric.axes.items() if axis.kind == "checklist"]


def _units(record: Record, rubric: Rubric) -> list[tuple[str, Unit]]:
    return [(axis, unit) for axis in checklists(rubric) for unit in record.units.get(axis, ())]


def _sheet(record: Record, rubric: Rubric, units: list[tuple[str, Unit]]) -> Sheet:
    return {
        "question": record.question,
        "options": record.options or {},
        "context": record.context,
        "images": [image.data_url for image in record.images],
        "answer": record.reference.answer,
        "reasoning": record.reference.reasoning,
        "trace": record.trace,
        "units": [_on_sheet(axis, rubric.axes[axis].description, unit) for axis, unit in units],
    }


def _on_sheet(axis: str, about: str, unit: Unit) -> _UnitOnSheet:
    return {
        "axis": axis,
        "about": about,
        "unit_id": unit.unit_id,
        "topic": unit.topic,
        "claim": unit.claim,
        "presence_question": unit.presence_question,
        "correctness_question": unit.correctness_question,
    }


def _refused(record: Record, field: str, code: str, message: str, hint: str = "") -> RecordError:
    return RecordError(message, line=record.line, field=field, record_id=record.id, code=code, hint=hint)
