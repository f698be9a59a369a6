"""Where traces are and how they are read -> Records, one after the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from judge.errors import RecordError
from judge.identifier import id_text
from judge.image import ImageRules, build_image
from judge.images.source import read_images
from judge.record import Record, build_record, read_fields, with_images
from judge.traces.lines import Lines
from judge.traces.references import References, open_references
from judge.traces.shape import shape_fields
from judge.traces.source import measure, open_source

__all__ = ["Reader", "Reading", "Traces", "points_at_images"]

Row: TypeAlias = bytes | Mapping[str, Any]
_IMAGES_AT_ONCE = 2
"""Records whose images are decoded at the same time: the largest allowed takes half a gigabyte meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Which traces are scored; can be opened in several processes.

    Attributes:
        path: A file, or `-` for standard input, which one process only can read.
        limit: Rows to read at most; None for all.
        mapped: What is called otherwise there: dotted path in a record -> dotted path in a row.
        references: File with what its rows lack: units, references, questions; None for none.
        on: Dotted path of the field that rows and references meet on.
        images: Where images may come from; None for a judge that reads texts only: they are not opened then.
        size: Bytes of the file that are read; None for all that it has when it is opened.
        references_size: The same of the references.
        shown: Numbers of the rows that are read, from 1, and what stands in the `image` of each, in place of its own;
            None for all rows as they are.
    """

    path: str
    limit: int | None = None
    mapped: Mapping[str, str] = field(default_factory=dict)
    references: str | None = None
    on: str = "id"
    images: ImageRules | None = None
    size: int | None = None
    references_size: int | None = None
    shown: Mapping[int, Any] | None = None

    def measured(self) -> Traces:
        """The same with the sizes that its files have now: however often it is opened, the rows are the same."""
        references_size = None if self.references is None else measure(self.references)
        return replace(self, size=measure(self.path), references_size=references_size)

    @property
    def name(self) -> str:
        """The path as text that can be written anywhere."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @contextmanager
    def opened(self) -> Iterator[Reading]:
        """The input, ready to be read once; the references are read now.

        Raises:
            InputError: The references cannot be used. What is wrong with the traces shows when they are read.
        """
        with ExitStack() as stack:
            source = stack.enter_context(open_source(self.path, size=self.size))
            known = None
            if self.references is not None:
                known = stack.enter_context(self._open_references(self.references))
            reader = Reader(images=self.images, mapped=self.mapped, references=known, shown=self.shown)
            yield Reading(Lines(source, self.limit, self.shown), reader)

    def _open_references(self, path: str) -> AbstractContextManager[References]:
        return open_references(path, on=self.on, mapped=self.mapped, size=self.references_size)


class Reader:
    """Makes records of rows.

    Args:
        images: Where images may come from; None leaves them unopened.
        mapped: What is called otherwise in the rows.
        references: What the rows lack.
        shown: Number of a row -> what stands in its `image`, in place of its own; None leaves all as they are.
    """

    def __init__(
        self,
        *,
        images: ImageRules | None,
        mapped: Mapping[str, str] | None = None,
        references: References | None = None,
        shown: Mapping[int, Any] | None = None,
    ) -> None:
        self._images = images
        self._mapped = mapped
        self._references = references
        self._shown = shown
        self._looking = asyncio.Semaphore(_IMAGES_AT_ONCE)

    async def record(self, row: Row, number: int) -> Record:
        """The record of a row: a line of JSON, or its fields.

        Raises:
            RecordError: The row cannot be read as one, or an image that it points at cannot be sent.
        """
        own = self._own(row, number)
        try:
            return await self._build(self._join(own, number), number)
        except RecordError as exc:
            if self._references is not None:
                self._references.place(exc, own)
            raise

    def fields(self, row: Row, number: int) -> Mapping[str, Any]:
        """What a row says of a record, under our names and with what its reference adds.

        Raises:
            RecordError: It cannot be read, or has no reference.
        """
        return self._join(self._own(row, number), number)

    def _own(self, row: Row, number: int) -> Mapping[str, Any]:
        return shape_fields(read_fields(row, number=number), self._mapped, number=number)

    def _join(self, own: Mapping[str, Any], number: int) -> Mapping[str, Any]:
        joined = own if self._references is None else self._references.join(own, number=number)
        return joined if self._shown is None else {**joined, "image": self._shown[number]}

    async def _build(self, fields: Mapping[str, Any], number: int) -> Record:
        if self._images is None or not points_at_images(fields):
            return build_record(fields, number=number)
        async with self._looking:
            return await asyncio.to_thread(_look, fields, number, self._images)


def points_at_images(fields: Mapping[str, Any]) -> bool:
    """Whether a record of these fields has images."""
    image = fields.get("image")
    return image is not None and not (isinstance(image, list | tuple) and not image)


def _look(fields: Mapping[str, Any], number: int, rules: ImageRules) -> Record:
    """A record with its images; its key and its id go by what they hold, and not by where they are."""
    try:
        sources = read_images(fields["image"], rules)
        # Without the field itself: it may be bytes or a picture of the library's user, and is not needed any more.
        digests = [source.digest for source in sources]
        record = build_record({**fields, "image": None}, number=number, image_digests=digests)
        return with_images(record, tuple(build_image(source, rules) for source in sources if rules.shown))
    except RecordError as exc:
        exc.line = number
        exc.record_id = exc.record_id or id_text(fields.get("id"))
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
            return first is not None and points_at_images(self._reader.fields(first[1], first[0]))
        except RecordError:
            return False

    async def record(self, number: int, row: Row | RecordError) -> Record:
        """The record of a row.

        Raises:
            RecordError: The row cannot be read as one.
        """
        if isinstance(row, RecordError):
            raise row
        return await self._reader.record(row, number)

    def fields(self, number: int, row: Row | RecordError) -> Mapping[str, Any]:
        """What a row says of a record, under our names, where no whole record is wanted of it.

        Raises:
            RecordError: The row cannot be read.
        """
        if isinstance(row, RecordError):
            raise row
        return self._reader.fields(row, number)
