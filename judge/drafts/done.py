"""Rows of the input -> what came of each, in one session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from judge.drafts.row import Row
from judge.errors import RecordError
from judge.outcome import Failure
from judge.record import Record

__all__ = ["Done"]


@dataclass(slots=True)
class Done:
    """What came of the rows of one session.

    Attributes:
        drafted, kept: By line of the input: the lines of the judge, and those that a person had edited.
        failures: By line: why there is no draft, and the calls that failed.
        repeated: Further rows of a question.
    """

    drafted: dict[int, Row] = field(default_factory=dict)
    kept: dict[int, Row] = field(default_factory=dict)
    failures: dict[int, list[tuple[Failure, tuple[str, ...]]]] = field(default_factory=dict)
    repeated: int = 0
    _keys: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows are done."""
        return len(self.drafted) + len(self.kept) + len(self.failures) + self.repeated

    @property
    def counts(self) -> dict[str, int]:
        """Of rows, for `run.json`."""
        return {
            "drafted": len(self.drafted),
            "kept": len(self.kept),
            "repeated": self.repeated,
            "failed": len(self.failures),
        }

    def repeats(self, record: Record) -> bool:
        """Whether the question of a record came before; counted then.

        Raises:
            RecordError: Another question has its id.
        """
        if record.id not in self._keys:
            self._keys[record.id] = record.key
            return False
        if self._keys[record.id] != record.key:
            raise RecordError(
                f"is {record.id!r}, which an earlier row with another question or reference has.",
                line=record.line,
                field="id",
                record_id=record.id,
                code="duplicate_id",
                hint="Units are joined by id: give each question its own.",
            )
        self.repeated += 1
        return True

    def failed(self) -> Iterator[tuple[Failure, tuple[str, ...]]]:
        """All failures in input order, with their calls."""
        for _, failures in sorted(self.failures.items(), key=lambda item: item[0]):
            yield from failures
