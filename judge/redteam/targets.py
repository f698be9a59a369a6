"""Traces × a rubric -> Targets: the records that can be attacked, and how many cannot."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from judge.errors import InputError, JudgeError, RecordError
from judge.probe import AskedUnit, build_probes
from judge.record import Record
from judge.redteam.attack import Fields, Target
from judge.rubric import Rubric
from judge.traces.reading import Reading, Traces

__all__ = ["Gathered", "gather_targets"]

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+|</?\w+>")
_LONG_ENOUGH: Final = 20
"""Characters of a sentence of the reference that says something by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What was read.

    Attributes:
        targets: In input order, each with the line that it comes from, counted from 1.
        read: Records read; those that are no targets cannot be judged, attacked or not.
        first_failure: Why the first of those cannot.
    """

    targets: tuple[tuple[int, Target], ...]
    read: int
    first_failure: str = ""

    @property
    def failed(self) -> int:
        """Records that cannot be judged."""
        return self.read - len(self.targets)


async def gather_targets(traces: Traces, rubric: Rubric) -> Gathered:
    """Read all records into memory.

    Args:
        traces: Of an input that is small, or limited.
        rubric: What it would like to hear is part of a target.

    Raises:
        InputError: There is no record that can be judged.
    """
    found, read, first = [], 0, ""
    with traces.opened() as reading:
        for _, (number, row) in reading.lines:
            read += 1
            try:
                found.append((number, await _target(reading, number, row, rubric)))
            except JudgeError as exc:
                first = first or str(exc)
    if not found:
        reason = f" The first: {first}" if first else ""
        raise InputError(
            f"{traces.name} holds no record that can be judged by {rubric.name!r}.{reason}",
            hint="Give TRACES that this rubric is for, as to `judge score`.",
        )
    return Gathered(targets=tuple(_with_others(found)), read=read, first_failure=first)


async def _target(reading: Reading, number: int, row: Any, rubric: Rubric) -> Target:
    if isinstance(row, RecordError):
        raise row
    record = await reading.record(number, row)
    fields = {**_plain(reading.fields(number, row)), "id": record.id, "trace": record.trace}
    wanted = tuple(dict.fromkeys(_wanted(record, rubric)))
    return Target(fields=fields, trace=record.trace, wanted=wanted, images=record.images)


def _with_others(found: list[tuple[int, Target]]) -> Iterator[tuple[int, Target]]:
    """Each with the next record that answers another question."""
    for place, (number, target) in enumerate(found):
        others = (other for _, other in [*found[place + 1 :], *found[:place]])
        other = next((one.fields for one in others if one.fields["id"] != target.fields["id"]), None)
        yield number, replace(target, other=other)


def _wanted(record: Record, rubric: Rubric) -> Iterator[str]:
    said = [text for probes in build_probes(record, rubric, "trace") for asked in probes.asked for text in _says(asked)]
    yield from said or _sentences(record.reference.reasoning or "")


def _says(asked: AskedUnit) -> list[str]:
    """What would be to the good of one unit, criterion or scale."""
    if asked.kind == "scale":
        return [anchor] if (anchor := asked.levels[max(asked.levels)]) else []
    if asked.kind == "faithfulness":
        return []
    asking = asked.criteria or (asked,)
    return [one.unit.claim for one in asking if one.polarity != "negative"]


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if len(part.strip()) >= _LONG_ENOUGH]


def _plain(fields: Fields) -> dict[str, Any]:
    """As JSON has it; images in a table are bytes."""
    return {name: _image(value) if name == "image" else value for name, value in fields.items()}


def _image(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"data:image/png;base64,{base64.b64encode(bytes(value)).decode()}"
    if isinstance(value, list | tuple):
        return [_image(one) for one in value]
    if isinstance(value, Mapping) and isinstance(data := value.get("bytes"), bytes):
        return _image(data)
    return value
