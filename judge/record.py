"""A row -> Record.

{"id": "r1", "question": "Which lobe is consolidated?", "options": {"A": "Right lower", "B": "Left upper"},
"model": "m", "reference": {"answer": "A", "reasoning": "<think>…</think><answer>A</answer>"},
"units": {"perception": [{"unit_id": "P1", "claim": "The consolidation is in the right lower lobe."}]},
"trace": "<think>The right base is opaque …</think><answer>A</answer>"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, TypeAlias

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    SkipValidation,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from judge.digest import digest, without_bytes
from judge.errors import RecordError
from judge.fault import explain, shown
from judge.identifier import id_text, with_text_ids
from judge.image import Image
from judge.strict_json import StrictJsonError, parse_json

__all__ = [
    "Polarity",
    "Record",
    "Reference",
    "Unit",
    "build_record",
    "copy_record",
    "parse_record",
    "read_fields",
    "with_images",
]

_NOT_THE_CANDIDATE = {"system", "developer", "user"}
# Unknown fields are meta: what a trace cost or where it came from does not make it another question.
_QUESTION = ("question", "options", "image", "context", "reference", "units")
_ID_DIGITS = 16
Polarity: TypeAlias = Literal["positive", "negative"]


class _Input(BaseModel):
    """What comes from outside: strict types, and fields that we do not know are kept in `meta`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    meta: dict[str, SkipValidation[JsonValue]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _keep_unknown_fields(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        names = cls.__pydantic_fields__
        unknown = {key: child for key, child in value.items() if key not in names}
        if not unknown and "meta" not in value:
            return value
        meta = {} if value.get("meta") is None else value["meta"]
        if not isinstance(meta, dict):
            return value
        known = {key: child for key, child in value.items() if key not in unknown}
        return {**known, "meta": {**unknown, **meta}}


class Unit(_Input):
    """One atomic checkable claim of the reference.

    `importance` is a name that the rubric gives a weight to. `source_quote` is where the reference says it. Of a
    criterion, `claim` is its text, and `points, polarity, gate` are as in `axis.Criterion`.
    """

    unit_id: str = Field(min_length=1)
    claim: str = Field(min_length=1)
    topic: str | None = None
    source_quote: str | None = None
    importance: str | None = None
    presence_question: str | None = None
    correctness_question: str | None = None
    points: float | None = Field(default=None, allow_inf_nan=False)
    polarity: Polarity | None = None
    gate: bool = False


class Reference(_Input):
    """What is right: the answer, and the reasoning that leads to it."""

    answer: str | None = None
    reasoning: str | None = None


class Message(BaseModel):
    """One chat message of a trace; only its text is read, not the calls of tools.

    The reasoning has two names: vLLM and OpenRouter now write `reasoning`, others `reasoning_content`, some both.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    role: str = "assistant"
    content: str | list[dict[str, JsonValue]] | None = None
    reasoning_content: str | None = None
    reasoning: SkipValidation[JsonValue] = None

    def text(self) -> str:
        """The reasoning and then the text parts, joined by blank lines."""
        parts = [self.content] if isinstance(self.content, str) else _text_parts(self.content or [])
        newer = self.reasoning if isinstance(self.reasoning, str) else None
        return "\n\n".join(part for part in (self.reasoning_content or newer, *parts) if part)


_MESSAGES = TypeAdapter(list[Message])


def _text_parts(parts: list[dict[str, JsonValue]]) -> list[str]:
    """Text, and what a model thought where that is a part of its own."""
    return [text for part in parts for key in ("thinking", "text") if isinstance(text := part.get(key), str)]


class Record(_Input):
    """One input line: a question, its reference and units, and one candidate trace.

    Attributes:
        id: The question's identity; several traces may share it.
        units: Axis name -> its units, in input order.
        trace: The candidate's text, verbatim; chat messages are joined by blank lines.
        images: What `image` points at, as a judge sees it; empty where nobody looked.
        line: 1-based line of the input, 0 where there is none.
        key: Hash of the whole record: what a resume goes by.
    """

    id: str = Field(min_length=1)
    question: str | None = None
    options: dict[str, str] | None = None
    image: SkipValidation[JsonValue] = None
    context: str | None = None
    model: str | None = None
    reference: Reference = Reference()
    units: dict[str, list[Unit]] = Field(default_factory=dict)
    trace: str

    _images: tuple[Image, ...] = PrivateAttr(default=())
    _line: int = PrivateAttr(default=0)
    _key: str = PrivateAttr(default="")

    # Looked up once: pydantic takes a microsecond each time.
    @cached_property
    def images(self) -> tuple[Image, ...]:
        return self._images

    @cached_property
    def line(self) -> int:
        return self._line

    @cached_property
    def key(self) -> str:
        return self._key


_KNOWN_FIELDS = {*Record.model_fields, *Unit.model_fields}


def parse_record(row: bytes | Mapping[str, Any], *, number: int = 0, image_digests: Sequence[str] = ()) -> Record:
    """Read one row.

    Args:
        row: One JSON object, UTF-8; or its fields.
        number: Its 1-based number in the input, for messages.
        image_digests: See `build_record`.

    Raises:
        RecordError: The row is not strict JSON, or a field is missing or of a wrong type.
    """
    return build_record(read_fields(row, number=number), number=number, image_digests=image_digests)


def read_fields(row: bytes | Mapping[str, Any], *, number: int = 0) -> Mapping[str, Any]:
    """The fields of a row, as they are.

    Raises:
        RecordError: The row is not strict JSON, or no object.
    """
    try:
        value = parse_json(row) if isinstance(row, bytes) else row
    except StrictJsonError as exc:
        hint = "Are two records on one line?" if "second JSON value" in str(exc) else ""
        raise RecordError(f"{exc}.", line=number, field=exc.field, code=exc.code, hint=hint) from exc
    return _object(value, number)


def build_record(value: object, *, number: int = 0, image_digests: Sequence[str] = ()) -> Record:
    """Make a record from the fields of a row, or from a mapping that a library user gives.

    Args:
        value: A mapping; a null says what a missing field says. Bytes may stand in `image` and in unknown fields.
            Ids may be whole numbers, which are read as their text.
        number: Of the row in the input, for messages.
        image_digests: One a picture, of its content. They stand for `image` in key and id, so that moving a file
            changes neither; without them `image` counts as it is written.

    Raises:
        RecordError: A field is missing or of a wrong type; names the field, the type found, and what is allowed.
    """
    fields = with_text_ids(_object(value, number))
    given_id = None if (text := id_text(fields.get("id"))) is None else _writable(text)
    try:
        fields = {name: child for name, child in fields.items() if child is not None or name not in Record.model_fields}
        fields["trace"] = _trace_text(fields.get("trace"))
        if "image" in fields:
            fields["image"] = without_bytes(fields["image"])
        counted = {**fields, "image": list(image_digests)} if image_digests else fields
        key = digest(counted)
        if "id" not in fields:
            fields["id"] = digest({name: counted[name] for name in _QUESTION if name in counted})[:_ID_DIGITS]
        record = Record.model_validate(_without_null_axes(fields))
    except ValidationError as exc:
        raise explain(exc, fields, known=_KNOWN_FIELDS, number=number, record_id=given_id) from exc
    except (TypeError, orjson.JSONEncodeError) as exc:
        raise RecordError(f"cannot be written as JSON: {exc}.", line=number, record_id=given_id) from exc
    record._line, record._key = number, key  # noqa: SLF001 - a record is frozen for everybody else
    _refuse_repeated_units(record)
    return record


def copy_record(record: Record, *, line: int, images: tuple[Image, ...]) -> Record:
    """The same record at another line, with other images; its id and its key stay."""
    copy = record.model_copy()
    for looked_up in ("images", "line"):
        copy.__dict__.pop(looked_up, None)
    copy._images, copy._line = images, line  # noqa: SLF001 - a record is frozen for everybody else
    return copy


def with_images(record: Record, images: tuple[Image, ...]) -> Record:
    """The record, with the images that its `image` points at."""
    record._images = images  # noqa: SLF001 - a record is frozen for everybody else
    return record


def _object(value: object, number: int) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordError(f"is {shown(value)}, must be a JSON object.", line=number)
    return value


def _trace_text(trace: object) -> object:
    if not isinstance(trace, list):
        return trace
    messages = _MESSAGES.validate_python(trace)
    texts = [message.text() for message in messages if message.role not in _NOT_THE_CANDIDATE]
    return "\n\n".join(text for text in texts if text)


def _without_null_axes(fields: dict[str, Any]) -> dict[str, Any]:
    """In a table each row has all axes, those without a unit too."""
    units = fields.get("units")
    if not isinstance(units, Mapping):
        return fields
    return {**fields, "units": {axis: given for axis, given in units.items() if given is not None}}


def _refuse_repeated_units(record: Record) -> None:
    seen: set[str] = set()
    for axis, units in record.units.items():
        for index, unit in enumerate(units):
            if unit.unit_id in seen:
                raise RecordError(
                    f"is {unit.unit_id!r}, which another unit of this record has; unit ids must be unique.",
                    line=record.line,
                    field=f"units.{axis}[{index}].unit_id",
                    record_id=record.id,
                    code="duplicate_unit",
                )
            seen.add(unit.unit_id)


def _writable(text: str) -> str:
    """Half of a surrogate pair, which Python's text may hold, ends the writing of a table."""
    return text.encode("utf-8", "backslashreplace").decode()
