"""What pydantic says of a row -> our error, in the words of who wrote the row."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from judge.errors import RecordError

__all__ = ["explain", "shown"]

# What others call the text of a candidate, most telling first.
_LIKE_A_TRACE = (
    *("response", "model_response", "model_output", "output", "completion", "prediction", "generation"),
    *("generated_text", "model_answer", "messages", "text"),
)
# The user wrote JSON: pydantic's own words are of Python's types and of our classes.
_WANTED = {
    "string_type": "a string",
    "string_too_short": "a string that is not empty",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}
_IDS = ("id", "unit_id")
_SHOWN = reprlib.Repr()  # bounded in depth and length, whatever the value is
_SHOWN.maxstring = _SHOWN.maxother = 60


def explain(
    exc: ValidationError, fields: dict[str, Any], *, known: Collection[str], number: int, record_id: str | None
) -> RecordError:
    """The first thing that is wrong with a row.

    Args:
        exc: From the model of a record, or of the messages of its trace.
        fields: What was given.
        known: Names that a record or a unit may have; only others can be misspelt.
        number: Of the row in the input.
        record_id: Of the record, where it could be read.
    """
    error = exc.errors(include_url=False)[0]
    path = ("trace", *error["loc"][:2]) if exc.title == "list[Message]" else error["loc"]
    if error["type"] == "missing" or (path == ("trace",) and error.get("input") is None):
        message, hint = _missing(path, fields, known)
        return RecordError(message, line=number, field=_dotted(path), record_id=record_id, code="missing", hint=hint)
    wanted = _WANTED.get(error["type"], error["msg"].removeprefix("Input should be "))
    if path[-1] in _IDS and error["type"] == "string_type":
        wanted = "a string or a whole number"
    message = f"is {shown(error.get('input'))}, must be {wanted}."
    return RecordError(message, line=number, field=_dotted(path), record_id=record_id, code="wrong_type")


def _missing(path: tuple[int | str, ...], fields: dict[str, Any], known: Collection[str]) -> tuple[str, str]:
    name = str(path[-1])
    beside: Any = fields
    for part in path[:-1]:
        beside = beside[part]
    close = difflib.get_close_matches(name, [key for key in beside if key not in known], n=1)
    if close:
        return "is missing.", f"Did you mean this by {close[0]!r}?"
    return "is missing or null.", _trace_hint(beside) if name == "trace" else ""


def _trace_hint(fields: dict[str, Any]) -> str:
    named = next((name for name in _LIKE_A_TRACE if isinstance(fields.get(name), str | list)), None)
    if named:
        return f"If it is in {named!r}, give --map trace={named}."
    return "Give the candidate's text, or a list of chat messages."


def _dotted(path: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def shown(value: object) -> str:
    """A value and its type, bounded in depth and length."""
    return f"{_SHOWN.repr(value)} ({type(value).__name__})"
