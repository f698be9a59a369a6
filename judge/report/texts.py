"""Trace files -> what people read of a record: question, options, context, trace, and its images as thumbnails.

A run directory holds no traces. They are read from where the run read them, or from the files that the user names, and
are shown only where their hash is the one that the run scored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from judge.errors import InputError, RecordError
from judge.images.source import read_images
from judge.record import Record, build_record
from judge.report.thumbnail import draw_thumbnail
from judge.traces.reading import Reading, Row, Traces, points_at_images

__all__ = ["Texts", "Told", "read_texts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is shown of a record.

    Attributes:
        thumbnails: Data URLs.
        image_fault: Why there are fewer of them than images.
    """

    record: Record
    thumbnails: tuple[str, ...] = ()
    image_fault: str = ""


@dataclass(slots=True, kw_only=True)
class Texts:
    """What was found.

    Attributes:
        told: By the record key of the run.
        faults: Files that could not be read, and why, one sentence each.
    """

    told: dict[str, Told] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


async def read_texts(files: Sequence[Traces], lines: Collection[int], keys: Collection[str]) -> Texts:
    """Look for records in trace files.

    Args:
        files: With the rules that images are read by; a file without rules shows none.
        lines: Where the records may be, from 1.
        keys: Theirs; a record with another key is not the one that was scored.
    """
    texts = Texts()
    for traces in files:
        try:
            await _read_file(traces, frozenset(lines), frozenset(keys), texts)
        except (InputError, OSError) as exc:
            texts.faults.append(f"{traces.name} cannot be read: {exc}")
    return texts


async def _read_file(traces: Traces, lines: frozenset[int], keys: frozenset[str], texts: Texts) -> None:
    with traces.opened() as reading:
        await reading.lines.begin(asyncio.Event(), traces.name)
        for _, (number, row) in reading.lines:
            if number in lines:
                _take(traces, reading, number, row, keys, texts)


def _take(
    traces: Traces, reading: Reading, number: int, row: Row | RecordError, keys: frozenset[str], texts: Texts
) -> None:
    try:
        fields = reading.fields(number, row)
        record, thumbnails, fault = _build(fields, number, traces)
    except RecordError:
        return
    for key in {one.key for one in record} & keys:
        texts.told.setdefault(key, Told(record=record[0], thumbnails=thumbnails, image_fault=fault))


def _build(fields: Mapping[str, object], number: int, traces: Traces) -> tuple[list[Record], tuple[str, ...], str]:
    """The record as a judge has it that reads texts only, and as one that looks: their keys differ."""
    plain = build_record(fields, number=number)
    if traces.images is None or not points_at_images(fields):
        return [plain], (), ""
    try:
        sources = read_images(fields["image"], traces.images)
        digests = [source.digest for source in sources]
        looking = build_record({**fields, "image": None}, number=number, image_digests=digests)
        return [plain, looking], tuple(draw_thumbnail(source, traces.images) for source in sources), ""
    except RecordError as exc:
        return [plain], (), f"The image {exc.message}"
