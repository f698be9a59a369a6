"""A file of units -> which ones a person is asked about, and in which order.

{"record_id": "r1", "model": "m", "axis": "perception", "unit_id": "P1"}

Other fields are left unread, so that `doubtful.jsonl` of a run is such a file, and so is a file of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from judge.errors import ConfigError
from judge.label.label import Place, first_fault
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["read_chosen"]


class _Chosen(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    record_id: str
    model: str | None = None
    axis: str
    unit_id: str


def read_chosen(path: Path) -> Mapping[Place, int]:
    """The units of a file, each with its rank: the first line is 0.

    Raises:
        ConfigError: It cannot be read, a line names no unit, or it has no lines; says which line and why.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as exc:
        raise ConfigError(f"--only {path}: {exc.strerror}.") from exc
    places: dict[Place, int] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            places.setdefault(_place(path, number, line), len(places))
    if not places:
        raise ConfigError(f"--only {path} names no units.", hint="Leave it out to label all of them.")
    return places


def _place(path: Path, number: int, line: bytes) -> Place:
    try:
        one = _Chosen.model_validate(parse_json(line.decode("utf-8")))
    except (StrictJsonError, UnicodeDecodeError) as exc:
        raise ConfigError(f"--only {path}, line {number}: {exc}.") from exc
    except ValidationError as exc:
        raise ConfigError(f"--only {path}, line {number}: {first_fault(exc)}.") from exc
    return Place(one.record_id, one.model, one.axis, one.unit_id)
