"""Records × a connection -> which traces are better, where nothing is written: `Judge.compare` and `Judge.apairs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from judge.compare import pair_asker
from judge.connect import Connection
from judge.errors import RecordError
from judge.outcome import failed_record
from judge.pairs.asking import PairOutcome, late_pair
from judge.pairs.grouping import PairFailure, group
from judge.pairs.pair import Candidate, Pair
from judge.pairs.reading import build_candidate
from judge.pairs.table import Compared, build_compared
from judge.record import Record, copy_record
from judge.settings import Settings
from judge.traces.reading import Reader
from judge.working import each, within

__all__ = ["Comparing", "Given"]

Given: TypeAlias = Mapping[str, object] | Record
_SIDES = ("a", "b")
_CLOSED = Reader(images=None)
"""For what there was no time for: its images may be what took so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """How records are compared, and how long that may take.

    Attributes:
        settings: Judge and rubric, of `pairs`.
        reader: Makes records of mappings, and opens their images.
        connected: Gives the connection to the judge.
        deadline_s: Seconds after which a pair that is not done is a failure, `timeout`; None waits for all of them.
    """

    settings: Settings
    reader: Reader
    connected: Callable[[], AbstractAsyncContextManager[Connection]]
    deadline_s: float | None = None

    async def by_id(self, lists: Mapping[str, Sequence[Given]]) -> Compared:
        """Compare all records that share an id and are of different models, two by two.

        Args:
            lists: Name of a list -> its records; it stands for the model of those that name none.

        Returns:
            The tables, in the order of the records; one that is none, or has no partner, is a failure in them.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept.
        """
        found: dict[int, PairOutcome] = {}
        read: _Read | None = None
        async with within(self.deadline_s), self.connected() as connection:
            read = await _read(lists, self.reader)
            asker = pair_asker(self.settings, connection)

            async def work(numbered: tuple[int, Pair]) -> None:
                number, pair = numbered
                found[number] = await asker.judge(pair)

            await each(enumerate(read.pairs), work, concurrency=self._workers(len(read.pairs)))
        read = read or await _read(lists, _CLOSED)
        outcomes = [found.get(number) or self._late(pair) for number, pair in enumerate(read.pairs)]
        return build_compared(outcomes, read.failures, self.settings.labels)

    async def by_place(self, pairs: Sequence[tuple[Given, Given]]) -> list[PairOutcome | PairFailure]:
        """Compare the two records of each pair, whatever their models are called.

        Args:
            pairs: Of one question each. What one of the two leaves out, also the id, is taken from the other.

        Returns:
            What came of each, in their order; a `PairFailure` where one of the two is no record, with `a` or `b` as
            its source, or where they have two ids, with `pair`.

        Raises:
            FatalError, CacheError: As `by_id`.
        """
        found: dict[int, PairOutcome | PairFailure] = {}
        async with within(self.deadline_s), self.connected() as connection:
            asker = pair_asker(self.settings, connection)

            async def work(numbered: tuple[int, tuple[Given, Given]]) -> None:
                number, two = numbered
                pair = await _pair(self.reader, two, number)
                found[number] = await asker.judge(pair) if isinstance(pair, Pair) else pair

            await each(enumerate(pairs, start=1), work, concurrency=self._workers(len(pairs)))
        for number, two in enumerate(pairs, start=1):
            if number not in found:
                pair = await _pair(_CLOSED, two, number)
                found[number] = self._late(pair) if isinstance(pair, Pair) else pair
        return [found[number] for number in range(1, len(pairs) + 1)]

    def _workers(self, pairs: int) -> int:
        return min(self.settings.concurrency, max(1, pairs))

    def _late(self, pair: Pair) -> PairOutcome:
        message = f"not done within the {self.deadline_s:.3g} s that the batch had."
        return late_pair(pair, self.settings.pair_way, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What lists of records give to compare, and what they do not."""

    pairs: tuple[Pair, ...]
    failures: tuple[PairFailure, ...]


async def _read(lists: Mapping[str, Sequence[Given]], reader: Reader) -> _Read:
    candidates: list[Candidate] = []
    failures: list[PairFailure] = []
    for name, number, given in _numbered(lists):
        try:
            candidates.append(await _candidate(reader, given, number, name))
        except RecordError as exc:
            failures.append(_unreadable(exc, number, name))
    grouped = group(candidates)
    return _Read(pairs=grouped.pairs, failures=(*failures, *grouped.failures))


def _numbered(lists: Mapping[str, Sequence[Given]]) -> Iterator[tuple[str, int, Given]]:
    return ((name, number, one) for name, records in lists.items() for number, one in enumerate(records, start=1))


async def _pair(reader: Reader, two: tuple[Given, Given], number: int) -> Pair | PairFailure:
    side = _SIDES[0]
    try:
        a = await _candidate(reader, two[0], number, side)
        side = _SIDES[1]
        b = await _candidate(reader, two[1], number, side)
    except RecordError as exc:
        return _unreadable(exc, number, side)
    ids = [one.record.id for one, given in zip((a, b), two, strict=True) if _says_id(given)] or [a.record.id]
    if ids[0] != ids[-1]:
        message = f"is {ids[0]!r} in one record and {ids[-1]!r} in the other, and a pair is of one question."
        hint = "Give both the same id, or leave it out in one of them."
        other = RecordError(message, line=number, field="id", record_id=ids[0], code="other_question", hint=hint)
        return _unreadable(other, number, "pair")
    record = copy_record(a.record, line=a.record.line, images=a.record.images, record_id=ids[0])
    return Pair(a=replace(a, record=record), b=b)


def _says_id(given: Given) -> bool:
    return isinstance(given, Record) or given.get("id") is not None


def _unreadable(error: RecordError, number: int, source: str) -> PairFailure:
    (failure,) = failed_record(error, record=None, line=number).failures
    return PairFailure(failure=failure, source=source)


async def _candidate(reader: Reader, given: Given, number: int, name: str) -> Candidate:
    """Of a record that was read, as it is; one that was made by hand has neither a place nor a key."""
    if isinstance(given, Record):
        if given.key:
            return Candidate(record=given, model=given.model or name, source=name)
        given = given.given
    opens = partial(reader.record, given, number)
    return await build_candidate(reader.fields(given, number), opens, number=number, source=name, model=name)
