"""Money that several share is never promised twice."""

from __future__ import annotations

import multiprocessing
import random
import threading
from typing import Any

import pytest

from judge.purse import CELLS, Purse


def test_what_is_reserved_is_not_there_for_others() -> None:
    purse = Purse(1.0)
    assert purse.reserve(0.6) == "taken"
    assert purse.reserve(0.6) == "wait"  # the first may turn out cheaper
    purse.settle(0.6, spent_usd=0.4)
    assert purse.spent_usd == 0.4
    assert purse.reserve(0.6) == "taken"  # to the last cent
    purse.settle(0.6, spent_usd=0.0)
    purse.count(0.5)
    assert purse.reserve(0.6) == "empty"  # and nothing is open that could make room


def test_crumbs_of_floats_do_not_stay() -> None:
    purse = Purse(1.0)
    for usd in (0.1, 0.2, 0.3):
        assert purse.reserve(usd) == "taken"
    for usd in (0.3, 0.1, 0.2):
        purse.settle(usd, spent_usd=0.0)
    assert purse.reserve(1.0) == "taken"


def test_threads_never_pass_the_budget() -> None:
    purse, passed = Purse(10.0), []

    def work(seed: int) -> None:
        dice = random.Random(seed)
        while (taken := purse.reserve(0.5)) != "empty":
            if taken == "taken":
                purse.settle(0.5, spent_usd=dice.uniform(0, 0.5))
            passed.append(purse.spent_usd > 10.0)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(passed)
    assert 9.5 < purse.spent_usd <= 10.0


def _work(cells: Any, worker: int) -> None:
    purse, dice = Purse(10.0, cells=cells, lock=cells.get_lock(), worker=worker), random.Random(worker)
    while (taken := purse.reserve(0.5)) != "empty":
        if taken == "taken":
            purse.settle(0.5, spent_usd=dice.uniform(0, 0.5))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_processes_share_one_budget() -> None:
    context = multiprocessing.get_context("fork")
    cells = context.Array("d", CELLS * 4)
    workers = [context.Process(target=_work, args=(cells, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    # Each of them could have spent all of it: together they stopped within one call of the end.
    assert 9.5 < Purse(10.0, cells=cells, lock=cells.get_lock()).spent_usd <= 10.0


def test_what_a_dead_worker_had_reserved_counts_as_spent() -> None:
    cells = multiprocessing.Array("d", CELLS * 2)
    mine, dead = (Purse(1.0, cells=cells, lock=cells.get_lock(), worker=number) for number in range(2))
    assert dead.reserve(0.7) == "taken"
    assert mine.reserve(0.5) == "wait"
    mine.abandon(1)
    assert mine.reserve(0.5) == "empty"
    assert mine.spent_usd == pytest.approx(0.7)
    assert mine.reserve(0.3) == "taken"
