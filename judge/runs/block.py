"""Outcomes of neighbouring records -> one part of a run directory, joined with what an earlier session left there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import polars as pl

from judge.journal.journal import Journal
from judge.record import Record
from judge.runs.directory import RunDirectory
from judge.table import Labels, Rows, Tables

__all__ = ["BLOCK_RECORDS", "Block", "block_of", "open_block"]

BLOCK_RECORDS = 500
"""Records in a part: small enough to hold some dozens of them open, large enough for a million records."""


def block_of(position: int) -> int:
    """Number, from 1, of the block that a row at this position, from 0, is in."""
    return 1 + position // BLOCK_RECORDS


@dataclass(slots=True)
class Block:
    """Up to 500 records of the input that are written together.

    Attributes:
        number: From 1.
        old: The rows that an earlier session scored here.
        scored: Line and record key of those rows.
        kept: Lines whose old rows hold.
        fresh: The rows of the records that were judged in this session.
    """

    number: int
    old: Tables | None
    scored: frozenset[tuple[int, str]]
    fresh: Rows
    kept: set[int] = field(default_factory=set)

    @property
    def done(self) -> int:
        """Records that are done, in this session or an earlier one."""
        return len(self.kept) + len(self.fresh.lines)

    @property
    def full(self) -> bool:
        """Whether all of its records are done; the last block of an input has fewer."""
        return self.done == BLOCK_RECORDS

    def holds(self, record: Record) -> bool:
        """Whether an earlier session scored this very record, at this very line."""
        return (record.line, record.key) in self.scored

    def write(self, directory: RunDirectory, *, whole: bool) -> None:
        """Write the part, if anything in it changed.

        Args:
            directory: Where.
            whole: The input was read to the end of the block: old rows of other lines are of no record any more.
                Otherwise they are kept, as they may be reached yet.
        """
        lines = {line for line, _ in self.scored}
        staying = self.kept if whole else lines.difference(self.fresh.lines)
        if not self.fresh.lines and staying == lines:
            return
        fresh = self.fresh.build()
        directory.write_part(self.number, _joined(_only(self.old, staying), fresh) if self.old else _joined(fresh))


def open_block(number: int, directory: RunDirectory, journal: Journal | None, labels: Labels) -> Block:
    """A block with what an earlier session left of it, less the failures: those are asked for anew."""
    old = directory.read_part(number)
    if old is None:
        return Block(number=number, old=None, scored=frozenset(), fresh=Rows(labels))
    # A record may have a score although some of its units failed (--min-coverage, --samples): those are failures too.
    scored = old.scores.filter(pl.col("failure").is_null() & (pl.col("units_judged") == pl.col("units_asked")))
    if old.failures.height:
        if journal is not None:
            journal.retire(_failed_calls(old.calls.filter(~pl.col("line").is_in(scored["line"].implode()))))
        old = _only(old, scored["line"])
        # Before anything is paid anew, or a second resume would retire the new replies too.
        directory.write_part(number, old)
    lines = frozenset(scored.select("line", "record_key").iter_rows())
    return Block(number=number, old=old, scored=lines, fresh=Rows(labels))


def _failed_calls(calls: pl.DataFrame) -> pl.Series:
    """The calls of every conversation that ended without verdicts, its first ask included.

    Were only the last one asked anew, the replies before it would call for the same complaint again.
    """
    conversation = pl.col("call_id").str.ends_with("-0").cum_sum()
    return calls.filter(pl.col("failure").last().over(conversation).is_not_null())["call_id"]


def _only(tables: Tables, lines: Iterable[int]) -> Tables:
    wanted = pl.Series(list(lines), dtype=pl.Int64).implode()
    return _mapped(lambda name: getattr(tables, name).filter(pl.col("line").is_in(wanted)))


def _joined(*parts: Tables) -> Tables:
    # A stable sort: the rows of one record keep their order.
    return _mapped(lambda name: pl.concat([getattr(part, name) for part in parts]).sort("line", maintain_order=True))


def _mapped(frame: Callable[[str], pl.DataFrame]) -> Tables:
    return Tables(scores=frame("scores"), verdicts=frame("verdicts"), calls=frame("calls"), failures=frame("failures"))
