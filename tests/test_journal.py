"""Paid replies -> disk and back: nothing committed is lost, and nothing damaged is believed."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from judge.journal import Journal, dump_reply, load_reply, served
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


def test_the_last_of_two_replies_to_a_call_counts(journal: Journal) -> None:
    journal.commit("a-0", REPLY)
    journal.commit("a-0", Reply(text="later"))
    assert journal.find("a-0") == Reply(text="later")


def test_a_served_reply_costs_nothing_now() -> None:
    assert served(REPLY) == Reply(
        text=REPLY.text, model="m", finish_reason="stop", prompt_tokens=7, completion_tokens=3, cost_usd=0.0,
        latency_s=1.5, attempts=0, cached=True,
    )  # fmt: skip


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_any_text_survives(name: str, text: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    reply = Reply(text=text)
    assert load_reply(name, dump_reply(name, reply)) == reply


@given(st.data())
def test_no_changed_byte_is_believed(data: st.DataObject) -> None:
    sealed = dump_reply("a-0", REPLY)
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    for damaged in (flipped, sealed[:at], b"", None, "text", 5):
        with pytest.raises(CacheError, match="was changed after it was written"):
            load_reply("a-0", damaged)
    with pytest.raises(CacheError):
        load_reply("b-0", sealed)


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
        "replies": 5, "attempts": 13, "prompt_tokens": 28, "completion_tokens": 12, "cost_usd": None,
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


def test_a_newer_version_is_refused(journal: Journal) -> None:
    journal.close()
    with sqlite3.connect(journal._path) as db:
        db.execute("PRAGMA user_version=2")
    db.close()
    with pytest.raises(CacheError, match=r"written by a newer version of judge\. Update judge"):
        Journal(journal._path)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(content)
    with pytest.raises(CacheError, match=r"j\.sqlite: .+ Replies committed before are safe"):
        Journal(path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="No such file or directory"):
        Journal(tmp_path / "missing" / "j.sqlite")


def test_a_planted_reply_of_wrong_types_is_refused(journal: Journal) -> None:
    from judge.journal import _digest

    body = b'{"text": 5}'
    journal._db.execute("INSERT INTO replies (call_id, reply) VALUES ('a-0', ?)", (_digest("a-0", body) + body,))
    with pytest.raises(CacheError, match=r"is damaged: a stored reply cannot be read. --overwrite starts afresh"):
        journal.find("a-0")
    with pytest.raises(CacheError, match="is damaged"):  # at the next start, before anything more is paid
        reopened(journal)


def test_a_commit_survives_kill_9(tmp_path: Path) -> None:
    """The child kills itself right after `commit` returns, with nothing closed."""
    path = tmp_path / "j.sqlite"
    child = (
        "import os, signal, sys; from pathlib import Path; from judge.backend import Reply\n"
        "from judge.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "[journal.commit(f'a{n}-0', Reply(text=str(n))) for n in range(200)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", child, str(path)], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    journal = Journal(path)
    assert [journal.find(f"a{n}-0") for n in range(200)] == [Reply(text=str(n)) for n in range(200)]
    journal.close()


_DIE_BEFORE_PARSING = """
import os, judge.asking
def die(*_, **__): os._exit(9)
judge.asking.parse_reply = die
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
        kill = "import os, judge.block\njudge.block.Block.write = lambda *_, **__: os._exit(9)"
        code, said = run_judge(*arguments_for(traces, tmp_path / "out", server), script=kill)
        assert code == 9, said
        assert server.ledger.requests == 9
        report = score(records, tmp_path / "out", server)
        assert (report.failed, server.ledger.requests) == (3, 9)
        assert {row["error"] for row in read_failures(tmp_path / "out")} == {"not_json"}


@pytest.mark.parametrize("damage", ["head", "row"])
def test_a_damaged_journal_ends_a_run_with_a_sentence(damage: str, tmp_path: Path) -> None:
    traces, out = tmp_path / "t.jsonl", tmp_path / "out"
    traces.write_bytes(to_lines(make_records(4)))
    with Server(script="stubborn") as server:
        assert run_judge(*arguments_for(traces, out, server))[0] == 3
        _break(out / "journal.sqlite", damage)
        before = server.ledger.requests
        code, said = run_judge(*arguments_for(traces, out, server))
        assert server.ledger.requests == before
    assert code in (2, 75), said
    assert "journal.sqlite" in said.splitlines()[0]
    assert "Traceback" not in said


def _break(path: Path, damage: str) -> None:
    if damage == "head":
        path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:])
        return
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE replies SET reply = replace(reply, 'some', 'SOME')")
    db.close()
