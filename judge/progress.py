"""Outcomes -> counts: where a run stands, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce

from judge.caution import Caution
from judge.outcome import Call, Outcome

__all__ = ["Progress", "RunReport", "sum_up"]


@dataclass(slots=True)
class Progress:
    """Where a run stands; changes while it goes on.

    Attributes:
        read: Records begun in this session.
        scored, failed: Of those, the ones with and without a trace score; `kept` were scored in an earlier session.
        calls: Calls answered or given up in this session; `cached` of them were stored.
        tokens: Prompt and completion tokens of this session's paid calls.
        throttled: Calls that wait now, because the server said that we ask too fast.
    """

    read: int = 0
    scored: int = 0
    failed: int = 0
    kept: int = 0
    calls: int = 0
    cached: int = 0
    tokens: int = 0
    throttled: int = 0

    @property
    def done(self) -> int:
        """Records that are finished, one way or the other."""
        return self.scored + self.failed

    def plus(self, other: Progress) -> Progress:
        """Where two runs stand together."""
        return Progress(**{name: count + getattr(other, name) for name, count in asdict(self).items()})

    def keep(self) -> None:
        """Count a record of an earlier session."""
        self.kept += 1
        self.scored += 1

    def throttle(self, change: int) -> None:
        """Count a call that begins to wait (+1), or goes on (-1)."""
        self.throttled += change

    def add(self, outcome: Outcome) -> None:
        """Count a record of this session."""
        self.scored += outcome.failure is None
        self.failed += outcome.failure is not None
        self.count(outcome.calls)

    def count(self, calls: Sequence[Call]) -> None:
        """Count the calls of a record of this session."""
        self.calls += len(calls)
        for reply in (call.reply for call in calls if call.reply is not None):
            self.cached += reply.cached
            self.tokens += 0 if reply.cached else (reply.prompt_tokens or 0) + (reply.completion_tokens or 0)


def sum_up(counts: Iterable[Progress]) -> Progress:
    """Where several runs stand together."""
    return reduce(Progress.plus, counts, Progress())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a session ended.

    Attributes:
        finished: Everything that was to be read is scored or has failed; else the run can be resumed.
        read, scored, failed: Records in the tables; read = scored + failed.
        units_asked, units_judged: Over all of them; the difference has no verdict.
        spent: Totals of all replies paid for, in all sessions; empty for a judge that is free.
        notes: What the backend had to do differently.
        cautions: What to doubt of the numbers, the most important first.
    """

    finished: bool
    read: int
    scored: int
    failed: int
    units_asked: int
    units_judged: int
    spent: dict[str, int | float | None]
    notes: tuple[str, ...]
    cautions: tuple[Caution, ...] = ()
