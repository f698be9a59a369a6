"""One process at work: what is not written yet stays bounded, and calls leave in the order of the records."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from run_kit import error, http, make_records, score, scripted, settings_for, to_lines, traces_of

from judge.progress import Progress
from judge.run import score_file
from judge.runs.directory import RunDirectory
from judge.table import Tables

BLOCK = 5
WAITING = 2
CONCURRENCY = 8


@pytest.mark.parametrize(("concurrency", "unfinished"), [(1, 1), (CONCURRENCY, CONCURRENCY + 1)])
def test_a_disk_that_stalls_stops_the_judging(
    concurrency: int, unfinished: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record is begun while two blocks are not written; every worker may be at another, and the last be half read."""
    monkeypatch.setattr("judge.runs.block.BLOCK_RECORDS", BLOCK)
    progress, write, ahead = Progress(), RunDirectory.write_part, []

    def stalled(self: RunDirectory, number: int, tables: Tables) -> None:
        written = len(ahead) + 1  # blocks are written as they are finished, which may be out of order
        allowed = BLOCK * (written - 1 + WAITING + unfinished)
        patience = time.monotonic() + (0.5 if written == 1 else 0)
        while progress.done <= allowed and time.monotonic() < patience:
            time.sleep(0.01)
        ahead.append(progress.done - allowed)
        write(self, number, tables)

    monkeypatch.setattr(RunDirectory, "write_part", stalled)
    records = make_records(200)
    report = score(
        records, tmp_path / "out", "", progress=progress, judge="lexical", api_base=None, concurrency=concurrency
    )
    assert (report.scored, len(ahead)) == (200, 40)
    assert max(ahead) <= 0


def test_calls_leave_record_after_record(tmp_path: Path) -> None:
    """What an engine still has in its cache is the start of what it was asked last: the calls of one record follow."""

    async def main() -> list[int]:
        async with scripted(lambda number, heard: http(400, error("no"))) as (api_base, heard):
            traces = traces_of(to_lines(make_records(40, units=(3,))), tmp_path / "run")
            await score_file(traces, tmp_path / "run", settings_for(api_base, concurrency=CONCURRENCY))
            return [int(re.search(r"Case (\d+)\.", str(each.body["messages"]))[1]) for each in heard]

    asked = asyncio.run(main())
    in_order = [number for number in range(1, 41) for _ in range(3)]
    assert sorted(asked) == in_order
    # As many as are in flight may overtake each other on their way.
    assert max(abs(number - due) for number, due in zip(asked, in_order, strict=True)) <= CONCURRENCY // 3
