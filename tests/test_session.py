"""One process at work: what is finished and not written yet stays bounded, however slow the disk is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from run_kit import make_records, score

from judge.progress import Progress
from judge.runs.directory import RunDirectory
from judge.table import Tables

BLOCK = 5
WAITING = 2
CONCURRENCY = 8


def test_a_disk_that_stalls_stops_the_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one block is being written two may wait, one may be open, and every worker may have begun a record."""
    monkeypatch.setattr("judge.runs.block.BLOCK_RECORDS", BLOCK)
    progress, write, ahead = Progress(), RunDirectory.write_part, []

    def stalled(self: RunDirectory, number: int, tables: Tables) -> None:
        written = len(ahead) + 1  # blocks are written as they are finished, which may be out of order
        allowed = BLOCK * (written + WAITING + 1) + CONCURRENCY
        patience = time.monotonic() + (0.5 if written == 1 else 0)
        while progress.done <= allowed and time.monotonic() < patience:
            time.sleep(0.01)
        ahead.append(progress.done - allowed)
        write(self, number, tables)

    monkeypatch.setattr(RunDirectory, "write_part", stalled)
    records = make_records(100)
    report = score(
        records, tmp_path / "out", "", progress=progress, judge="lexical", api_base=None, concurrency=CONCURRENCY
    )
    assert (report.scored, len(ahead)) == (100, 20)
    assert max(ahead) <= 0
