"""Where traces are and how they are read -> Records, one after the other."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from judge.errors import InputError, RecordError
from judge.image import ImageRules, build_image
from judge.image_source import read_images
from judge.lines import Lines
from judge.record import Record, build_record, parse_line, with_images

__all__ = ["Reader", "Reading", "Traces"]

_IMAGES_AT_ONCE = 2
"""Records whose images are decoded at the same time: the largest allowed takes half a gigabyte meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Which traces are scored; can be opened in several processes.

    Attributes:
        path: A file, or `-` for standard input, which one process only can read.
        limit: Rows to read at most; None for all.
        images: Where images may come from; None for a judge that reads texts only: they are not opened then.
    """

    path: str
    limit: int | None = None
    images: ImageRules | None = None

    @property
    def name(self) -> str:
        """The path as text that can be written anywhere."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @contextmanager
    def opened(self) -> Iterator[Reading]:
        """The input, ready to be read once."""
        with _opened(self.path) as source:
            yield Reading(Lines(source, self.limit), Reader(images=self.images))


class Reader:
    """Makes records of rows.

    Args:
        images: Where images may come from; None leaves them unopened.
    """

    def __init__(self, *, images: ImageRules | None) -> None:
        self._images = images
        self._looking = asyncio.Semaphore(_IMAGES_AT_ONCE)

    async def record(self, row: bytes | Mapping[str, object], number: int) -> Record:
        """The record of a row: a line of JSON, or its fields.

        Raises:
            RecordError: The row cannot be read as one, or an image that it points at cannot be sent.
        """
        value = parse_line(row, number=number) if isinstance(row, bytes) else row
        if self._images is None or not (isinstance(value, Mapping) and _points_at_images(value)):
            return build_record(value, number=number)
        async with self._looking:
            return await asyncio.to_thread(_look, value, number, self._images)


def _points_at_images(fields: Mapping[str, object]) -> bool:
    image = fields.get("image")
    return image is not None and not (isinstance(image, list | tuple) and not image)


def _look(fields: Mapping[str, object], number: int, rules: ImageRules) -> Record:
    """A record with its images; its key and its id go by what they hold, and not by where they are."""
    try:
        sources = read_images(fields["image"], rules)
        record = build_record({**fields, "image": [source.digest for source in sources]}, number=number)
        return with_images(record, tuple(build_image(source, rules) for source in sources))
    except RecordError as exc:
        exc.line = number
        exc.record_id = exc.record_id or (given if isinstance(given := fields.get("id"), str) else None)
        raise


class Reading:
    """An input that is open.

    Attributes:
        lines: Its rows, numbered.
    """

    def __init__(self, lines: Lines, reader: Reader) -> None:
        self.lines = lines
        self._reader = reader

    @property
    def begins_with_image(self) -> bool:
        """Whether the first row points at an image."""
        first = self.lines.first
        try:
            value = parse_line(first) if isinstance(first, bytes) else None
        except RecordError:
            return False
        return isinstance(value, Mapping) and _points_at_images(value)

    async def record(self, number: int, row: bytes | RecordError) -> Record:
        """The record of a row.

        Raises:
            RecordError: The row cannot be read as one.
        """
        if isinstance(row, RecordError):
            raise row
        return await self._reader.record(row, number)


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    if path != "-":
        return Path(path).open("rb")
    if sys.stdin is None:  # its number may be another file's by now
        raise InputError("standard input is closed.", hint="Give a file, or pipe records into it.")
    # Not sys.stdin, and never closed: both wait for the lock that a thread holds while it waits for a silent writer.
    return nullcontext(open(0, "rb", closefd=False))
