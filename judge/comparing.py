"""Two lists of records × a connection -> which traces are better: `Judge.compare`, where nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from judge.compare import pair_asker
from judge.connect import Connection
from judge.errors import RecordError
from judge.outcome import failed_record
from judge.pairs.asking import PairOutcome
from judge.pairs.grouping import PairFailure, group
from judge.pairs.pair import Candidate, Pair
from judge.pairs.reading import build_candidate
from judge.pairs.table import Compared, build_compared
from judge.record import Record
from judge.settings import Settings
from judge.traces.reading import Reader
from judge.working import each

__all__ = ["Given", "compare_records"]

Given: TypeAlias = Mapping[str, object] | Record


async def compare_records(
    lists: Mapping[str, Sequence[Given]], settings: Settings, *, reader: Reader, connection: Connection
) -> Compared:
    """Compare all records that share an id and are of different models, two by two.

    Args:
        lists: Name of a list -> its records; it stands for the model of those that name none.
        settings: Judge and rubric, of `pairs`.
        reader: Makes records of mappings, and opens their images.
        connection: To the judge.

    Returns:
        The tables, in the order of the records; one that is none, or has no partner, is a failure in them.

    Raises:
        FatalError: No request can succeed.
        CacheError: What is paid for cannot be kept.
    """
    candidates: list[Candidate] = []
    failures: list[PairFailure] = []
    for name, number, given in _numbered(lists):
        try:
            candidates.append(await _candidate(reader, given, number, name))
        except RecordError as exc:
            failed = failed_record(exc, record=None, line=number).failures
            failures += [PairFailure(failure=failure, source=name) for failure in failed]
    grouped = group(candidates)
    outcomes = await _outcomes(grouped.pairs, settings, connection)
    return build_compared(outcomes, (*failures, *grouped.failures), settings.labels)


def _numbered(lists: Mapping[str, Sequence[Given]]) -> Iterator[tuple[str, int, Given]]:
    return ((name, number, one) for name, records in lists.items() for number, one in enumerate(records, start=1))


async def _candidate(reader: Reader, given: Given, number: int, name: str) -> Candidate:
    """Of a record that was read, as it is; one that was made by hand has neither a place nor a key."""
    if isinstance(given, Record):
        if given.key:
            return Candidate(record=given, model=given.model or name, source=name)
        given = given.given
    opens = partial(reader.record, given, number)
    return await build_candidate(reader.fields(given, number), opens, number=number, source=name, model=name)


async def _outcomes(pairs: Sequence[Pair], settings: Settings, connection: Connection) -> list[PairOutcome]:
    asker = pair_asker(settings, connection)
    found: dict[int, PairOutcome] = {}

    async def work(numbered: tuple[int, Pair]) -> None:
        number, pair = numbered
        found[number] = await asker.judge(pair)

    await each(enumerate(pairs), work, concurrency=min(settings.concurrency, max(1, len(pairs))))
    return [found[number] for number in range(len(pairs))]
