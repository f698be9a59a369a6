"""A row × a declared format -> Recording: who said what of which trace or pair, or why nothing was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from judge.errors import RecordError
from judge.preference import MARGIN, OVERALL, Preferred
from judge.recordings.grammar import Grammar, Heard, Unread
from judge.recordings.recording import RecordedFormat
from judge.recordings.rows import Row, read_rows
from judge.recordings.template import fill, fill_text

__all__ = ["Recording", "as_shown", "read_recordings"]

_TRUE: Final[Mapping[str, bool]] = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recorded judge output, read.

    Attributes:
        path, line: Where it is.
        fields: Of its row; empty where it has none.
        record_id, judge: None where the row does not say.
        axis: Of the verdict.
        model_a, model_b: Of a pair.
        model: Of a trace.
        swapped: `model_b` was shown first.
        text: As it was recorded; several joined by a line end.
        heard: What it says, as shown; None where it says nothing that can be used.
        preferred: Of a pair: which is better.
        numbers: Of a pair that was scored: the numbers of `model_a` and `model_b`.
        failure: Why it has no verdict, as a short word.
        message: The same in words.
        stage: Where it failed: `read` (the row) or `reply` (the text).
    """

    path: Path
    line: int
    fields: Mapping[str, Any]
    axis: str
    record_id: str | None = None
    judge: str | None = None
    model_a: str | None = None
    model_b: str | None = None
    model: str | None = None
    swapped: bool = False
    text: str = ""
    heard: Heard | None = None
    preferred: Preferred | None = None
    numbers: tuple[float, float] | None = None
    failure: str | None = None
    message: str = ""
    stage: str = "reply"


def read_recordings(paths: Sequence[Path], declared: RecordedFormat) -> Iterator[Recording | None]:
    """All recordings of files, in order; None for a row of another format.

    Raises:
        InputError: A file cannot be read.
    """
    grammar = Grammar(declared)
    for row in read_rows(paths, declared):
        yield None if row is None else _read(row, declared, grammar)


def _read(row: Row, declared: RecordedFormat, grammar: Grammar) -> Recording:
    axis = declared.axis or OVERALL
    fields = {} if isinstance(row.fields, RecordError) else row.fields
    about: dict[str, Any] = {"path": row.path, "line": row.line, "fields": fields, "axis": axis}
    try:
        if isinstance(row.fields, RecordError):
            raise row.fields
        for name in ("record", "judge", "model_a", "model_b", "model"):
            if (template := getattr(declared, name)) is not None:
                about["record_id" if name == "record" else name] = fill_text(template, fields)
        about["swapped"] = _swapped(declared, fields)
        texts = [_text(template, fields) for template in declared.raw]
        cut = declared.finish is not None and fill(declared.finish, fields) in declared.cut
    except RecordError as exc:
        place = f"{exc.field}: " if exc.field else ""
        return Recording(**about, failure=exc.code, message=f"{place}{exc.message}", stage="read")
    heard = _heard([grammar.read(text, cut=cut, fields=fields) for text in texts])
    about["text"] = "\n".join(texts)
    if isinstance(heard, Unread):
        return Recording(**about, failure=heard.error, message=f"the recorded text {heard.message}")
    return Recording(**about, heard=heard, **(_compared(heard, about["swapped"]) if declared.pairs else {}))


def _swapped(declared: RecordedFormat, fields: Mapping[str, Any]) -> bool:
    if declared.swapped is None:
        return False
    written = fill_text(declared.swapped, fields).lower()
    if written not in _TRUE:
        raise RecordError(f"is {written!r}; true or false.", field=declared.swapped, code="wrong_type")
    return _TRUE[written]


def _text(template: str, fields: Mapping[str, Any]) -> str:
    """What a server sends in place of a text that it has not is an empty one."""
    value = fill(template, fields)
    return "" if value is None else fill_text(template, fields)


def _heard(each: Sequence[Heard | Unread]) -> Heard | Unread:
    """Two numbers of two texts are a pair of numbers."""
    unread = next((one for one in each if isinstance(one, Unread)), None)
    if unread is not None or len(each) == 1:
        return unread or each[0]
    first, second = each
    assert isinstance(first, float) and isinstance(second, float)  # such a format has forms of one number
    return (first, second)


def _compared(heard: Heard, swapped: bool) -> dict[str, Any]:  # noqa: FBT001 - a fact, not a switch
    if not isinstance(heard, tuple):
        assert isinstance(heard, str)
        return {"preferred": as_shown(heard, swapped)}
    score_a, score_b = reversed(heard) if swapped else heard
    if abs(score_a - score_b) <= MARGIN:
        return {"preferred": "tie", "numbers": (score_a, score_b)}
    return {"preferred": "A" if score_a > score_b else "B", "numbers": (score_a, score_b)}


def as_shown(said: str, swapped: bool) -> str:  # noqa: FBT001 - a fact, not a switch
    """A label by the models: `first` is A, or B where the pair was shown the other way round."""
    if said in ("first", "second"):
        return "A" if (said == "first") != swapped else "B"
    return said
