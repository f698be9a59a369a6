"""Trace files -> all that can be compared, and what is in no pair."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from judge.errors import InputError
from judge.pairs.grouping import Grouped, PairFailure, group
from judge.pairs.pair import Candidate
from judge.pairs.reading import name_sources, read_candidates
from judge.traces.reading import Traces

__all__ = ["Paired", "read_pairs", "refuse_no_pair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What some inputs give to compare.

    Attributes:
        grouped: The pairs, and the records that are in none.
        unreadable: Rows that are no records.
    """

    grouped: Grouped
    unreadable: tuple[PairFailure, ...]

    @property
    def unpaired(self) -> tuple[PairFailure, ...]:
        """All that is in no pair."""
        return self.unreadable + self.grouped.failures

    @property
    def records(self) -> dict[str, int]:
        """Rows: read = paired + unpaired."""
        paired, unpaired = self.grouped.paired, len(self.unpaired)
        return {"read": paired + unpaired, "paired": paired, "unpaired": unpaired}


@asynccontextmanager
async def read_pairs(
    inputs: Sequence[Traces], stop: asyncio.Event, *, limit: int | None = None
) -> AsyncIterator[Paired]:
    """Read all inputs and pair their records; within, their images can be opened.

    Args:
        inputs: One file or more.
        stop: When set, no more is read.
        limit: Record ids that are looked at, at most.

    Raises:
        InputError: One holds no record, or is of no known format.
        CancelledError: It was stopped.
    """
    candidates: list[Candidate] = []
    unreadable: list[PairFailure] = []
    with ExitStack() as stack:
        for traces, model in zip(inputs, name_sources([one.path for one in inputs]), strict=True):
            reading = stack.enter_context(traces.opened())
            await reading.lines.begin(stop, traces.path)
            found, failed = await read_candidates(reading, source=traces.name, model=model, stop=stop)
            candidates += found
            unreadable += failed
        yield Paired(grouped=group(candidates, limit=limit), unreadable=tuple(unreadable))


def refuse_no_pair(paired: Paired) -> None:
    """Raise where there is nothing to compare.

    Raises:
        InputError: Says what is in the way.
    """
    if paired.grouped.pairs:
        return
    (error, times), *_ = Counter(one.failure.error for one in paired.unpaired).most_common(1)
    first = next(one.failure.message for one in paired.unpaired if one.failure.error == error)
    hint = "Traces are compared that have the same id and different models."
    raise InputError(f"no record has traces of two models ({times} × {error}). The first: {first}", hint=hint)
