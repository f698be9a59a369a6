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
from judge.record import read_fields
from judge.traces.mapping import field_at
from judge.traces.shape import shape_fields
from judge.traces.source import Row, open_source

__all__ = ["References", "open_references"]

_FILLED: Final = ("question", "options", "image", "context", "reference", "units")
_SCHEMA: Final = "CREATE TABLE rows (key TEXT PRIMARY KEY, number INTEGER, fields BLOB)"
_SHOWN_KEY: Final = 60  # characters


class References:
    """An index of a references file.

    Args:
        database: Of the rows, by key.
        on: Dotted path of the field that rows meet on.
        name: Of the file, for messages.
    """

    def __init__(self, database: sqlite3.Connection, on: str, name: str) -> None:
        self._database = database
        self._on = on
        self._name = name

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM rows").fetchone()[0])

    def join(self, fields: Mapping[str, Any], *, number: int = 0) -> dict[str, Any]:
        """The fields, and from the reference those that are missing or null among question, options, image, context,
        reference and units. Of a reference, answer and reasoning are filled each by itself.

        Image paths of the references, as those of the traces, are under the one image root.

        Raises:
            RecordError: The row has no key, or no reference has it.
        """
        key = _key(field_at(fields, self._on))
        if key is None:
            hint = "Rows meet their references on it: name a field that both files have with --on."
            raise self._error(fields, number, "is no text and no number.", code="missing_key", hint=hint)
        row = self._database.execute("SELECT fields FROM rows WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise self._error(fields, number, f"is {key[:_SHOWN_KEY]!r}, which no reference has.", hint=self._example())
        return _filled(fields, orjson.loads(row[0]))

    def _error(
        self, fields: Mapping[str, Any], number: int, message: str, *, code: str = "no_reference", hint: str = ""
    ) -> RecordError:
        name = fields.get("id")
        record_id = name if isinstance(name, str) else None
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
        on: Dotted path of the field that both files have, after mapping. Numbers are equal to their text.
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
            references = References(database, on, path)
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
    key = _key(field_at(fields, on))
    if key is None:
        hint = "Name the field that both files have: --on NAME."
        raise InputError(f"{path}: line {number} has no {on!r} that is text or a number.", hint=hint)
    try:
        added = database.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?)", (key, number, _stored(fields))).rowcount
    except TypeError as exc:
        raise InputError(f"{path}: line {number} cannot be written as JSON: {exc}.") from exc
    if not added:
        first = database.execute("SELECT number FROM rows WHERE key = ?", (key,)).fetchone()[0]
        message = f"{path}: lines {first} and {number} both have the {on} {key[:_SHOWN_KEY]!r}."
        raise InputError(message, hint="Each reference needs its own.")


def _key(value: Any) -> str | None:
    """Text, or the text of a number: a table may have made 7.0 of 7."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


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
    joined = {**fields, **{name: value for name, value in reference.items() if fields.get(name) is None}}
    own, other = fields.get("reference"), reference.get("reference")
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        joined["reference"] = {**other, **{name: value for name, value in own.items() if value is not None}}
    return joined
