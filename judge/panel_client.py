"""class Panel: the library's door for several judges, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from judge import loop
from judge.client import Given, Judge, listed
from judge.errors import JudgeError, RecordError
from judge.outcome import Failure, Outcome, failed_record
from judge.panel import Reducer
from judge.panels.accord import Accord
from judge.panels.joining import join_tables
from judge.panels.rule import PanelRule, build_rule
from judge.record import Record, copy_record
from judge.table import Run, build_tables

__all__ = ["Panel", "PanelRun"]

_TABLES = ("scores", "verdicts", "calls", "failures")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRun(Run):
    """What a panel gave: the rows of every judge, and the panel's own below them.

    Attributes:
        judge: The judge id of the panel's own rows; begins with `panel:`.
        accord: How far the judges agree, per axis and for every two of them.
        doubtful: The units that a person should look at, the most doubtful first; in the form of `doubtful.jsonl`.
    """

    judge: str
    accord: Accord = field(repr=False)
    doubtful: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def panel(self) -> Run:
        """The panel's own rows alone, with one row a record in `scores`, so that they can be merged; no calls."""
        tables = {name: getattr(self, name).filter(judge=self.judge) for name in _TABLES}
        return Run(**tables)


class Panel:
    """Several judges on the same records, whose verdicts become one unit by unit. Works where a `Judge` works.

    Args:
        judges: Two or more, each another one, with one rubric and asked in one way.
        reducer: `majority` (two values that share the most are a split, which is no verdict), `mean` or `median`.
        min_judges: Judges that must have a verdict on a unit, from 1 to all; None for more than half.

    Raises:
        ConfigError: It is no panel; says which judges or settings are to blame.

    Example:
        >>> from judge import Judge, Panel
        >>> judges = [Judge("lexical", min_coverage=1.0), Judge("hosted_vllm/m", api_base="http://127.0.0.1:8000/v1")]
        >>> Panel(judges, reducer="mean")
        Panel([Judge('lexical', rubric='pkr@1.0'), Judge('hosted_vllm/m', rubric='pkr@1.0')], reducer='mean')
    """

    def __init__(
        self, judges: Sequence[Judge], *, reducer: Reducer = "majority", min_judges: int | None = None
    ) -> None:
        self._judges = list(judges)
        self._rule = build_rule([judge.settings for judge in self._judges], reducer, min_judges)

    def __getstate__(self) -> tuple[list[Judge], Reducer, int]:
        return self._judges, self._rule.reducer, self._rule.least  # judges pickle, and what they have computed does not

    def __setstate__(self, state: tuple[list[Judge], Reducer, int]) -> None:
        judges, reducer, least = state
        self.__init__(judges, reducer=reducer, min_judges=least)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"Panel({self._judges!r}, reducer={self._rule.reducer!r})"

    @property
    def rule(self) -> PanelRule:
        """Who is in it, and how it decides; `rule.labels.judge` is the judge id of its rows."""
        return self._rule

    def score(self, records: Iterable[Given], *, deadline_s: float | None = None) -> PanelRun:
        """Score records by every judge at the same time, and wait.

        Args:
            records: As of `Judge.score`; order is kept.
            deadline_s: As of `Judge.score`, of each judge.

        Returns:
            The tables, of each record the judges' rows and then the panel's. A judge whose provider refuses every
            request or is down has failures there, and the others go on.

        Raises:
            InputError: As `Judge.score`.
            FatalError: No judge can be asked: the first one's error.
        """
        return loop.run(self._score(listed(records), deadline_s))

    async def ascore(self, records: Iterable[Given], *, deadline_s: float | None = None) -> PanelRun:
        """Score records; the same as `score` for callers that have an event loop of their own."""
        return await loop.complete(self._score(listed(records), deadline_s))

    async def _score(self, records: Sequence[Given], deadline_s: float | None) -> PanelRun:
        rows = await self._rows(records)
        asked = [_outcomes(judge, _as_seen_by(judge, rows), deadline_s) for judge in self._judges]
        outcomes = await asyncio.gather(*asked)
        errors = [found for found in outcomes if isinstance(found, JudgeError)]
        if len(errors) == len(outcomes):
            raise errors[0]
        tables = [
            build_tables(_failed(rows, found) if isinstance(found, JudgeError) else found, judge.settings.labels)
            for judge, found in zip(self._judges, outcomes, strict=True)
        ]
        accord = Accord()
        joined, doubts = join_tables(tables, self._rule, accord)
        return PanelRun(
            **{name: getattr(joined, name) for name in _TABLES},
            judge=self._rule.labels.judge,
            accord=accord,
            doubtful=tuple(doubt.row for doubt in sorted(doubts, key=lambda doubt: doubt.rank)),
        )

    async def _rows(self, records: Sequence[Given]) -> list[Record | RecordError]:
        """The records as a judge sees them that opens their images: their keys go by what these hold."""
        sees = next((judge for judge in self._judges if not judge.settings.free), self._judges[0])
        rows = await sees.arecords(records)
        return [_numbered(row, number) for number, row in enumerate(rows, start=1)]


async def _outcomes(
    judge: Judge, rows: Sequence[Record | RecordError], deadline_s: float | None
) -> list[Outcome] | JudgeError:
    """What came of the rows, in their order, or why this judge could not be asked."""
    whole = [row for row in rows if isinstance(row, Record)]
    try:
        judged = iter(await judge.aoutcomes(whole, deadline_s=deadline_s))
    except JudgeError as exc:
        return exc
    return [next(judged) if isinstance(row, Record) else _unread(row) for row in rows]


def _numbered(row: Record | RecordError, number: int) -> Record | RecordError:
    """With its place here: the judges' rows on a record are found by it, and two lists may have been put together."""
    if isinstance(row, RecordError):
        row.line = number
        return row
    return row if row.line == number else copy_record(row, line=number, images=row.images)


def _unread(error: RecordError) -> Outcome:
    return failed_record(error, record=None, line=error.line)


def _failed(rows: Sequence[Record | RecordError], error: JudgeError) -> list[Outcome]:
    return [_unasked(row, error) if isinstance(row, Record) else _unread(row) for row in rows]


def _unasked(record: Record, error: JudgeError) -> Outcome:
    failure = Failure(line=record.line, record_id=record.id, stage="ask", error=error.code, message=str(error))
    return Outcome(line=record.line, record=record, failures=(failure,))


def _as_seen_by(judge: Judge, rows: Sequence[Record | RecordError]) -> list[Record | RecordError]:
    """A judge that compares words is shown no images; the others of the panel may be."""
    if not judge.settings.free:
        return [*rows]
    return [copy_record(row, line=row.line, images=()) if isinstance(row, Record) else row for row in rows]
