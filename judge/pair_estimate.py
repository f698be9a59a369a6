"""Trace files × Settings -> Estimate: what comparing them would take, before anything is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from judge.errors import InputError
from judge.estimate import Counted, Estimate, sum_up
from judge.measured import learn
from judge.paid import Find, has_replies, paid_replies
from judge.pairs.asking import decide
from judge.pairs.inputs import read_pairs, refuse_no_pair
from judge.pairs.pair import Pair, open_question
from judge.runs.claim import refuse_other_judge
from judge.settings import Settings
from judge.traces.reading import Traces

__all__ = ["estimate_pairs"]


async def estimate_pairs(
    inputs: Sequence[Traces], settings: Settings, *, limit: int | None = None, out: Path | None = None
) -> Estimate:
    """Say what comparing would take. Reads all records, asks nobody, and writes nothing.

    Args:
        inputs: As of `compare_files`.
        settings: Judge and rubric, of `pairs`.
        limit: Record ids that are looked at, at most.
        out: Run directory that would be gone on with: what its journal holds is stored.

    Returns:
        Of pairs as its records, and of questions as its units: an axis in one order is one.

    Raises:
        InputError: An input cannot be used, or no two traces can be compared.
        ConfigError: `out` holds a run of another judge.
    """
    if out is not None:
        refuse_other_judge(out, settings, paid=has_replies(out / "journal.sqlite"))
    counted = Counted()
    async with read_pairs(inputs, asyncio.Event(), limit=limit) as paired:
        refuse_no_pair(paired)
        with paid_replies(settings, out) as find:
            for pair in paired.grouped.pairs:
                await _count(counted, pair, settings, find)
    return sum_up(counted, settings, None if out is None else learn(out, settings.labels.judge, required=False))


async def _count(counted: Counted, pair: Pair, settings: Settings, find: Find) -> None:
    counted.records += 1
    way = settings.pair_way
    try:
        question = await open_question(pair)
        decided = decide(pair, way.prompt)
        asked = way.first_asks(pair, question, way.prompt.asked.keys() - decided.keys())
    except InputError:
        counted.failed += 1
        return
    counted.contentless += not asked
    for _, request in asked:
        counted.units += len(request.probes.asked)
        counted.sure.add(request, stored=find(request) is not None)
