"""A run directory is resumed: only what is missing, failed or changed is asked, and read = scored + failed."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import pty
import random
import sqlite3
import threading
import time
import tty
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from run_kit import (
    NAME,
    RUBRIC,
    assert_same_tables,
    check_conservation,
    finish,
    make_record,
    make_records,
    read_failures,
    run_judge,
    score,
    settings_for,
    start_judge,
    to_lines,
    traces_of,
)

from judge.connect import connect
from judge.errors import CacheError, ConfigError, FatalError, InputError
from judge.journal.journal import Journal
from judge.prompt import Prompt
from judge.record import build_record
from judge.run import Progress, RunReport, score_file
from judge.runs.block import Block
from judge.testing import Ask, Server, obedient

Asked = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four records; and the disk is not waited for, which test_directory.py is about."""
    monkeypatch.setattr("judge.runs.block.BLOCK_RECORDS", 4)
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def resumed(records: list, out: Path, server: Server, **changes: Any) -> int:
    """Requests of one more session on a directory."""
    before = server.ledger.requests
    report = score(records, out, server, **changes)
    assert report.finished
    return server.ledger.requests - before


def edited(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "trace": record["trace"] + " On reflection, the spleen is enlarged."}


class Moody:
    """Obedient, but for some records answers something else until it is mended."""

    def __init__(self, *numbers: int, says: Callable[[Ask], Any]) -> None:
        self._cases = {f"Case {number}." for number in numbers}
        self._says = says
        self.mended = False

    def __call__(self, ask: Ask) -> Any:
        ill = not self.mended and any(ask.trace.startswith(case) for case in self._cases)
        return self._says(ask) if ill else obedient(ask)


def prose(_: Ask) -> str:
    return "I would rather not."


def wrong_value(ask: Ask) -> dict[str, Any]:
    return {name: {**verdict, "presence": 9} for name, verdict in obedient(ask).items()}


# Again.


def test_a_finished_run_asks_nothing_again(out: Path, server: Server, tmp_path: Path) -> None:
    records = make_records(11, units=(1, 2, 3))
    score(records, tmp_path / "fresh", server)
    score(records, out, server)
    files = {path: path.stat().st_mtime_ns for path in (out / "parts").rglob("*.parquet")}
    progress = Progress()
    assert resumed(records, out, server, progress=progress) == 0
    assert (progress.read, progress.kept, progress.scored, progress.calls) == (11, 11, 11, 0)
    assert_same_tables(out, tmp_path / "fresh")
    assert files == {path: path.stat().st_mtime_ns for path in (out / "parts").rglob("*.parquet")}


@pytest.mark.parametrize("says", [prose, wrong_value], ids=["prose", "wrong_value"])
def test_only_a_record_that_failed_is_asked_anew(says: Callable, out: Path, tmp_path: Path) -> None:
    records = make_records(9)
    script = Moody(3, 8, says=says)
    with Server(script=script) as server:
        report = score(records, out, server)
        assert (report.read, report.scored, report.failed) == (9, 7, 2)
        assert {row["record_id"] for row in read_failures(out)} == {"r3", "r8"}
        assert server.ledger.requests == 7 + 2 * 3
        assert resumed(records, out, server) == 2 * 3  # still ill: two conversations of three asks again
        script.mended = True
        before = len(server.ledger.rows())
        assert resumed(records, out, server) == 2
        # From the first ask on, and not in the middle of the old conversation.
        assert [row.complaint for row in server.ledger.rows()[before:]] == [False, False]
        assert read_failures(out) == []
        score(records, tmp_path / "fresh", server)
        report = score(records, out, server)
    assert_same_tables(out, tmp_path / "fresh")
    # What was paid stays on the bill: 7 good, 2 records with 3 + 3 + 1 replies.
    assert report.spent["replies"] == 7 + 2 * 7


def test_the_good_axes_of_a_failed_record_are_not_paid_again(out: Path) -> None:
    records = make_records(2, units=(3,))
    claim = records[0]["units"]["knowledge"][0]["claim"]
    script = Moody(1, says=lambda ask: prose(ask) if ask.units[0].claim == claim else obedient(ask))
    with Server(script=script) as server:
        assert score(records, out, server).failed == 1
        asked = server.ledger.requests
        script.mended = True
        assert resumed(records, out, server) == (asked - 6) // 2
        assert read_failures(out) == []


def test_equal_records_that_failed_in_two_blocks_are_asked_once(out: Path) -> None:
    records = [*make_records(5), {**make_record(2), "id": "twin"}]  # line 2 is in block 1, line 6 in block 2
    script = Moody(2, says=prose)
    with Server(script=script) as server:
        assert score(records, out, server, concurrency=1).failed == 2
        script.mended = True
        assert resumed(records, out, server, concurrency=1) == 1


def test_a_server_that_is_mended_at_the_same_address(out: Path, server: Server, hurried: None, tmp_path: Path) -> None:
    records = make_records(10)
    server.always = 500
    with pytest.raises(FatalError, match="the provider is down: 3 calls in a row failed"):
        score(records, out, server, max_retries=0)
    assert json.loads((out / "run.json").read_bytes())["status"] == "stopped"
    server.always = None
    assert resumed(records, out, server) == 10
    score(records, tmp_path / "fresh", server)
    assert_same_tables(out, tmp_path / "fresh")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenacity import wait_none

    monkeypatch.setattr("judge.calls.retrying._BACKOFF", wait_none())


def test_records_that_failed_on_the_way_are_asked_anew(out: Path, hurried: None, tmp_path: Path) -> None:
    records = make_records(10)
    with Server(max_model_len=100_000) as server:
        long = {**records[6], "context": "word " * 90_000}
        given = [*records[:6], long, *records[7:]]
        report = score(given, out, server)
        assert [(row["record_id"], row["error"], row["stage"]) for row in read_failures(out)] == [
            ("r7", "context_limit", "ask")
        ]
        assert (report.failed, server.ledger.requests) == (1, 10)
        server.max_model_len = None
        assert resumed(given, out, server) == 1
        score(given, tmp_path / "fresh", server)
    assert_same_tables(out, tmp_path / "fresh")


# Changed input.


@pytest.mark.parametrize(
    ("change", "cost"),
    [
        (lambda r: [*r[:5], edited(r[5]), *r[6:]], 1),
        (lambda r: [make_record(99), *r], 1),
        (lambda r: [*r[:6], make_record(99), *r[6:]], 1),
        (lambda r: [*r[:2], *r[3:]], 0),
        (lambda r: r[:5], 0),
        (lambda r: r[::-1], 0),
        (lambda r: [r[8], *r[:8]], 0),
        (lambda r: [*r, r[3]], 0),
        (lambda r: [{**record, "meta": {"note": "new"}} for record in r], 0),
        (lambda r: ["", *r[:3], "   ", *r[3:]], 0),
        (lambda r: [*r[:3], "{not json", *r[3:]], 0),
        (lambda r: [{**r[0], "units": make_record(50, units=3)["units"]}, *r[1:]], 3),
    ],
    ids=[
        *("edited", "inserted first", "inserted", "removed", "cut off", "reversed", "rotated", "repeated"),
        *("other meta", "blank lines", "unreadable", "other units"),
    ],
)
def test_only_changed_records_cost_requests(
    change: Callable[[list], list], cost: int, out: Path, server: Server, tmp_path: Path
) -> None:
    records = make_records(9)
    score(records, out, server)
    changed = change(records)
    assert resumed(changed, out, server) == cost
    score(changed, tmp_path / "fresh", server)
    assert_same_tables(out, tmp_path / "fresh")


@pytest.mark.parametrize("seed", range(3))
def test_any_row_of_changes_ends_where_a_fresh_run_does(seed: int, server: Server, tmp_path: Path) -> None:
    """Twelve random edits, a session after each; now and then a limit in between. No request is ever sent twice."""
    dice, records, new = random.Random(seed), make_records(10, units=(1, 2), seed=seed), 100
    asked: list[str] = []
    for _ in range(12):
        place = dice.randrange(len(records))
        new += 1
        change = dice.choice(["edit", "insert", "remove", "swap", "repeat", "spoil", "limit", "limit"])
        if change == "edit" and isinstance(records[place], dict):
            records[place] = edited(records[place])
        elif change in ("insert", "spoil"):
            records.insert(place, make_record(new, units=2) if change == "insert" else '{"id": 5}')
        elif change == "remove":
            del records[place]
        elif change == "swap":
            records[place], records[0] = records[0], records[place]
        elif change == "repeat":
            records.append(records[place])
        before = server.ledger.requests
        score(records, tmp_path / "run", server, limit=dice.randint(1, 8) if change == "limit" else None)
        asked += [row.key for row in server.ledger.rows()[before:]]
    before = server.ledger.requests
    report = score(records, tmp_path / "run", server)
    asked += [row.key for row in server.ledger.rows()[before:]]
    assert len(asked) == len(set(asked))
    assert report.read == len(records)
    score(records, tmp_path / "fresh", server)
    assert_same_tables(tmp_path / "run", tmp_path / "fresh")


def test_two_equal_lines_are_one_call(out: Path, server: Server) -> None:
    records = make_records(3)
    assert resumed([*records, *records, records[0]], out, server) == 3
    scores = pl.read_parquet(out / "scores.parquet")
    assert scores["line"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert scores["trace_score"].to_list() == [scores["trace_score"][n % 3] for n in range(7)]
    assert json.loads((out / "run.json").read_bytes())["spent"]["replies"] == 3


def test_a_limit_and_then_none(out: Path, server: Server, tmp_path: Path) -> None:
    records = make_records(11)
    assert resumed(records, out, server, limit=3) == 3
    assert len(pl.read_parquet(out / "scores.parquet")) == 3
    assert resumed(records, out, server, limit=6) == 3
    assert resumed(records, out, server, limit=2) == 0
    assert resumed(records, out, server) == 5
    score(records, tmp_path / "fresh", server)
    assert_same_tables(out, tmp_path / "fresh")


# Another judge.


def other_prompt(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(Prompt, "fingerprint", property(lambda self: "0123456789ab"))
    return {}


@pytest.mark.parametrize(
    ("change", "then", "now"),
    [
        ({"judge": "hosted_vllm/other"}, repr(NAME), "'hosted_vllm/other'"),
        ({"params": {"temperature": 0.7}}, "'temperature': 0,", "'temperature': 0.7"),
        ({"granularity": "unit"}, "'axis'", "'unit'"),
        ({"samples": 2}, "samples was 1", "is 2"),
        ({"min_coverage": 0.5}, "min_coverage was 1.0", "is 0.5"),
        ({"rubric": RUBRIC.model_copy(update={"guidelines": "Be kind."})}, RUBRIC.fingerprint, "rubric was"),
        (other_prompt, Prompt(RUBRIC).fingerprint, "'0123456789ab'"),
    ],
    ids=["judge", "params", "granularity", "samples", "coverage", "rubric", "prompt"],
)
def test_another_judge_is_refused_with_both_values(
    change: Any, then: str, now: str, out: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = make_records(2)
    score(records, out, server)
    before = (out / "scores.parquet").read_bytes()
    changes = change(monkeypatch) if callable(change) else change
    with pytest.raises(ConfigError, match="holds a run of another judge or rubric") as caught:
        score(records, out, server, **changes)
    assert then in str(caught.value)
    assert now in str(caught.value)
    assert server.ledger.requests == 2
    assert (out / "scores.parquet").read_bytes() == before
    assert resumed(records, out, server, overwrite=True, **changes) == 2 * changes.get("samples", 1)


@pytest.mark.parametrize("change", [{"concurrency": 3}, {"timeout_s": 3.0}, {"max_retries": 1}])
def test_how_fast_one_asks_is_not_who_one_is(change: dict, out: Path, server: Server) -> None:
    score(make_records(3), out, server)
    assert resumed(make_records(3), out, server, **change) == 0


def test_overwrite_starts_afresh_and_pays_again(out: Path, server: Server) -> None:
    records = make_records(6)
    score(records, out, server)
    (out / "notes.md").write_text("mine")
    assert resumed(records[:2], out, server, overwrite=True) == 2
    assert len(pl.read_parquet(out / "scores.parquet")) == 2
    assert (out / "notes.md").read_text() == "mine"


# Ends.


def test_unreadable_lines_are_failures_and_no_rows(out: Path, server: Server) -> None:
    lines = ["{", make_record(1), "[]", '{"id": "x"}', make_record(2), '{"trace": null}']
    report = score(lines, out, server)
    assert (report.read, report.scored, report.failed) == (6, 2, 4)
    assert [row["line"] for row in read_failures(out)] == [1, 3, 4, 6]


def test_an_input_that_cannot_be_used_costs_no_earlier_run(out: Path, server: Server) -> None:
    """A typo before a pipe gives an empty input; neither it nor --overwrite may throw away what is there."""
    score(make_records(2), out, server)
    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    for source, says in ((b"", "holds no records"), ("{}".encode("utf-16"), "UTF-16"), (b"[\n{}\n]\n", "JSON array")):
        for overwrite in (False, True):
            with pytest.raises(InputError, match=says):
                asyncio.run(score_file(traces_of(source, out), out, settings_for(server), overwrite=overwrite))
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == before
    assert json.loads((out / "run.json").read_bytes())["counts"]["scored"] == 2


def test_a_mistyped_address_can_be_corrected(out: Path, server: Server) -> None:
    """Nothing came of it, so there is nothing that another judge could be mixed with."""
    source = to_lines(make_records(2))
    wrong = replace(settings_for(server), api_base=f"{server.api_base}/oops")
    with pytest.raises(FatalError, match="404"):
        asyncio.run(score_file(traces_of(source, out), out, wrong))
    assert score(make_records(2), out, server).scored == 2


def test_a_failed_unit_of_a_scored_record_is_asked_anew(out: Path) -> None:
    """Below full coverage a record has a score although a unit failed; the resume asks for that unit's call again."""
    records, broken, claim = make_records(1), [True], "There is a second opinion."
    next(iter(records[0]["units"].values())).append({"unit_id": "U9", "claim": claim})

    def script(ask: Ask) -> Any:
        return "I cannot say." if broken and ask.units[0].claim == claim else obedient(ask)

    with Server(script=script) as server:
        first = score(records, out, server, min_coverage=0.0, granularity="unit")
        assert (first.scored, first.units_asked - first.units_judged) == (1, 1)
        broken.clear()
        second = score(records, out, server, min_coverage=0.0, granularity="unit")
        asked = server.ledger.requests
        assert (second.scored, second.units_asked - second.units_judged) == (1, 0)
        score(records, out, server, min_coverage=0.0, granularity="unit")
        assert server.ledger.requests == asked


def test_a_stop_waits_for_what_is_sent_and_sends_nothing_more(out: Path, tmp_path: Path) -> None:
    """Records of three calls at four places: when it stops, some calls of a record are under way and others wait."""
    records = make_records(40, units=(3, 1))

    async def main(server: Server) -> tuple[RunReport, int]:
        stop = asyncio.Event()
        source, settings = traces_of(to_lines(records), out), settings_for(server, concurrency=4)
        running = asyncio.ensure_future(score_file(source, out, settings, stop=stop))
        while server.ledger.requests < 20:  # noqa: ASYNC110 - the server counts in another thread
            await asyncio.sleep(0.005)
        stop.set()
        sent = server.ledger.requests
        return await running, sent

    with Server(latency_ms=60, latency_sigma=0.8) as server:
        report, sent = asyncio.run(main(server))
        asked = server.ledger.requests
        assert not report.finished
        assert 0 < report.scored == report.read < 40
        assert sent <= asked == server.ledger.delivered <= sent + 4  # what had left and not arrived
        check_conservation(out, report.read)
        server.latency_ms = 0
        assert resumed(records, out, server) == 80 - asked
        score(records, tmp_path / "fresh", server)
    assert_same_tables(out, tmp_path / "fresh")


@pytest.mark.parametrize("at_once", [False, True])
def test_a_connection_is_closed_when_what_is_paid_for_has_come(at_once: bool, tmp_path: Path) -> None:
    """Whoever asked may be gone; only somebody who wants an end now does not wait."""
    journal = Journal(tmp_path / "journal.sqlite")

    async def main(server: Server) -> None:
        async with connect(settings_for(server), journal=journal) as connection:
            asking = asyncio.ensure_future(connection.asker.judge(build_record(make_record(1), number=1)))
            while not server.ledger.requests:  # noqa: ASYNC110 - the server counts in another thread
                await asyncio.sleep(0.005)
            asking.cancel()
            if at_once:
                raise asyncio.CancelledError

    with Server(latency_ms=400) as server, suppress(asyncio.CancelledError):
        asyncio.run(main(server))
    assert (server.ledger.delivered, journal.spent()["replies"]) == ((0, 0) if at_once else (1, 1))
    journal.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_a_sentence_and_the_run_can_be_resumed(
    number: int, out: Path, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records, real, left = make_records(9), os.fsync, iter(range(12))

    def fsync(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CacheError, match=rf"{os.strerror(number)}\. What was paid for is safe"):
        score(records, out, server)
    monkeypatch.setattr(os, "fsync", real)
    asked = server.ledger.requests
    assert resumed(records, out, server) == 9 - asked
    score(records, tmp_path / "fresh", server)
    assert_same_tables(out, tmp_path / "fresh")


def _replies(out: Path) -> int:
    """Committed to the run's journal."""
    try:
        with closing(sqlite3.connect(f"file:{out / 'journal.sqlite'}?mode=ro", uri=True)) as journal:
            return int(journal.execute("SELECT COUNT(*) FROM replies").fetchone()[0])
    except sqlite3.OperationalError:  # it is not there yet
        return 0


def test_nothing_writes_any_more_once_a_run_has_failed(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the lock next must not meet a thread of the one before in its folders."""
    monkeypatch.setattr("judge.runs.block.BLOCK_RECORDS", 3)
    write, written = Block.write, iter(range(100))

    def failing(block: Block, *given: Any, **how: Any) -> None:
        if next(written) == 0:
            raise OSError(errno.EIO, "a broken disk")
        write(block, *given, **how)

    monkeypatch.setattr(Block, "write", failing)
    with Server() as server, pytest.raises(CacheError):
        score(make_records(12), out, server, concurrency=4)  # other blocks are open when it is found out
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("judge-parts")]


def test_an_input_that_fails_on_the_way_is_not_called_a_fault_of_the_directory(out: Path) -> None:
    """The master of a terminal gives what was written, and once its other end is closed EIO, as a bad disk does."""
    records = make_records(4)
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with Server() as server:
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--out", out)
        child = start_judge("score", "-", *words, stdin=ours)
        os.write(theirs, to_lines(records[:2]))
        while _replies(out) < 2:  # delivered is not yet answered: the reply may be on its way
            time.sleep(0.01)
        os.close(theirs)
        code, said = finish(child)
        os.close(ours)
        assert (code, f"{out}:" in said) == (75, False), said
        assert "standard input cannot be read: Input/output error. Once it can, the same command goes on." in said
        traces = traces_of(to_lines(records), out)
        assert run_judge("score", traces.path, *words)[0] == 0
        assert server.ledger.requests == 4


def test_an_input_that_cannot_be_read_at_all_is_wrong_usage(out: Path) -> None:
    code, said = run_judge("score", "/proc/self/mem", "--out", out)  # as of a broken disk: it has a size, and no byte
    assert (code, "/proc/self/mem cannot be read: " in said) == (2, True), said
    code, said = run_judge("estimate", "/proc/self/mem")
    assert (code, "/proc/self/mem cannot be read: " in said) == (2, True), said


def test_a_journal_that_cannot_be_written_stops_the_asking(
    out: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one failure a record: that would pay for all of them and keep none."""
    records = make_records(100)

    def full(*_: object) -> None:
        raise CacheError("database or disk is full.")

    monkeypatch.setattr("judge.journal.journal.Journal.commit_all", full)
    with pytest.raises(CacheError, match="disk is full"):
        score(records, out, server, concurrency=8)
    assert server.ledger.requests <= 8
    monkeypatch.undo()
    assert score(records, out, server).scored == 100


def test_run_json_tells_what_was_done_and_no_secret(out: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "sk-canary-4711")
    server.reject_response_format = True
    report = score(make_records(5), out, server)
    run = json.loads((out / "run.json").read_bytes())
    assert (run["status"], run["counts"]) == ("finished", {"read": 5, "scored": 5, "failed": 0})
    assert run["notes"] == list(report.notes)
    assert "asked for JSON in the text instead" in run["notes"][0]
    assert run["spent"]["replies"] == 5
    assert server.ledger.requests == 6  # asked in text once, and in text from then on
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"sk-canary-4711" not in everything


def test_settings_are_checked_before_anything_is_made(out: Path) -> None:
    settings = replace(settings_for("http://127.0.0.1:9/v1"), judge="nobody/else")
    with pytest.raises(ConfigError, match="litellm knows no provider for 'nobody/else'"):
        asyncio.run(score_file(traces_of(b"", out), out, settings))
    assert not out.exists()


def test_a_limit_does_not_wait_for_one_more_line_of_a_pipe(out: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, to_lines(make_records(3)))  # and the writer stays
    try:
        process = start_judge("score", "-", "--limit", 3, "--out", out, "--quiet", stdin=reading)
        code, said = finish(process, timeout_s=30)
    finally:
        os.close(reading)
        os.close(writing)
    assert code == 0, said
    check_conservation(out, 3)
