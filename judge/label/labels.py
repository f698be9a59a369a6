"""Labels of a person <-> lines of one JSONL file.

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
from typing import IO, Any, TypeAlias

from pydantic import ValidationError

from judge.errors import ConfigError
from judge.label.label import ANSWERS, Label, Place, Question, first_fault
from judge.runs.directory import write_atomically
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["LabelFile", "open_labels"]

_NEEDED = ("record_id", "axis", "unit_id", "rater")
_State: TypeAlias = tuple[int, int, int]


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
            if fields["rater"] == self.rater and not ANSWERS.keys().isdisjoint(fields):
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
