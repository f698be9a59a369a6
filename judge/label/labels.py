"""Labels of a person <-> lines of one JSONL file.

{"record_id": "r1", "model": "m", "axis": "perception", "unit_id": "P1", "rater": "ann", "presence": 2,
"correctness": 1, "evidence": "The right base is opaque", "evidence_start": 7, "evidence_end": 31, "record_key": "9f…"}

A criterion has `"verdict": "MET"` in place of presence and correctness, and a scale `"value": 3`.

The file may hold labels of other raters: those lines stay as they are. It is replaced as a whole for every label, so
that a reader sees whole lines, and a crash loses at most the label under way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from judge.errors import ConfigError
from judge.runs.directory import write_atomically
from judge.strict_json import StrictJsonError, parse_json
from judge.words import Met

__all__ = ["Answer", "Label", "LabelFile", "Place", "Question", "first_fault", "open_labels"]

Answer: TypeAlias = Literal["presence", "verdict", "value"]
"""How something is answered: a unit by its presence, and then its correctness; a criterion; a scale."""

_NEEDED = ("record_id", "axis", "unit_id", "rater")
_ANSWERS: Mapping[Answer, tuple[str, ...]] = {
    "presence": ("presence", "correctness"),
    "verdict": ("verdict",),
    "value": ("value",),
}
_State: TypeAlias = tuple[int, int, int]


class Place(NamedTuple):
    """The unit of a trace that a label is of."""

    record_id: str
    model: str | None
    axis: str
    unit_id: str


class Question(NamedTuple):
    """What a person is asked at a place.

    Attributes:
        levels: Of a value: what it may be.
    """

    place: Place
    answer: Answer
    levels: tuple[int, ...] = ()


class Label(BaseModel):
    """One line of the file: a presence, a verdict or a value.

    Attributes:
        presence: Of a unit: 0 not raised, 1 partly or implied, 2 clearly raised.
        correctness: -1 wrong, 0 unclear, 1 right; null exactly where presence is 0.
        verdict: Of a criterion: whether it holds.
        value: Of a scale: the level; of a score, whatever number was given to it.
        evidence: A passage of the trace; null where none was marked.
        evidence_start: Where it begins, in code points of the joined trace.
        evidence_end: Where it ends, exclusive.
        record_key: Of the record as it was labelled; another one means that the record has changed since.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    record_id: str
    model: str | None = None
    axis: str
    unit_id: str
    rater: str
    presence: Literal[0, 1, 2] | None = None
    correctness: Literal[-1, 0, 1] | None = None
    verdict: Met | None = None
    value: int | FiniteFloat | None = None
    evidence: str | None = None
    evidence_start: int | None = Field(default=None, ge=0)
    evidence_end: int | None = Field(default=None, ge=1)
    record_key: str | None = None

    @model_validator(mode="after")
    def _answers_once(self) -> Label:
        if len([name for name in _ANSWERS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"a label has one of {', '.join(_ANSWERS)}")
        if bool(self.presence) != (self.correctness is not None):
            raise ValueError("correctness must be -1, 0 or 1 where presence is 1 or 2, and null where it is not")
        return self

    @property
    def place(self) -> Place:
        return Place(self.record_id, self.model, self.axis, self.unit_id)

    @property
    def answers(self) -> dict[str, Any]:
        """What was said: name -> value, of what was asked only."""
        return next(
            {name: getattr(self, name) for name in names}
            for asked, names in _ANSWERS.items()
            if getattr(self, asked) is not None
        )

    def is_of(self, question: Question) -> bool:
        """Whether it answers what is asked now."""
        return question.answer in self.answers and (not question.levels or self.value in question.levels)

    def line(self) -> bytes:
        """As it stands in the file: without what is not asked of its kind."""
        others = {name for names in _ANSWERS.values() for name in names} - set(self.answers)
        return orjson.dumps(self.model_dump(exclude=others), option=orjson.OPT_APPEND_NEWLINE)


class LabelFile:
    """The labels of one rater in an open file; made by `open_labels`.

    Attributes:
        path: Of the file.
        rater: Whose labels can be changed here.
        labels: Place -> label of this rater.
    """

    def __init__(self, path: Path, rater: str, lock: int) -> None:
        self.path = path
        self.rater = rater
        self.labels: dict[Place, Label] = {}
        self._lines: dict[Place | int, bytes] = {}  # those of others by their number
        self._lock = lock
        self._read()
        self._state = _state(lock)

    def of(self, question: Question, key: str) -> Label | None:
        """The answer to a question on the record with this key; None where there is none, or it was of another one."""
        label = self.labels.get(question.place)
        return label if label is not None and label.record_key in (None, key) and label.is_of(question) else None

    def put(self, label: Label) -> None:
        """Write a label, in the line of an earlier one of its place; on the disk when this returns.

        Raises:
            ConfigError: Another program has changed the file.
            OSError: It cannot be written; it is as it was.
        """
        self._replace({**self._lines, label.place: label.line()})
        self.labels[label.place] = label

    def remove(self, place: Place) -> None:
        """Take a label out, where there is one; raises as `put`."""
        if place in self.labels:
            self._replace({key: line for key, line in self._lines.items() if key != place})
            del self.labels[place]

    def close(self) -> None:
        """Let others write to the file."""
        os.close(self._lock)

    def _read(self) -> None:
        for number, line in enumerate(self.path.read_bytes().split(b"\n"), start=1):
            if not line.strip():
                continue
            fields = self._fields(line, number)
            key: Place | int = number
            if fields["rater"] == self.rater and not _ANSWERS.keys().isdisjoint(fields):
                key = self._own(fields, number)
            self._lines[key] = line + b"\n"

    def _fields(self, line: bytes, number: int) -> Mapping[str, Any]:
        try:
            fields = parse_json(line)
        except StrictJsonError as exc:
            raise self._wrong(number, f"{exc}.") from exc
        if not isinstance(fields, dict) or not all(isinstance(fields.get(name), str) for name in _NEEDED):
            raise self._wrong(number, f"is no label: it must be an object with the texts {', '.join(_NEEDED)}.")
        return fields

    def _own(self, fields: Mapping[str, Any], number: int) -> Place:
        try:
            label = Label.model_validate(fields)
        except ValidationError as exc:
            raise self._wrong(number, first_fault(exc)) from exc
        if label.place in self.labels:
            raise self._wrong(number, f"is the second label of {label.unit_id!r} in {label.record_id!r}.")
        self.labels[label.place] = label
        return label.place

    def _wrong(self, number: int, message: str) -> ConfigError:
        hint = "Correct or remove that line, or name another --out: nothing was written."
        return ConfigError(f"{self.path}, line {number}: {message}", hint=hint)

    def _replace(self, lines: dict[Place | int, bytes]) -> None:
        if _state_at(self.path) != self._state:
            message = f"{self.path} was changed by another program."
            raise ConfigError(message, hint="Nothing was written to it: start judge label again.")
        fresh: list[int] = []

        def write(file: IO[bytes]) -> None:
            fresh.append(os.dup(file.fileno()))
            fcntl.flock(fresh[0], fcntl.LOCK_EX | fcntl.LOCK_NB)  # before it has the name that others open
            os.fchmod(fresh[0], os.fstat(self._lock).st_mode & 0o777)
            file.write(b"".join(lines.values()))

        try:
            write_atomically(self.path, write)
        except BaseException:
            for handle in fresh:
                os.close(handle)
            raise
        os.close(self._lock)
        self._lock, self._lines, self._state = fresh[0], lines, _state(fresh[0])


@contextmanager
def open_labels(path: Path, rater: str) -> Iterator[LabelFile]:
    """The labels of a rater in a file, which is made if missing and kept from other `judge label` meanwhile.

    Raises:
        ConfigError: It cannot be read or made, is in use, or holds something else; says in which line.
    """
    target = path.resolve()
    try:
        lock = _locked(target)
    except OSError as exc:
        in_use = exc.errno == errno.EWOULDBLOCK
        said = "is in use by another judge label" if in_use else (exc.strerror or str(exc))
        hint = "Wait for it, or give another --out." if in_use else "Give a file that can be written to."
        raise ConfigError(f"--out {path}: {said}.", hint=hint) from exc
    try:
        file = LabelFile(target, rater, lock)
    except BaseException:
        os.close(lock)
        raise
    try:
        _sweep(target)
        yield file
    finally:
        file.close()


def first_fault(error: ValidationError) -> str:
    """What is wrong with a label, in a sentence."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}.".removeprefix(": ").replace("Value error, ", "")


def _locked(path: Path) -> int:
    """A handle with the lock of the file that has this name now: while we wait, it may be replaced."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _state(handle) == _state_at(path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _sweep(path: Path) -> None:
    """Remove what a killed process left half written; only names that we make."""
    half = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{32}}")
    for other in path.parent.iterdir():
        if half.fullmatch(other.name):
            other.unlink()


def _state(handle: int) -> _State:
    """What changes when anybody writes to a file."""
    return _told(os.fstat(handle))


def _state_at(path: Path) -> _State | None:
    try:
        return _told(path.stat())
    except FileNotFoundError:
        return None


def _told(found: os.stat_result) -> _State:
    return found.st_ino, found.st_size, found.st_mtime_ns
