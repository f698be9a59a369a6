"""A whole run against a server that misbehaves: nothing lost, nothing paid twice, nobody asked too often."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from run_kit import (
    Heard,
    arguments_for,
    asked_after_commit,
    completion,
    error,
    http,
    make_records,
    read_failures,
    run_judge,
    score,
    scripted,
    settings_for,
    to_lines,
    traces_of,
)
from tenacity import wait_none

from judge.errors import FatalError
from judge.run import RunReport, score_file
from judge.testing import QUICK, REPLY, Server
from judge.testing.ledger import LedgerRow

SECRET = "sk-canary-4711"
HONEST = '{"u1": {"evidence": null, "reason": "Not there.", "presence": 0, "correctness": null}}'


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.calls.retrying._BACKOFF", wait_none())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def judge_lines(tmp_path: Path, out: Path, server: Server | str, count: int, *more: object, **options: object):
    traces = tmp_path / "traces.jsonl"
    traces.write_bytes(to_lines(make_records(count)))
    return run_judge(*arguments_for(traces, out, server, *more), **options)


# Faults on the way.


def test_two_thousand_records_through_a_fifth_of_faults(out: Path) -> None:
    records = make_records(2000, units=(1, 2, 3))
    with Server(faults=0.2, seed=7, retry_after_s=0.1) as server:
        report = score(records, out, server, timeout_s=2.0)
        necessary, requests = server.ledger.necessary(), server.ledger.requests
        faults = Counter(row.fault for row in server.ledger.rows())
        assert asked_after_commit(server) == 0
    assert (report.read, report.scored, report.failed) == (2000, 2000, 0)
    assert requests <= 1.05 * necessary
    assert sum(faults.values()) - faults[None] > 0.15 * requests  # there were faults to survive
    assert len(faults) == 12
    assert report.spent["replies"] == 667 * 2 + 667 * 3 + 666 * 1  # a record of n units has them on n axes


@pytest.mark.parametrize("script", ["obedient", "sloppy"])
def test_spoilt_replies_are_asked_again_and_never_scored(script: str, out: Path, tmp_path: Path) -> None:
    """`sloppy` and spoilt replies together may need a third re-ask; that is a failure, and no number."""
    records = make_records(300, units=(1, 2))
    with Server(script=script, faults=0.2, kinds=(*QUICK, *REPLY), retry_after_s=0.05) as server:
        report = score(records, out, server)
        assert asked_after_commit(server) <= (0 if script == "obedient" else server.ledger.requests)
    scores = pl.read_parquet(out / "scores.parquet")
    assert report.read == 300
    assert report.scored >= 270
    failed = scores.filter(pl.col("failure").is_not_null())
    assert failed["trace_score"].null_count() == len(failed) == report.failed
    refused = {row["error"] for row in read_failures(out)}
    assert refused <= {"refusal", "off_menu", "not_json", "truncated", "empty"}


def test_a_storm_of_429_fails_nobody(out: Path) -> None:
    """64 askers where one would do, and no retry allowed: being asked to slow down is none.

    150 go through at once, and the rest at 150/s whoever asks: without a pace, all come back for each.
    """
    with Server(rate_limit=50) as server:
        report = score(make_records(250), out, server, max_retries=0)
        assert (report.read, report.scored) == (250, 250)
        assert server.ledger.repaid == 0
        assert 250 < server.ledger.requests <= 1.7 * 250


def test_a_window_that_is_full_until_the_next_second(out: Path) -> None:
    """As providers count: 40 in a second, then nothing until the next, and a Retry-After in whole seconds."""
    counted: Counter[int] = Counter()

    def answer(_: int, heard: Heard) -> bytes:
        counted[window := int(heard.at)] += 1
        if counted[window] > 40:
            return http(429, error("slow down"), Retry_After="1")
        return http(200, completion(HONEST))

    async def main() -> tuple[RunReport, int]:
        async with scripted(answer) as (base, heard):
            report = await score_file(
                traces_of(to_lines(make_records(120)), out), out, settings_for(base, max_retries=0)
            )
            return report, len(heard)

    report, requests = asyncio.run(main())
    assert (report.read, report.scored) == (120, 120)
    assert 120 < requests <= 1.7 * 120


def test_a_server_that_asks_to_wait_for_an_hour_ends_the_run(tmp_path: Path, out: Path) -> None:
    """As a daily limit does. One line, no failed record, and the command that goes on later."""
    with Server(always="429", retry_after_s=3600) as server:
        code, said = judge_lines(tmp_path, out, server, 100, "--quiet")
        assert server.ledger.requests == 1
        assert code == 75, said
        first, second = said.splitlines()
        assert first.startswith("the server asks to wait 3,600 s, which is longer than judge waits: http://127.0.0.1")
        assert second.startswith("Stopped early; what is done is kept. To resume: judge score")
        server.always = None
        code, said = judge_lines(tmp_path, out, server, 100)
    assert code == 0, said


def test_a_request_that_is_too_large_for_a_minute_fails_alone(out: Path) -> None:
    """It is refused with 429, and would be for ever; the others must not wait for it."""
    large = error("Request too large for m on tokens per min (TPM): Limit 30000, Requested 31000.", code="rate_limit")

    def answer(_: int, heard: Heard) -> bytes:
        too_large = "Case 2." in str(heard.body["messages"])
        return http(429, large, Retry_After="20") if too_large else http(200, completion(HONEST))

    async def main() -> tuple[RunReport, int]:
        async with scripted(answer) as (base, heard):
            return await score_file(traces_of(to_lines(make_records(9)), out), out, settings_for(base)), len(heard)

    report, requests = asyncio.run(main())
    assert (report.scored, report.failed, requests) == (8, 1, 9)
    (failure,) = read_failures(out)
    assert (failure["record_id"], failure["error"]) == ("r2", "context_limit")
    assert failure["message"].endswith("The record needs more tokens than the server lets through in a minute.")


# A provider that is down.


@pytest.mark.parametrize("max_retries", [0, 3])
def test_always_500_is_max_retries_and_one_request_a_call(max_retries: int, out: Path, hurried: None) -> None:
    with Server(always=500) as server:
        with pytest.raises(FatalError, match="the provider is down: 3 calls in a row failed"):
            score(make_records(200), out, server, max_retries=max_retries, concurrency=64)
        attempts = Counter(row.key for row in server.ledger.rows())
    assert list(attempts.values()) == [max_retries + 1] * 3


class BreakingDown(Server):
    """Answers its first requests, and none after them; `places` is what the client has of calls at a time.

    The first bad answers wait until every place is taken by one of them. So all good replies have arrived by then,
    however slow the machine is, and none of them comes between the bad ones.
    """

    def break_down(self, *, after: int, places: int) -> None:
        endpoint, crowded = self._endpoint, asyncio.Event()
        think = endpoint._think

        async def wait(answer: Any, row: LedgerRow) -> None:
            if row.seq + 1 == after:
                self.always = 500
            if row.seq + 1 == after + places:
                crowded.set()
            if row.seq >= after:
                await crowded.wait()
            await think(answer, row)

        endpoint._think = wait  # type: ignore[method-assign]


def test_a_provider_that_breaks_down_midway(out: Path, hurried: None) -> None:
    records, patient = make_records(400), {"concurrency": 16, "timeout_s": 60.0}
    with BreakingDown(latency_ms=10) as server:
        server.break_down(after=100, places=16)
        # The 20th in a row ends the run; the other 15 places may fail before the next call is refused.
        with pytest.raises(FatalError, match=r"the provider is down: (2\d|3[0-5]) calls in a row failed"):
            score(records, out, server, max_retries=2, **patient)
        broken = Counter(row.key for row in server.ledger.rows() if row.status == 500)
        assert set(broken.values()) == {3}  # every call that was begun, those under way at the end too
        assert 20 <= len(broken) <= 20 + 15
        assert server.ledger.delivered == 100
        server.always = None
        before = server.ledger.requests
        assert score(records, out, server, **patient).scored == 400
        assert server.ledger.requests - before == 400 - 100
        assert asked_after_commit(server) == 0


def test_nobody_at_home_ends_soon_and_says_so(tmp_path: Path, out: Path) -> None:
    with Server() as server:
        gone = server.api_base
    begun = time.monotonic()
    code, said = judge_lines(tmp_path, out, gone, 200, "--max-retries", 1, "--quiet")
    assert code == 75, said
    (line,) = [line for line in said.splitlines() if "cannot reach" in line]
    assert line.startswith(f"the provider is down: 3 calls in a row failed. The last one: cannot reach {gone}")
    assert "To resume: judge score" in said
    assert "Traceback" not in said
    assert time.monotonic() - begun < 20


# What is refused.


def test_a_wrong_key_is_met_once(tmp_path: Path, out: Path) -> None:
    with Server(api_key="another") as server:
        code, said = judge_lines(tmp_path, out, server, 500, "--concurrency", 64, env={"HOSTED_VLLM_API_KEY": SECRET})
        assert server.ledger.requests == 1
    assert code == 2, said
    assert "answered 401" in said
    assert "Is the right API key in the environment, or in --key-file?" in said
    assert SECRET not in said
    assert "Traceback" not in said
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert SECRET.encode() not in written


@pytest.mark.parametrize("status", [403, 404])
def test_other_fatal_refusals_are_met_once(status: int, out: Path) -> None:
    with Server(always=status) as server:
        with pytest.raises(FatalError):
            score(make_records(100), out, server)
        assert server.ledger.requests == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_sent_once(status: int, out: Path) -> None:
    with Server(always=status) as server:
        report = score(make_records(30), out, server)
        assert server.ledger.requests == 30
        assert server.ledger.max_attempts_per_key == 1
    assert (report.read, report.failed) == (30, 30)
    assert {row["error"] for row in read_failures(out)} == {f"http_{status}"}


def test_a_quota_that_is_used_up_ends_the_run(out: Path) -> None:
    with Server(always="insufficient_quota") as server:
        with pytest.raises(FatalError, match="The quota or the credit is used up"):
            score(make_records(100), out, server)
        assert server.ledger.requests == 1


def test_a_record_that_is_too_long_is_a_failure_of_one_request(out: Path) -> None:
    records = make_records(20)
    records[0]["context"] = records[7]["context"] = "word " * 90_000
    with Server(max_model_len=50_000, reject_response_format=True) as server:
        report = score(records, out, server, max_retries=4)
        assert Counter(row.key for row in server.ledger.rows() if row.status == 400).most_common(1)[0][1] == 1
        # The first record says nothing about the schema, the second one does; from then on nobody is refused for it.
        assert server.ledger.requests <= 20 + 19
    assert (report.scored, report.failed) == (18, 2)
    assert [(row["record_id"], row["error"], row["stage"]) for row in read_failures(out)] == [
        ("r1", "context_limit", "ask"), ("r8", "context_limit", "ask"),
    ]  # fmt: skip


def test_a_server_without_schemas_is_noted(tmp_path: Path, out: Path) -> None:
    with Server(reject_response_format=True) as server:
        code, said = judge_lines(tmp_path, out, server, 30)
        assert server.ledger.requests == 31
    assert code == 0, said
    note = f"{server.api_base} refused response_format json_schema; asked for JSON in the text instead."
    assert f"Note: {note}" in said
    assert json.loads((out / "run.json").read_bytes())["notes"] == [note]


# Deadlines.


@pytest.mark.parametrize("kind", ["black_hole", "drip", "drip_headers"])
def test_every_attempt_ends_at_its_deadline(kind: str, out: Path, hurried: None) -> None:
    with Server(always=kind) as server:
        begun = time.time()
        with pytest.raises(FatalError, match=r"The last one: no reply within 0\.5 s"):
            score(make_records(50), out, server, timeout_s=0.5, max_retries=0)
        rows = _settled(server)
    assert len(rows) == 3
    assert max(row.t_done - row.t_received for row in rows) <= 0.5 + 0.5
    # One after the other: from end to end, as a busy machine may hear of a request late.
    ends = [begun, *(row.t_done for row in rows)]
    assert min(later - earlier for earlier, later in pairwise(ends)) >= 0.4


def test_slow_attempts_among_many_end_at_their_deadline_too(out: Path, hurried: None) -> None:
    kinds = ("black_hole", "drip", "drip_headers")
    with Server(faults=0.4, kinds=kinds, latency_ms=5) as server:
        report = score(make_records(120), out, server, timeout_s=0.5)
        took = [row.t_done - row.t_received for row in _settled(server) if row.fault]
        assert asked_after_commit(server) == 0
    assert (report.read, report.scored) == (120, 120)
    assert len(took) > 40
    assert max(took) <= 0.5 + 0.5


def _settled(server: Server):
    """The rows, once the server has noticed that its clients are gone."""
    for _ in range(50):
        rows = server.ledger.rows()
        if all(row.t_done is not None for row in rows):
            return rows
        time.sleep(0.02)
    raise AssertionError("attempts are still under way")
