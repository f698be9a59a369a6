"""A row -> Record.

{"id": "r1", "question": "Which lobe is consolidated?", "options": {"A": "Right lower", "B": "Left upper"},
"model": "m", "reference": {"answer": "A", "reasoning": "<think>…</think><answer>A</answer>"},
"units": {"perception": [{"unit_id": "P1", "claim": "The consolidation is in the right lower lobe."}]},
"trace": "<think>The right base is opaque …</think><answer>A</answer>"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from sys import float_info
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from msgspec import NODEFAULT, Meta, Struct, convert, structs, to_builtins
from msgspec import ValidationError as MsgspecError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from judge.digest import digest, without_bytes
from judge.errors import RecordError
from judge.fault import explain, shown
from judge.identifier import id_text, with_text_ids
from judge.image import Image
from judge.message import trace_text
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

# Unknown fields are meta: what a trace cost or where it came from does not make it another question.
_QUESTION = ("question", "options", "image", "context", "reference", "units")
_ID_DIGITS = 16
Polarity: TypeAlias = Literal["positive", "negative"]


_Text: TypeAlias = Annotated[str, Meta(min_length=1), Field(min_length=1)]
"""Not empty; for msgspec, and for pydantic."""
_Finite: TypeAlias = Annotated[float, Meta(ge=-float_info.max, le=float_info.max), Field(allow_inf_nan=False)]


class Unit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One atomic checkable claim of the reference.

    `importance` is a name that the rubric gives a weight to. `source_quote` is where the reference says it. Of a
    criterion, `claim` is its text, and `points, polarity, gate` are as in `axis.Criterion`. What we do not know is in
    `meta`.
    """

    unit_id: _Text
    claim: _Text
    topic: str | None = None
    source_quote: str | None = None
    importance: str | None = None
    presence_question: str | None = None
    correctness_question: str | None = None
    points: _Finite | None = None
    polarity: Polarity | None = None
    gate: bool = False
    meta: dict[str, Any] = {}


class Reference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What is right: the answer, and the reasoning that leads to it."""

    answer: str | None = None
    reasoning: str | None = None
    meta: dict[str, Any] = {}


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """One input line: a question, its reference and units, and one candidate trace.

    Attributes:
        id: The question's identity; several traces may share it.
        units: Axis name -> its units, in input order.
        trace: The candidate's text, verbatim; chat messages are joined by blank lines.
        meta: Unknown fields.
        images: What `image` points at, as a judge sees it; empty where nobody looked.
        line: 1-based line of the input, 0 where there is none.
        key: Hash of the whole record: what a resume goes by.
    """

    id: _Text
    question: str | None = None
    options: dict[str, str] | None = None
    image: Any = None
    context: str | None = None
    model: str | None = None
    reference: Reference = Reference()
    units: dict[str, list[Unit]] = {}
    trace: str
    meta: dict[str, Any] = {}

    # No fields, which a row could have: `build_record` says what they are.
    @cached_property
    def images(self) -> tuple[Image, ...]:
        return ()

    @cached_property
    def line(self) -> int:
        return 0

    @cached_property
    def key(self) -> str:
        return ""

    @property
    def given(self) -> dict[str, Any]:
        """The fields that say anything, as a row has them."""
        fields: dict[str, Any] = to_builtins(self)
        return fields


class _Form(BaseModel):
    """The same once more, for what msgspec refuses: unknown fields go to `meta`, and messages say all that they can."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

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


@cache
def _form() -> type[_Form]:
    """The pydantic model of a record."""
    unit, reference = _model_of(Unit), _model_of(Reference)
    inner = {"units": (dict[str, list[unit]], {}), "reference": (reference, reference())}  # type: ignore[valid-type]
    return _model_of(Record, **inner)


def _model_of(struct: type[Struct], **inner: Any) -> type[_Form]:
    given: dict[str, Any] = {field.name: (field.type, _default(field)) for field in structs.fields(struct)}
    return create_model(struct.__name__, __base__=_Form, **{**given, **inner})


def _default(field: structs.FieldInfo) -> Any:
    if field.required:
        return ...
    return {} if field.default is NODEFAULT else field.default  # pydantic copies it


_RECORD_FIELDS = frozenset(Record.__struct_fields__)
_KNOWN_FIELDS = {*Record.__struct_fields__, *Unit.__struct_fields__}


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
        fields = {name: child for name, child in fields.items() if child is not None or name not in _RECORD_FIELDS}
        fields["trace"] = trace_text(fields.get("trace"))
        if "image" in fields:
            fields["image"] = without_bytes(fields["image"])
        counted = {**fields, "image": list(image_digests)} if image_digests else fields
        key = digest(counted)
        if "id" not in fields:
            fields["id"] = digest({name: counted[name] for name in _QUESTION if name in counted})[:_ID_DIGITS]
        record = _read(_without_null_axes(fields))
    except ValidationError as exc:
        raise explain(exc, fields, known=_KNOWN_FIELDS, number=number, record_id=given_id) from exc
    except (TypeError, orjson.JSONEncodeError) as exc:
        raise RecordError(f"cannot be written as JSON: {exc}.", line=number, record_id=given_id) from exc
    record.__dict__.update(line=number, key=key)
    _refuse_repeated_units(record)
    return record


def _read(fields: dict[str, Any]) -> Record:
    """In a tenth of the time that pydantic takes, where the fields are those that we know."""
    try:
        return convert(fields, Record)
    except MsgspecError:
        form: Any = _form().model_validate(fields)
    units = {axis: [Unit(**dict(unit)) for unit in of_axis] for axis, of_axis in form.units.items()}
    return Record(**{**dict(form), "reference": Reference(**dict(form.reference)), "units": units})


def copy_record(record: Record, *, line: int, images: tuple[Image, ...], record_id: str | None = None) -> Record:
    """The same record at another line, with other images, or under another id; its key stays."""
    copy = structs.replace(record, id=record.id if record_id is None else record_id)
    copy.__dict__.update(line=line, key=record.key, images=images)
    return copy


def with_images(record: Record, images: tuple[Image, ...]) -> Record:
    """The record, with the images that its `image` points at."""
    record.__dict__["images"] = images
    return record


def _object(value: object, number: int) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordError(f"is {shown(value)}, must be a JSON object.", line=number)
    return value


def _without_null_axes(fields: dict[str, Any]) -> dict[str, Any]:
    """In a table each row has all axes, those without a unit too."""
    units = fields.get("units")
    if not isinstance(units, Mapping):
        return fields
    return {**fields, "units": {axis: given for axis, given in units.items() if given is not None}}


def _refuse_repeated_units(record: Record) -> None:
    names = [unit.unit_id for units in record.units.values() for unit in units]
    if len(set(names)) == len(names):
        return
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
