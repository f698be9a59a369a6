"""Two candidates of one record id -> the question that both answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from judge.errors import RecordError
from judge.record import Record, Reference, with_images

__all__ = ["Candidate", "Pair", "open_question"]

T = TypeVar("T")
_SHARED: Final = ("question", "options", "context")
_OF_REFERENCE: Final = ("answer", "reasoning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One trace, and whose it is.

    Attributes:
        record: Of the input; without its images where `opens` is given.
        model: Of the record, or the name of what it was read from.
        source: What it was read from, for messages.
        opens: Reads the record once more, with its images: those of all pairs would not fit into memory.
    """

    record: Record
    model: str
    source: str
    opens: Callable[[], Awaitable[Record]] | None = None

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return f"line {self.record.line} of {self.source}"

    async def whole(self) -> Record:
        """The record with its images.

        Raises:
            RecordError: One of them cannot be sent; says of which input.
        """
        try:
            return self.record if self.opens is None else await self.opens()
        except RecordError as exc:
            exc.source = self.source
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two traces of one question; A is of the model that was named first."""

    a: Candidate
    b: Candidate

    @property
    def record_id(self) -> str:
        """Of both."""
        return self.a.record.id


async def open_question(pair: Pair) -> Record:
    """What both traces answer, with its images; what only one of the two records says holds for both.

    Raises:
        RecordError: They say different things, or an image cannot be sent.
    """
    one, other = await pair.a.whole(), await pair.b.whole()
    told: dict[str, Any] = {name: _either(pair, name, getattr(one, name), getattr(other, name)) for name in _SHARED}
    references: dict[str, Any] = {
        name: _either(pair, f"reference.{name}", getattr(one.reference, name), getattr(other.reference, name))
        for name in _OF_REFERENCE
    }
    told["reference"] = Reference(**references)
    _either(pair, "image", _digests(one), _digests(other))
    told["image"] = one.image if one.image is not None else other.image
    record = Record(id=one.id, trace=one.trace, **told)
    return with_images(record, one.images or other.images)


def _digests(record: Record) -> list[str] | None:
    return [image.digest for image in record.images] or None


def _either(pair: Pair, field: str, one: T | None, other: T | None) -> T | None:
    """What is given; the same id is the same question, so two values have to be one."""
    if one is not None and other is not None and one != other:
        raise RecordError(
            f"is not that of {pair.b.place}, which has the same id: the traces answer different questions.",
            line=pair.a.record.line,
            field=field,
            record_id=pair.record_id,
            code="other_question",
            hint="Give each question its own id, or take questions and references from one file: --references FILE.",
        )
    return other if one is None else one
