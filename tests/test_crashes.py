"""Processes that die: whatever was committed is not paid for again, and the tables come out the same."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from run_kit import (
    NAME,
    RUBRIC,
    arguments_for,
    assert_same_tables,
    check_conservation,
    finish,
    make_records,
    read_failures,
    run_judge,
    score,
    settings_for,
    start_judge,
    to_lines,
)

from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import Server as Address
from judge.journal.file import RETIRED
from judge.journal.journal import Journal
from judge.probe import build_probes
from judge.record import build_record
from judge.testing import Ask, Server, obedient

SMALL_BLOCKS = "import judge.runs.block; judge.runs.block.BLOCK_RECORDS = 30"
CONCURRENCY = 16


def make_lines(count: int) -> list[Any]:
    """Records of our own, and two lines that fail; a read failure must come out the same too."""
    lines = make_records(count, units=(1, 2, 3))
    return [*lines[:20], "{broken", *lines[20:], {"id": "no-trace"}]


def write_traces(tmp_path: Path, count: int) -> Path:
    traces = tmp_path / "traces.jsonl"
    traces.write_bytes(to_lines(make_lines(count)))
    return traces


def assert_as_undisturbed(out: Path, count: int, server: Server) -> None:
    """The tables are those of a run that was left alone; its requests come last in the ledger."""
    server.latency_ms = 0
    score(make_lines(count), out.with_name("fresh"), server)
    assert_same_tables(out, out.with_name("fresh"))


def await_requests(server: Server, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many requests have come, or the process has ended."""
    ends = time.monotonic() + 60
    while server.ledger.requests < count and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.003)


def ledger_keys(records: list[dict[str, Any]], server: Server) -> dict[str, str]:
    """Call id of each first ask -> the key under which the server's ledger has it."""
    settings = settings_for(server)
    backend = OpenAICompatible(Address(model="any", api_base=server.api_base), None)  # type: ignore[arg-type]
    keys = {}
    for record in (build_record(given) for given in records):
        groups = build_probes(record, RUBRIC, granularity="axis")
        for request in settings.prompt.build_requests(groups, settings.model):
            body = orjson.dumps(orjson.loads(backend.body(request)), option=orjson.OPT_SORT_KEYS)
            keys[request.call_id] = hashlib.sha256(body).hexdigest()
    return keys


def committed(out: Path, scratch: Path) -> set[str]:
    """Call ids in the journal of a dead run; read from a copy, as opening it tidies it up."""
    scratch.mkdir()
    for path in out.glob("journal.sqlite*"):
        shutil.copy(path, scratch)
    if not (scratch / "journal.sqlite").exists():
        return set()
    db = sqlite3.connect(scratch / "journal.sqlite")
    found = {call_id for (call_id,) in db.execute("SELECT call_id FROM replies")}
    db.close()
    return found


# kill -9.


def test_twenty_kills_and_the_tables_are_those_of_a_run_that_was_left_alone(tmp_path: Path) -> None:
    traces, out, dice = write_traces(tmp_path, 300), tmp_path / "out", random.Random(11)
    points = sorted(dice.sample(range(5, 590), 20))  # of 600 requests
    with Server(latency_ms=25, latency_sigma=0.5) as server:
        keys = ledger_keys(make_records(300, units=(1, 2, 3)), server)
        arguments = arguments_for(traces, out, server, "--concurrency", CONCURRENCY, "--quiet")
        asked_again, in_flight, repaid, before = 0, [], [], set[str]()
        for number, point in enumerate(points):
            first = server.ledger.requests
            process = start_judge(*arguments, script=SMALL_BLOCKS)
            await_requests(server, point + sum(repaid), process)
            time.sleep(dice.random() * 0.03)
            assert process.poll() is None, finish(process)
            process.kill()
            finish(process)
            time.sleep(0.1)  # the server notices that its client is gone
            rows, safe = server.ledger.rows(), committed(out, tmp_path / f"journal-{number}")
            safe_keys = {keys[call_id] for call_id in safe}
            paid = [row.key for row in rows if row.paid]
            in_flight.append(len({row.key for row in rows[first:]} - safe_keys))
            repaid.append(len(paid) - len(set(paid)) - sum(repaid))
            asked_again += sum(row.key in before for row in rows[first:])
            before = safe_keys
        first = server.ledger.requests
        code, said = run_judge(*arguments, script=SMALL_BLOCKS)
        assert code == 3, said  # the two lines that cannot be read
        asked_again += sum(row.key in before for row in server.ledger.rows()[first:])
        total_repaid = server.ledger.repaid
        assert asked_again == 0
        assert total_repaid <= sum(in_flight)
        assert max(in_flight) <= CONCURRENCY
        assert len({row.key for row in server.ledger.rows()}) == 600
        print(f"20 kills: re-paid {total_repaid} of {sum(in_flight)} in flight, asked again {asked_again}")
        assert_as_undisturbed(out, 300, server)
    check_conservation(out, 302)
    assert [row["line"] for row in read_failures(out)] == [21, 302]


class Killed(BaseException):
    """The process is dead from here on: nothing that it does reaches the disk or the server any more."""


class CrashPoint:
    """Kills at the N-th thing that changes the disk; whatever is tried after that fails as well."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**9
        for owner, name in (
            *((Path, "replace"), (Path, "rename"), (Path, "unlink"), (Path, "mkdir"), (shutil, "rmtree")),
            *((os, "fsync"), (Journal, "commit"), (Journal, "retire")),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return real(*arguments, **options)

        return act


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run of blocks of three, with a record that failed and one that is changed now; the judge is mended."""
    monkeypatch.setattr("judge.runs.block.BLOCK_RECORDS", 3)
    ill = {"Case 2."}

    def script(ask: Ask) -> Any:
        return "no" if any(ask.trace.startswith(case) for case in ill) else obedient(ask)

    with Server(script=script) as server:
        older = [*RECORDS[:4], {**RECORDS[4], "trace": "Another one."}]
        assert score(older, tmp_path / "older", server).failed == 1
        ill.clear()
        score(RECORDS, tmp_path / "fresh", server)
        yield server


RECORDS = make_records(16, units=(1, 2))


def test_a_crash_at_every_change_of_the_disk(older: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dies at the N-th change for N = 1, 2, 3 … until a run gets through, each from where the last one was left."""
    crash, out = CrashPoint(monkeypatch), tmp_path / "older"
    for deaths in range(200):
        crash.left = deaths + 1
        try:
            score(RECORDS, out, older, concurrency=2)
        except Killed:
            assert most_paid(out) <= 1
        else:
            break
    crash.left = 10**9
    assert deaths > 20
    assert_same_tables(out, tmp_path / "fresh")
    assert most_paid(out) == 1
    assert paid(out, retired=RETIRED) == 3  # the conversation that had failed, and nothing that was good


def test_a_crash_while_an_old_run_is_cleared(older: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command without --overwrite gets to the same tables from wherever it was cut."""
    crash = CrashPoint(monkeypatch)
    for changes in range(30):
        out = tmp_path / f"cut-{changes}"
        crash.left = 10**9
        shutil.copytree(tmp_path / "older", out)
        crash.left = changes
        with pytest.raises(Killed):
            score(RECORDS, out, older, overwrite=True)
        crash.left = 10**9
        score(RECORDS, out, older)
        assert_same_tables(out, tmp_path / "fresh")


def most_paid(out: Path) -> int:
    """How many replies that count there are to one call, at most."""
    return max(_replies(out, 0).values(), default=0)


def paid(out: Path, *, retired: int) -> int:
    return sum(_replies(out, retired).values())


def _replies(out: Path, retired: int) -> dict[str, int]:
    db = sqlite3.connect(out / "journal.sqlite")
    found = dict(db.execute("SELECT call_id, count(*) FROM replies WHERE retired = ? GROUP BY call_id", (retired,)))
    db.close()
    return found


# Signals.


def test_twenty_terms_pay_for_nothing_twice(tmp_path: Path) -> None:
    """Stopped at random points of one run, again and again: every reply arrives, is committed, and is the only one."""
    traces, out, dice = write_traces(tmp_path, 600), tmp_path / "out", random.Random(5)
    with Server(latency_ms=25, latency_sigma=0.5) as server:
        arguments = arguments_for(traces, out, server, "--concurrency", CONCURRENCY, "--quiet")
        for _ in range(20):
            process = start_judge(*arguments, script=SMALL_BLOCKS)
            # A stop lets what is under way end, more of it on a slow machine: each point is counted from there.
            await_requests(server, server.ledger.requests + dice.randrange(5, 30), process)
            time.sleep(dice.random() * 0.03)
            process.terminate()
            code, said = finish(process)
            assert code == 75, said
            assert "Traceback" not in said
            assert all(row.delivered for row in server.ledger.rows())
            check_conservation(out, _counts(out)["read"])
        code, said = run_judge(*arguments, script=SMALL_BLOCKS)
        assert code == 3, said
        assert (server.ledger.requests, server.ledger.repaid) == (1_200, 0)
        assert_as_undisturbed(out, 600, server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_order(number: signal.Signals, tmp_path: Path) -> None:
    traces, out = write_traces(tmp_path, 150), tmp_path / "out"
    with Server(latency_ms=60, latency_sigma=0.5) as server:
        process = start_judge(*arguments_for(traces, out, server, "--concurrency", CONCURRENCY), script=SMALL_BLOCKS)
        await_requests(server, 100, process)
        process.send_signal(number)
        begun = time.monotonic()
        code, said = finish(process)
        assert code == 75, said
        assert time.monotonic() - begun < 5
        assert "Stopping: finishing the calls under way." in said
        assert "Traceback" not in said
        rows = server.ledger.rows()
        assert len(rows) < 290  # it did stop
        assert all(row.delivered for row in rows)
        check_conservation(out, _counts(out)["read"])
        (resume,) = re.findall(r"To resume: judge (.*)", said)
        code, said = run_judge(*shlex.split(resume), "--quiet", script=SMALL_BLOCKS)
        assert code == 3, said
        assert server.ledger.repaid == 0
        assert server.ledger.requests == 300
        assert_as_undisturbed(out, 150, server)


def _counts(out: Path) -> dict[str, int]:
    return orjson.loads((out / "run.json").read_bytes())["counts"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(number: signal.Signals, tmp_path: Path) -> None:
    traces, out = write_traces(tmp_path, 60), tmp_path / "out"
    with Server(latency_ms=20) as server:
        process = start_judge(*arguments_for(traces, out, server, "--concurrency", CONCURRENCY))
        await_requests(server, 60, process)
        server.latency_ms = 30_000
        time.sleep(0.3)
        process.send_signal(number)
        time.sleep(0.5)
        assert process.poll() is None  # it waits for the calls under way
        process.send_signal(number)
        begun = time.monotonic()
        code, said = finish(process)
        took = time.monotonic() - begun
        assert code == 75, said
        assert took < 1.5, said
        assert "To resume: judge score" in said
        assert "Traceback" not in said
        server.latency_ms = 0
        done = server.ledger.delivered
        before = server.ledger.requests
        score(make_lines(60), out, server)
        assert server.ledger.requests - before == 120 - done
        assert_as_undisturbed(out, 60, server)


def test_a_stop_does_not_wait_for_ever_for_a_server_that_hangs(tmp_path: Path) -> None:
    traces, out = write_traces(tmp_path, 60), tmp_path / "out"
    with Server(latency_ms=20) as server:
        process = start_judge(
            *arguments_for(traces, out, server, "--concurrency", CONCURRENCY, "--timeout", 1, "--max-retries", 9)
        )
        await_requests(server, 60, process)
        server.always = "black_hole"
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        code, said = finish(process)
        took = time.monotonic() - begun
        print(f"stopped after {took:.2f} s with a deadline of 1 s")
        assert code == 75, said
        assert took < 1 + 1.5
        server.always = None
        assert score(make_lines(60), out, server).scored == 60
        assert server.ledger.repaid == 0


# Two at once.


def test_a_second_process_is_refused_and_asks_nothing(tmp_path: Path) -> None:
    traces, out = write_traces(tmp_path, 40), tmp_path / "out"
    with Server(latency_ms=100) as server, Server() as other:
        first = start_judge(*arguments_for(traces, out, server, "--concurrency", 2, "--quiet"))
        await_requests(server, 4, first)
        for more in ([], ["--overwrite"]):
            code, said = run_judge(*arguments_for(traces, out, other, *more))
            assert code == 2, said
            assert re.search(rf"is in use by process {first.pid} on \S+", said)
            assert "Traceback" not in said
        assert other.ledger.requests == 0
        first.kill()
        finish(first)
        server.latency_ms = 0
        code, said = run_judge(*arguments_for(traces, out, server, "--quiet"))
        assert code == 3, said  # the lock of the dead is no obstacle
    assert NAME in (out / "run.json").read_text()
