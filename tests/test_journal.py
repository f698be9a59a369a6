"""Paid replies -> disk and back: nothing committed is lost, and nothing damaged is believed."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest
from run_kit import (
    arguments_for,
    asked_after_commit,
    environment,
    make_records,
    read_failures,
    run_judge,
    score,
    to_lines,
)

from judge.backend import Reply
from judge.errors import CacheError
from judge.journal.journal import Journal, served
from judge.journal.sealed import _seal
from judge.journal.seen import Seen
from judge.price import Price
from judge.testing import Server

REPLY = Reply(
    text='{"u1": "ünï\u2028\\""}',
    model="m",
    finish_reason="stop",
    prompt_tokens=7,
    completion_tokens=3,
    cost_usd=0.25,
    latency_s=1.5,
    attempts=3,
)


@pytest.fixture
def journal(tmp_path: Path):
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def reopened(journal: Journal) -> Journal:
    journal.close()
    return Journal(journal._path)


def test_a_reply_comes_back_as_it_was(journal: Journal) -> None:
    journal.commit("a-0", REPLY)
    again = reopened(journal)
    assert again.find("a-0") == REPLY
    assert again.find("a-1") is None
    again.close()


@pytest.mark.parametrize("before", [[], ["a-0"]])
def test_who_writes_alone_finds_the_same(before: list[str], journal: Journal) -> None:
    """What an earlier session wrote, what this one did, and nothing of what nobody has."""
    for call_id in before:
        journal.commit(call_id, REPLY)
    again = reopened(journal)
    again.write_alone()
    again.commit_all([("b-0", REPLY), ("c-0", REPLY)])
    again.commit("d-0", REPLY)
    assert again.find_all(["a-0", "b-0", "c-0", "d-0", "e-0"]) == dict.fromkeys([*before, "b-0", "c-0", "d-0"], REPLY)
    assert again.find_all(["e-0"]) == {}
    again.close()


def test_what_was_seen_is_never_forgotten_and_little_else_is_taken_for_it() -> None:
    seen = Seen()
    for number in range(100_000):
        seen.add(f"{number:x}-0")
    assert all(f"{number:x}-0" in seen for number in range(100_000))
    taken = sum(f"{number:x}-1" in seen for number in range(100_000))
    assert taken < 1_000  # 300 of them are expected, as 1 place of 335 is filled


def test_the_last_of_two_replies_to_a_call_counts(journal: Journal) -> None:
    journal.commit("a-0", REPLY)
    journal.commit("a-0", Reply(text="later"))
    assert journal.find("a-0") == Reply(text="later")


def test_a_served_reply_costs_nothing_now() -> None:
    assert served(REPLY) == Reply(
        text=REPLY.text, model="m", finish_reason="stop", prompt_tokens=7, completion_tokens=3, cost_usd=0.0,
        latency_s=1.5, attempts=0, cached=True,
    )  # fmt: skip


def test_retired_replies_are_not_replayed_and_still_counted(journal: Journal) -> None:
    for call_id in ("a-0", "a-1", "ab-0", "b-0"):
        journal.commit(call_id, REPLY)
    again = reopened(journal)
    again.retire(["a-0", "a-1", "never-0"])
    assert [again.find(call_id) is None for call_id in ("a-0", "a-1", "ab-0", "b-0")] == [True, True, False, False]
    again.commit("a-0", Reply(text="anew"))
    assert again.find("a-0") == Reply(text="anew")
    # 5 replies: 4 of 3 attempts, 7 + 3 tokens and $0.25; the new one of 1 attempt and an unknown price.
    assert again.spent() == {
        "replies": 5, "attempts": 13, "prompt_tokens": 28, "completion_tokens": 12, "cached_tokens": None,
        "cost_usd": None,
    }  # fmt: skip
    again.close()


def test_what_this_session_paid_is_not_retired(journal: Journal) -> None:
    journal.commit("a-0", Reply(text="old"))
    again = reopened(journal)
    again.retire(["a-0"])
    again.commit("a-0", Reply(text="new"))
    again.retire(["a-0"])  # a second record with this very request failed too
    assert again.find("a-0") == Reply(text="new")
    again.close()


def test_costs_add_up(journal: Journal) -> None:
    assert journal.spent()["cost_usd"] == 0.0
    for _ in range(4):
        journal.commit("a-0", REPLY)
    assert journal.spent()["cost_usd"] == 1.0


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        journal = Journal(tmp_path / "j.sqlite")
        journal.commit("a-0", REPLY)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    journal.close()
    assert modes == {"j.sqlite": 0o600, "j.sqlite-wal": 0o600, "j.sqlite-shm": 0o600}


@pytest.mark.parametrize("version", [0, 1, 3, 2**31 - 1])
def test_another_version_is_refused(version: int, journal: Journal) -> None:
    journal.close()
    with sqlite3.connect(journal._path) as db:
        db.execute(f"PRAGMA user_version={version}")
    db.close()
    with pytest.raises(
        CacheError, match=rf"is of format {version}, and .* knows format 2 only\. Go on with the version"
    ):
        Journal(journal._path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="No such file or directory"):
        Journal(tmp_path / "missing" / "j.sqlite")


def test_a_planted_reply_of_wrong_types_is_refused(journal: Journal) -> None:
    body = b'{"text": 5}'
    journal._db.execute("INSERT INTO replies (call_id, reply) VALUES ('a-0', ?)", (_seal(b"a-0", body) + body,))
    for read in (lambda: journal.find("a-0"), journal.spent):  # the second is read at every start
        with pytest.raises(CacheError, match=r"is damaged: a stored reply cannot be read\."):
            read()


def test_a_commit_survives_kill_9(tmp_path: Path) -> None:
    """The child kills itself right after `commit` returns, with nothing closed."""
    path = tmp_path / "j.sqlite"
    child = (
        "import os, signal, sys; from pathlib import Path; from judge.backend import Reply\n"
        "from judge.journal.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "[journal.commit(f'a{n}-0', Reply(text=str(n))) for n in range(200)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", child, str(path)], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    journal = Journal(path)
    assert [journal.find(f"a{n}-0") for n in range(200)] == [Reply(text=str(n)) for n in range(200)]
    journal.close()


_KILLED_IN_A_COMMIT = """
import os, signal, sys
from pathlib import Path
from judge.backend import Reply
from judge.journal.journal import Journal
path, left = Path(sys.argv[1]), int(sys.argv[2])
journal = Journal(path)
journal.redeem_by_reply(journal.pledge(0.5), "a-0")
def count(statement):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
journal._db.set_trace_callback(count)
journal.commit("a-0", Reply(text="x", cost_usd=0.25))
"""


def test_a_pledge_goes_with_its_reply_wherever_a_commit_is_killed(tmp_path: Path) -> None:
    """Killed before each statement of a commit, in turn: the pledge counts, or the reply does, and never none."""
    found = []
    for statement in range(1, 20):
        path = tmp_path / f"{statement}.sqlite"
        child = [sys.executable, "-c", _KILLED_IN_A_COMMIT, str(path), str(statement)]
        killed = subprocess.run(child, env=environment(), check=False).returncode == -signal.SIGKILL
        journal = Journal(path)
        found.append((journal.find("a-0") is not None, journal.billed_usd(Price(prompt=1, completion=1))))
        journal.close()
        if not killed:
            break
    assert found[-1] == (True, 0.25)
    assert len(found) > 3  # so it was killed between the reply and the pledge too
    assert set(found[:-1]) == {(False, 0.5)}


def test_a_commit_that_fails_keeps_its_pledge(journal: Journal) -> None:
    journal.redeem_by_reply(journal.pledge(0.5), "a-0")
    journal._db.execute("PRAGMA query_only = ON")
    with pytest.raises(CacheError, match="readonly"):
        journal.commit("a-0", REPLY)
    journal._db.execute("PRAGMA query_only = OFF")
    assert journal.billed_usd(Price(prompt=1, completion=1)) == 0.5


_DIE_BEFORE_PARSING = """
import os, judge.written
def die(*_, **__): os._exit(9)
judge.written.parse_reply = die
"""


def test_a_reply_is_committed_before_it_is_parsed(tmp_path: Path) -> None:
    traces, out = tmp_path / "t.jsonl", tmp_path / "out"
    traces.write_bytes(to_lines(make_records(6)))
    with Server(latency_ms=50) as server:
        code, said = run_judge(*arguments_for(traces, out, server), script=_DIE_BEFORE_PARSING)
        assert code == 9, said
        assert server.ledger.paid >= 1
        code, said = run_judge(*arguments_for(traces, out, server))
        assert code == 0, said
        assert asked_after_commit(server) == 0
        assert server.ledger.repaid <= server.ledger.paid - 6


def test_unusable_replies_are_replayed_too(tmp_path: Path) -> None:
    """Three replies were paid for; the chain that failed is not paid for again while its block was never written."""
    records = make_records(3)
    with Server(script="stubborn") as server:
        traces = tmp_path / "t.jsonl"
        traces.write_bytes(to_lines(records))
        kill = "import os, judge.runs.block\njudge.runs.block.Block.write = lambda *_, **__: os._exit(9)"
        code, said = run_judge(*arguments_for(traces, tmp_path / "out", server), script=kill)
        assert code == 9, said
        assert server.ledger.requests == 9
        report = score(records, tmp_path / "out", server)
        assert (report.failed, server.ledger.requests) == (3, 9)
        assert {row["error"] for row in read_failures(tmp_path / "out")} == {"not_json"}


# Several processes and threads.

_WRITER = """
import sys, threading
from pathlib import Path
from judge.backend import Reply
from judge.journal.journal import Journal
path, earlier, me = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
journal = Journal(path, earlier=earlier)
def work(thread):
    for n in range(25):
        name = f"{me}-{thread}-{n}-0"
        journal.commit(name, Reply(text=name, prompt_tokens=1, cost_usd=0.5))
        assert journal.find(name).text == name
        journal.commit("shared-0", Reply(text="shared", prompt_tokens=1, cost_usd=0.5))
        journal.retire([f"old{n}-0", name])
        assert journal.find(name), "what this session paid stays"
threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
sys.stdout.write(str(journal.spent()["replies"]))
"""


def test_eight_processes_of_four_threads_on_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    for n in range(25):
        journal.commit(f"old{n}-0", Reply(text="old", prompt_tokens=1, cost_usd=0.5))
    journal = reopened(journal)
    command = [sys.executable, "-c", _WRITER, str(path), str(journal.earlier)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, f"w{n}"], env=environment(), **pipes) for n in range(8)]
    told = [writer.communicate(timeout=60) for writer in writers]
    assert [(writer.returncode, err) for writer, (_, err) in zip(writers, told, strict=True)] == [(0, "")] * 8
    # 25 old ones; 8 processes of 4 threads commit 2 x 25 each. The last to end has seen them all.
    assert journal.spent()["replies"] == max(int(out) for out, _ in told) == 25 + 8 * 4 * 50
    assert (journal.spent()["prompt_tokens"], journal.spent()["cost_usd"]) == (1625, 812.5)
    for n in range(25):
        assert journal.find(f"old{n}-0") is None
        assert all(journal.find(f"w{w}-{t}-{n}-0") == Reply(
            text=f"w{w}-{t}-{n}-0", prompt_tokens=1, cost_usd=0.5) for w in range(8) for t in range(4))  # fmt: skip
    again = reopened(journal)  # and it is sound
    assert again.earlier == 1625
    again.close()


def test_totals_are_those_of_all_processes(tmp_path: Path) -> None:
    one = Journal(tmp_path / "j.sqlite")
    other = Journal(tmp_path / "j.sqlite", earlier=one.earlier)
    one.commit("a-0", REPLY)
    assert other.spent()["cost_usd"] == 0.25
    other.commit("b-0", REPLY)
    assert one.spent() == other.spent()
    assert one.spent()["cost_usd"] == 0.5
    other.retire(["a-0"])  # of this session, whoever paid for it
    assert one.find("a-0") == REPLY
    one.close()
    other.close()


def test_it_is_closed_when_nobody_reads_it(tmp_path: Path) -> None:
    """A run counts what its workers commit in a thread, which may be at it when the run ends."""
    writer = Journal(tmp_path / "j.sqlite")
    writer.commit_all([(f"c{n}-0", REPLY) for n in range(5_000)])
    with ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            journal = Journal(tmp_path / "j.sqlite", earlier=0)
            counted = pool.submit(journal.spent)
            while not (journal._counted or counted.done()):
                time.sleep(0)
            journal.close()
            assert counted.result()["replies"] == 5_000
    writer.close()


def test_a_damaged_reply_that_is_counted_does_not_hold_the_log(journal: Journal) -> None:
    journal.commit_all([("a-0", REPLY), ("b-0", REPLY), ("c-0", REPLY)])
    other = Journal(journal._path, earlier=0)
    other._db.execute("UPDATE replies SET reply = x'00' WHERE call_id = 'b-0'")
    with pytest.raises(CacheError, match="was changed after it was written") as caught:
        other.spent()
    busy, _, _ = journal._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    assert not busy, caught  # which keeps its frames alive, as a task does that failed
    other.close()


def test_a_forked_child_may_close_what_it_cannot_use(journal: Journal) -> None:
    """A thread of the parent may be at work with it, which the child waits for in vain."""
    with journal._lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            Thread(target=lambda: (journal.close(), os._exit(0))).start()
            signal.pause()
    assert os.waitpid(pid, 0)[1] == 0


def test_a_forked_child_is_told_to_open_its_own(journal: Journal) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            journal.commit("a-0", REPLY)
        except CacheError as exc:
            os._exit(7 if "was opened by another process. Open it again after a fork." in str(exc) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert journal.spent()["replies"] == 0


# The disk.


def test_a_file_system_without_a_log_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own driver for such file systems: it has no shared memory, so it refuses the log."""
    real = sqlite3.connect

    def connect(address: str, **options: object) -> sqlite3.Connection:
        return real(f"{address}&vfs=unix-dotfile", **options)

    monkeypatch.setattr("judge.journal.file.sqlite3.connect", connect)
    journal = Journal(tmp_path / "j.sqlite")
    (note,) = journal.notes
    assert note.startswith("j.sqlite is on a file system without SQLite's log")
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: there is no log to come back from
    journal.commit("a-0", REPLY)
    again = reopened(journal)
    assert again.find("a-0") == REPLY
    again.retire(["a-0"])
    assert again.find("a-0") is None
    again.close()
