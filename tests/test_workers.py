"""Several processes on one run: the same tables, one lock, one end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from run_kit import (
    NAME,
    RUBRIC,
    arguments_for,
    asked_after_commit,
    assert_same_tables,
    finish,
    make_records,
    planted,
    run_judge,
    score,
    start_judge,
    to_lines,
)

from judge.journal.journal import Journal, Spent
from judge.runs.session import Share
from judge.settings import Settings
from judge.testing import Server

COUNT = 1_300  # three blocks
RECORDS = make_records(COUNT)
LINES = [*RECORDS[:600], "{broken", *RECORDS[600:]]


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(to_lines(LINES))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def children(parent: int) -> list[int]:
    """The worker processes of a run; multiprocessing has one more that tracks resources."""
    found = subprocess.run(
        ["pgrep", "-P", str(parent), "-f", "spawn_main"], capture_output=True, text=True, check=False
    )
    return [int(number) for number in found.stdout.split()]


def wait_for(server: Server, requests: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while server.ledger.requests < requests:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < ends
        time.sleep(0.01)


def assert_as_one_process(out: Path, server: Server, **changes: Any) -> None:
    server.latency_ms = 0
    score(LINES, out.with_name("alone"), server, **changes)
    assert_same_tables(out, out.with_name("alone"))


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_every_block_is_in_one_share(of: int) -> None:
    shares = [Share(index=index, of=of) for index in range(of)]
    assert [sum(share.has(block) for share in shares) for block in range(1, 30)] == [1] * 29


def test_the_places_are_shared_out() -> None:
    """Together at least what was asked for, and none without a place."""
    settings = Settings(judge="lexical", rubric=RUBRIC, concurrency=5)
    assert [settings.shared_by(number).concurrency for number in (1, 2, 3, 8)] == [5, 3, 2, 1]


def test_the_tables_are_those_of_one_process(traces: Path, out: Path) -> None:
    with Server() as server:
        code, said = run_judge(*arguments_for(traces, out, server, "--workers", 2))
        assert code == 3, said  # the broken line
        assert f"{COUNT + 1} records read = {COUNT} scored + 1 failed" in said
        assert server.ledger.requests == COUNT
        asked = server.ledger.requests
        code, said = run_judge(*arguments_for(traces, out, server, "--workers", 3))
        assert (code, server.ledger.requests) == (3, asked)
        assert_as_one_process(out, server)


def test_what_workers_commit_is_counted_while_they_work(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a long run it would take seconds."""
    counted, spent = [], Journal.spent

    def noted(self: Journal) -> Spent:
        counted.append(int(spent(self)["replies"] or 0))
        return spent(self)

    monkeypatch.setattr("judge.run._COUNTED_EVERY_S", 0.02)
    monkeypatch.setattr(Journal, "spent", noted)
    with Server(latency_ms=5) as server:
        report = score(RECORDS, out, server, workers=2)
    assert report.spent["replies"] == counted[-1] == COUNT
    assert counted == sorted(counted) and len(set(counted) - {0, COUNT}) > 2


def test_the_baseline_in_three_processes(traces: Path, out: Path) -> None:
    for workers in (1, 3):
        code, said = run_judge("score", traces, "--out", out.with_name(f"of-{workers}"), "--workers", workers)
        assert code == 3, said
    assert_same_tables(out.with_name("of-1"), out.with_name("of-3"))


def test_every_worker_logs_as_it_is_told(traces: Path, out: Path) -> None:
    with Server() as server:
        code, said = run_judge(*arguments_for(traces, out, server, "--workers", 2, "--log-level", "debug"))
    assert code == 3, said
    assert said.count(" DEBUG judge.calls.logged: ") == said.count(": answered in ") == COUNT


def test_a_limit_is_one_for_all(traces: Path, out: Path) -> None:
    code, said = run_judge("score", traces, "--out", out, "--workers", 2, "--limit", 510)
    assert code == 0, said
    assert "510 records read = 510 scored + 0 failed" in said


def test_a_wrong_key_is_met_once(traces: Path, out: Path) -> None:
    with Server(api_key="another") as server:
        code, said = run_judge(*arguments_for(traces, out, server, "--workers", 3))
        assert server.ledger.requests == 1
    assert code == 2, said
    assert "answered 401" in said
    assert "Traceback" not in said


def test_a_budget_is_one_for_all_and_is_not_passed(traces: Path, out: Path) -> None:
    with Server(latency_ms=5) as server:
        words = ("--workers", 2, "--price", "1,1", "--param", "max_tokens=1000", "--concurrency", 32)
        spent = []
        for budget in (0.2, 0.4):
            code, said = run_judge(*arguments_for(traces, out, server, *words, "--budget", budget))
            assert code == 75, said
            assert "the budget of" in said
            assert "never retrieved" not in said  # both workers met the end of the budget
            calls = pl.read_parquet(out / "calls.parquet")
            spent.append(json.loads((out / "run.json").read_bytes())["spent"]["cost_usd"])
            assert calls["cost_usd"].sum() <= spent[-1] + 1e-9
            assert 0.9 * budget <= spent[-1] <= budget
        code, said = run_judge(*arguments_for(traces, out, server, *words, "--budget", 10))
        assert code == 3, said
        assert (server.ledger.paid, server.ledger.repaid) == (COUNT, 0)
        assert_as_one_process(out, server, params={"max_tokens": 1000})


@pytest.mark.parametrize("of", ["traces", "references"])
def test_every_worker_sees_the_rows_of_the_start(of: str, traces: Path, out: Path, tmp_path: Path) -> None:
    """A writer appends once the first worker has sent a call, and before the others are begun; a resume asks for it."""
    ours, more = tmp_path / "ours.jsonl", make_records(COUNT + 600)[COUNT:]
    kept = ("id", "trace", "model")
    ours.write_bytes(to_lines({name: record[name] for name in kept} for record in [*RECORDS, *more]))
    whole, words = (traces, ()) if of == "traces" else (ours, ("--references", traces))
    if of == "references":
        traces.write_bytes(to_lines(RECORDS))
    with Server(latency_ms=20) as server:
        process = start_judge(*arguments_for(whole, out, server, "--workers", 2, *words))
        wait_for(server, 1, process)
        with traces.open("ab") as writer:
            writer.write(to_lines(more))
        code, said = finish(process)
        assert code == 3, said  # the broken line, or the records that have no reference
        scored = server.ledger.paid
        assert (scored, server.ledger.requests) == (COUNT, COUNT)
        code, said = run_judge(*arguments_for(whole, out, server, "--workers", 2, *words))
        assert code == (3 if of == "traces" else 0), said
        assert f" = {COUNT + 600} scored + " in said
        assert server.ledger.requests == COUNT + 600


def test_a_stop_before_the_first_answer_lets_no_other_worker_begin(traces: Path, out: Path) -> None:
    with Server(latency_ms=1000) as server:
        process = start_judge(*arguments_for(traces, out, server, "--workers", 3))
        wait_for(server, 1, process)
        process.terminate()
        code, said = finish(process)
        assert code == 75, said
        assert "Traceback" not in said
        (only,) = server.ledger.rows()
        assert only.delivered
        server.latency_ms = 0
        code, said = run_judge(*arguments_for(traces, out, server, "--workers", 3))
        assert code == 3, said
        assert (server.ledger.requests, server.ledger.repaid) == (COUNT, 0)


def test_a_pipe_cannot_be_shared(out: Path) -> None:
    code, said = run_judge("score", "-", "--out", out, "--workers", 2)
    assert code == 2
    assert "standard input can be read by one process only" in said


@pytest.mark.parametrize("of", ["traces", "references"])
def test_a_named_pipe_cannot_be_shared(of: str, traces: Path, out: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    words = (tmp_path / "pipe",) if of == "traces" else (traces, "--references", tmp_path / "pipe")
    code, said = run_judge("score", *words, "--out", out, "--workers", 2)
    assert (code, "pipe can be read by one process only" in said) == (2, True), said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_order(number: int, traces: Path, out: Path) -> None:
    with Server(latency_ms=30) as server:
        arguments = arguments_for(traces, out, server, "--workers", 2, "--concurrency", 16)
        process = start_judge(*arguments, start_new_session=True)
        wait_for(server, 200, process)
        os.killpg(process.pid, number)  # a Ctrl-C at a terminal reaches them all
        code, said = finish(process)
        assert code == 75, said
        assert "Traceback" not in said
        assert server.ledger.paid == server.ledger.delivered < COUNT
        code, said = run_judge(*arguments_for(traces, out, server))
        assert code == 3, said
        assert (server.ledger.paid, server.ledger.repaid) == (COUNT, 0)
        assert_as_one_process(out, server)


_CTRL_C = """
import os, signal
from pathlib import Path
with Path({count!r}).open("a") as file:
    file.write("x")
if Path({count!r}).stat().st_size == {starting}:
    os.killpg(0, signal.SIGINT)
"""


@pytest.mark.parametrize("starting", [1, 2])
def test_a_ctrl_c_while_a_worker_starts_ends_in_order(starting: int, traces: Path, out: Path, tmp_path: Path) -> None:
    """The n-th worker interrupts all before it runs a line of ours: of itself it can only be deaf if it began so."""
    code = _CTRL_C.format(count=str(tmp_path / "started"), starting=starting)
    with Server(latency_ms=30) as server:
        words = arguments_for(traces, out, server, "--workers", 2, "--concurrency", 16)
        code, said = run_judge(*words, env=planted(tmp_path / "planted", code), start_new_session=True)
        assert code == 75, said
        assert "To resume: judge score" in said
        assert "Traceback" not in said
        assert "a worker process" not in said  # one that was ended by it
        assert server.ledger.paid == server.ledger.delivered < COUNT
        assert run_judge(*words)[0] == 3
        assert (server.ledger.paid, server.ledger.repaid) == (COUNT, 0)


def test_when_the_first_process_is_killed_the_others_end(traces: Path, out: Path) -> None:
    with Server(latency_ms=30) as server:
        arguments = arguments_for(traces, out, server, "--workers", 2, "--concurrency", 16)
        process = start_judge(*arguments)
        wait_for(server, 200, process)
        workers = children(process.pid)
        assert len(workers) == 2
        process.kill()
        finish(process)
        ends = time.monotonic() + 20
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < ends
            time.sleep(0.02)
        code, said = run_judge(*arguments_for(traces, out, server, "--workers", 2))
        assert code == 3, said
        assert asked_after_commit(server) <= 16  # those that had come back and were not committed yet
        assert server.ledger.repaid <= 16
        assert_as_one_process(out, server)


def test_nobody_begins_while_a_worker_is_alive(traces: Path, out: Path) -> None:
    with Server(latency_ms=30) as server:
        process = start_judge(*arguments_for(traces, out, server, "--workers", 2, "--concurrency", 16))
        wait_for(server, 200, process)
        slow = children(process.pid)[0]
        os.kill(slow, signal.SIGSTOP)
        try:
            process.kill()
            code, said = run_judge(*arguments_for(traces, out, server))
            assert (code, "is in use by process" in said) == (2, True), said
        finally:
            os.kill(slow, signal.SIGCONT)
            finish(process)


def test_a_worker_that_is_killed_stops_the_run_and_loses_nothing(traces: Path, out: Path) -> None:
    with Server(latency_ms=30) as server:
        process = start_judge(*arguments_for(traces, out, server, "--workers", 2, "--concurrency", 16))
        wait_for(server, 200, process)
        os.kill(children(process.pid)[-1], signal.SIGKILL)
        code, said = finish(process)
        assert code == 75, said
        assert "a worker process was killed by signal 9" in said
        assert f"--judge {NAME}" in said  # the command that resumes
        code, said = run_judge(*arguments_for(traces, out, server))
        assert code == 3, said
        assert server.ledger.repaid <= 8  # what that worker had in flight
        assert_as_one_process(out, server)


def test_a_provider_that_breaks_down_stops_all(traces: Path, out: Path) -> None:
    with Server() as server:
        base = server.api_base
    code, said = run_judge(*arguments_for(traces, out, base, "--workers", 2, "--max-retries", 0))
    assert code == 75, said
    assert said.count("the provider is down") == 1
