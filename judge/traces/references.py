"""Units and references in another file -> the fields that a record lacks.

traces.jsonl      {"id": "r1", "model": "m", "trace": "The right base is opaque."}
references.jsonl  {"id": "r1", "question": "Which lobe?", "reference": {"answer": "A"}, "units": {"perception": […]}}

The index is a database file that SQLite makes for itself and removes, so memory stays flat with images too.
"""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

import orjson

from judge.errors import InputError, RecordError
from judge.fault import shown
from judge.identifier import id_text
from judge.record import read_fields
from judge.traces.mapping import field_at
from judge.traces.row import Row
from judge.traces.shape import shape_fields
from judge.traces.source import open_source

__all__ = ["References", "open_references"]

_FILLED: Final = ("question", "options", "image", "context", "reference", "units")
_SCHEMA: Final = "CREATE TABLE rows (key TEXT PRIMARY KEY, number INTEGER, fields BLOB)"
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {})
_SHOWN_KEY: Final = 60  # characters


class References:
    """An index of a references file.

    Args:
        database: Of the rows, by key.
        on: Dotted path of the field that rows meet on.
        mapped: Dotted path in a record -> dotted path in a row, for messages.
        name: Of the file, for messages.
    """

    def __init__(self, database: sqlite3.Connection, on: str, mapped: Mapping[str, str], name: str) -> None:
        self._database = database
        self._on = on
        self._mapped = mapped
        self._name = name

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM rows").fetchone()[0])

    def join(self, fields: Mapping[str, Any], *, number: int = 0) -> dict[str, Any]:
        """The fields, and from the reference those that are missing, null or empty among question, options, image,
        context, reference and units. Units are empty where no axis has one. Of a reference, answer and reasoning are
        filled each by itself.

        Image paths of the references, as those of the traces, are under the one image root.

        Raises:
            RecordError: The row has no key, or no reference has it.
        """
        value = field_at(fields, self._on)
        key = id_text(value)
        if not key:
            hint = f"Rows meet their references on it. {_key_hint(value, self._on, self._mapped)}"
            raise self._error(fields, number, _no_key(value), code="missing_key", hint=hint)
        found = self._find(key)
        if found is None:
            raise self._error(fields, number, f"is {key[:_SHOWN_KEY]!r}, which no reference has.", hint=self._example())
        return _filled(fields, found[1])

    def place(self, error: RecordError, own: Mapping[str, Any]) -> None:
        """Let the error of a joined record say where to mend it, if what is wrong is the reference's.

        Args:
            error: Of the record; its message is added to.
            own: The fields of the row before the join.
        """
        found = self._find(id_text(field_at(own, self._on)) or "")
        if found is not None and _is_filled(error.field, own, found[1]):
            error.message = f"{error.message} It is from {self._name}, line {found[0]}."

    def _find(self, key: str) -> tuple[int, dict[str, Any]] | None:
        """Number and fields of the reference."""
        row = self._database.execute("SELECT number, fields FROM rows WHERE key = ?", (key,)).fetchone()
        return None if row is None else (row[0], orjson.loads(row[1]))

    def _error(
        self, fields: Mapping[str, Any], number: int, message: str, *, code: str = "no_reference", hint: str = ""
    ) -> RecordError:
        record_id = id_text(fields.get("id"))
        return RecordError(message, line=number, field=self._on, record_id=record_id, code=code, hint=hint)

    def _example(self) -> str:
        key = self._database.execute("SELECT key FROM rows LIMIT 1").fetchone()[0]
        return f"{self._name} has {len(self):,} references, such as {key[:_SHOWN_KEY]!r}."


@contextmanager
def open_references(
    path: str, *, on: str = "id", mapped: Mapping[str, str] | None = None, size: int | None = None
) -> Iterator[References]:
    """Index a references file of any format; all of it is read and checked first.

    Args:
        path: As `open_source` takes it.
        on: Dotted path of the field that both files have, after mapping. Whole numbers are equal to their text.
        mapped: What `parse_map` gives; that of the trace is not looked for here.
        size: As `open_source` takes it.

    Raises:
        InputError: A row cannot be read, has no key, or has that of another row; or there is none.
    """
    ours = {target: source for target, source in (mapped or {}).items() if target != "trace"}
    try:
        with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as database:
            _prepare(database)
            with open_source(path, size=size) as source:
                for row in source:
                    _add(database, row, on, ours, path)
            database.execute("COMMIT")
            references = References(database, on, ours, path)
            if not len(references):
                raise InputError(f"{path} holds no references.")
            yield references
    except sqlite3.Error as exc:
        hint = "SQLITE_TMPDIR names a folder with more room."
        raise InputError(f"{path}: the references cannot be indexed: {exc}.", hint=hint) from exc


def _prepare(database: sqlite3.Connection) -> None:
    """Nobody reads it after us, so nothing need survive."""
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(_SCHEMA)
    database.execute("BEGIN")


def _add(database: sqlite3.Connection, row: Row, on: str, mapped: Mapping[str, str], path: str) -> None:
    number, given = row
    try:
        if isinstance(given, RecordError):
            raise given
        fields = shape_fields(read_fields(given, number=number), mapped, number=number)
    except RecordError as exc:
        raise InputError(f"{path}: {exc}", code=exc.code) from exc
    value = field_at(fields, on)
    key = id_text(value)
    if not key:
        raise InputError(f"{path}: line {number}, {on}: {_no_key(value)}", hint=_key_hint(value, on, mapped))
    try:
        added = database.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?)", (key, number, _stored(fields))).rowcount
    except TypeError as exc:
        raise InputError(f"{path}: line {number} cannot be written as JSON: {exc}.") from exc
    if not added:
        first = database.execute("SELECT number FROM rows WHERE key = ?", (key,)).fetchone()[0]
        message = f"{path}: lines {first} and {number} both have the {on} {key[:_SHOWN_KEY]!r}."
        raise InputError(message, hint="Each reference needs its own.")


def _no_key(value: Any) -> str:
    return "is missing or null." if value is None else f"is {shown(value)}, must be text or a whole number."


def _key_hint(value: Any, on: str, mapped: Mapping[str, str]) -> str:
    target = next((target for target, source in mapped.items() if source == on), None)
    if target is not None:
        return f"--map {target}={on} has moved it: give --on {target}, as it is called then."
    if isinstance(value, float):
        return "Write whole numbers as such, or as text: 7.0 is what pandas makes of 7 in a column with gaps."
    return "Name the field that both files have: --on NAME."


def _stored(fields: Mapping[str, Any]) -> bytes:
    kept = {name: fields[name] for name in _FILLED if fields.get(name) is not None}
    if "image" in kept:
        kept["image"] = _as_text(kept["image"])
    return orjson.dumps(kept)


def _as_text(image: Any) -> Any:
    """Bytes as base64 in the form `{"bytes": …}`, which images may have in JSON too."""
    if isinstance(image, bytes):
        return {"bytes": b64encode(image).decode()}
    if isinstance(image, list):
        return [_as_text(one) for one in image]
    if isinstance(image, Mapping) and isinstance(image.get("bytes"), bytes):
        return {**image, **_as_text(image["bytes"])}
    return image


def _filled(fields: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**fields, **{name: value for name, value in reference.items() if _is_empty(fields.get(name))}}
    own, other = fields.get("reference"), reference.get("reference")
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        joined["reference"] = {**own, **other, **{name: value for name, value in own.items() if not _is_empty(value)}}
    return joined


def _is_empty(value: Any) -> bool:
    """Exporters differ in how they write what a row has not; units of axes without any are none, too."""
    return value in _EMPTY or (isinstance(value, Mapping) and all(child in _EMPTY for child in value.values()))


def _is_filled(field: str, own: Mapping[str, Any], reference: Mapping[str, Any]) -> bool:
    """Whether what stands at this path of the joined fields came from the reference."""
    name, _, inner = field.partition(".")
    name = name.partition("[")[0]
    if name == "reference" and not _is_empty(own.get(name)):
        own, reference, name = own[name], reference.get(name) or {}, inner
    both = isinstance(own, Mapping) and isinstance(reference, Mapping)  # either may be anything that JSON can say
    return both and name in reference and _is_empty(own.get(name))
