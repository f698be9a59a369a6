"""What is removed from the shared store is gone from every file of it, and nothing else is."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import diskcache
import pytest
from click.testing import CliRunner
from run_kit import environment, make_records, score

from judge.backend import Reply
from judge.calls.retention import prune
from judge.calls.store import Store
from judge.cli import cli
from judge.errors import CacheError
from judge.testing import Server

DAY = 86_400


def reply(text: str, **changes: Any) -> Reply:
    return Reply(
        **{"text": text, "model": "m", "prompt_tokens": 10, "completion_tokens": 2, "cost_usd": 0.5, **changes}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five replies, a day apart: two of anna (one in a file of its own), one shared, one of an unknown price."""
    store = Store(tmp_path / "store")
    store.keep("k1", reply("canary-anna " * 5000), record_id="anna")
    store.keep("k2", reply("canary-anna"), record_id="anna")
    store.keep("k3", reply("canary-shared", model="n"), record_id="berta")
    store.keep("k3", reply("canary-shared", cached=True), record_id="carla")
    store.keep("k4", reply("canary-carla", cost_usd=None), record_id="carla")
    store.keep("k5", reply("canary-nobody"))
    now = time.time()
    for number in range(1, 6):  # k1 is the oldest: 4.5 days
        age = (5.5 - number) * DAY
        store._cache._sql("UPDATE Cache SET store_time = ? WHERE key = ?", (now - age, f"k{number}"))
    store.close()
    return tmp_path / "store"


def cache(*words: object, stdin: str | None = None) -> Any:
    return CliRunner().invoke(cli, ["cache", *map(str, words)], input=stdin, catch_exceptions=False)


def told(folder: Path, *words: object) -> Any:
    shown = cache(*words, "--cache", folder, "--json")
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)


def raw(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_ls_is_newest_first_with_fixed_keys(folder: Path) -> None:
    rows = told(folder, "ls")["entries"]
    keys = "stored record_ids model prompt_tokens completion_tokens cost_usd bytes damaged"
    assert {tuple(row) for row in rows} == {tuple(keys.split())}
    assert [row["record_ids"] for row in rows] == [[], ["carla"], ["berta", "carla"], ["anna"], ["anna"]]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["stored"]) for row in rows)
    assert rows[4]["bytes"] > 60_000
    assert [len(told(folder, "ls", *words)["entries"]) for words in (
        ("--limit", 2), ("--record", "carla"), ("--older-than", "60h"), ("--record", "anna", "--older-than", "4d")
    )] == [2, 2, 3, 1]  # fmt: skip


def test_ls_for_people(folder: Path) -> None:
    lines = cache("ls", "--cache", folder).output.splitlines()
    assert lines[0].split() == ["stored", "records", "answered", "by", "tokens", "size"]
    assert re.search(r"Z +berta, carla +n +10 \+ 2 +\d+ B$", lines[3])
    assert "60.2 kB" in lines[5]


def test_stats(folder: Path) -> None:
    db = sqlite3.connect(folder / "cache.db")
    with db:
        db.execute("UPDATE Cache SET value = x'00' WHERE key = 'k5'")
    db.close()
    stats = told(folder, "stats")
    assert list(stats) == [
        "store", "entries", "bytes", "prompt_tokens", "completion_tokens", "unpriced", "damaged", "bytes_on_disk",
        "cost_usd", "oldest", "newest", "models",
    ]  # fmt: skip
    # Four whole ones of 10 + 2 tokens; three of them at $0.5.
    assert (stats["entries"], stats["damaged"], stats["unpriced"], stats["cost_usd"]) == (5, 1, 1, 1.5)
    assert (stats["prompt_tokens"], stats["completion_tokens"], stats["models"]) == (40, 8, {"m": 3, "n": 1})
    assert stats["bytes_on_disk"] > stats["bytes"] > 60_000
    assert stats["oldest"] < stats["newest"]
    shown = cache("stats", "--cache", folder).output
    assert "40 + 8 tokens, $1.5000 when they were paid, 1 of unknown price" in shown
    assert "1 are damaged" in shown


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--record", "anna"), ["k3", "k4", "k5"]),
        (("--record", "berta"), ["k1", "k2", "k4", "k5"]),  # carla's too, as it is the same reply
        (("--record", "nobody at all"), ["k1", "k2", "k3", "k4", "k5"]),
        (("--older-than", "2d"), ["k4", "k5"]),
        (("--older-than", "12h"), []),
        (("--max-size", "2kB"), ["k2", "k3", "k4", "k5"]),  # four of some 250 bytes each
        (("--max-size", "0"), []),
        (("--record", "carla", "--older-than", "4d"), ["k2", "k5"]),  # either is enough
    ],
)
def test_prune_removes_what_any_condition_holds_for(words: tuple, left: list[str], folder: Path) -> None:
    would = told(folder, "prune", *words, "--dry-run")
    assert len(told(folder, "ls")["entries"]) == 5
    done = told(folder, "prune", *words)
    assert done == {**would, "dry_run": False}
    assert (done["removed"]["entries"], done["left"]["entries"]) == (5 - len(left), len(left))
    store = Store(folder)
    assert [key for key in ("k1", "k2", "k3", "k4", "k5") if store.find(key)] == left
    assert len(store._cache) == len(left)  # diskcache's own count
    assert store.damaged == 0
    store.close()


def test_nothing_of_what_was_removed_is_left_in_any_file(folder: Path) -> None:
    """Not in free pages, not in the log, not in a file; not either what was written over or left over before."""
    store = Store(folder)
    store.keep("k2", reply("canary-anna-later"), record_id="anna")
    store._cache._sql("PRAGMA secure_delete=OFF")  # as SQLite is, where whoever built it chose nothing else
    for size in (2000, 300, 1):  # written over by shorter ones: what is left of it is in no row
        store.keep("k5", reply("canary-anna " * size if size > 1 else "canary-nobody"))
    orphan = folder / "aa" / "bb" / ("c" * 28 + ".val")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"canary-anna")
    os.utime(orphan, (1, 1))
    fresh = orphan.with_name("d" * 28 + ".val")  # its row may come yet
    fresh.write_bytes(b"another process is at it")
    strange = orphan.with_name("notes.val")
    strange.write_bytes(b"not ours")
    assert raw(folder).count(b"canary-anna") > 5000
    shown = cache("prune", "--record", "anna", "--cache", folder)  # while a run has it open
    assert re.fullmatch(r"Removed 2 replies \(60\.\d kB\) from .*; 3 replies \(\d+ B\) left\.\n", shown.output)
    assert b"canary-anna" not in raw(folder)
    assert b"anna" not in raw(folder)
    assert (orphan.exists(), fresh.exists(), strange.exists()) == (False, True, True)
    assert store.find("k3") == reply("canary-shared", model="n")
    store.close()


def test_a_store_in_the_middle_of_a_read_is_said_to_be_in_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judge.calls.retention._PATIENCE_S", 0.1)
    reader = sqlite3.connect(folder / "cache.db", isolation_level=None)
    store = Store(folder)
    store.keep("k9", reply("in the log"))
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM Cache").fetchone()
    with pytest.raises(CacheError, match=r"in use by another process|database is locked|table is locked"):
        prune(folder, record_id="anna")
    reader.close()
    store.close()
    assert prune(folder, record_id="anna").entries == 0  # gone already; now from the log too
    assert b"canary-anna" not in raw(folder)


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1w", "1e3d", ""])
def test_an_age_that_is_none(age: str, folder: Path) -> None:
    shown = cache("prune", "--older-than", age, "--cache", folder)
    assert shown.exit_code == 2
    assert "is no age such as 30d, 12h, 90m or 45s" in shown.output


def test_prune_needs_a_condition(folder: Path) -> None:
    shown = cache("prune", "--cache", folder)
    assert shown.exit_code == 2
    assert "nothing says what is to go. Give --older-than, --record or --max-size." in shown.output
    assert "is no size such as 2GB" in cache("prune", "--max-size", "big", "--cache", folder).output


@pytest.mark.parametrize("command", [("ls",), ("stats",), ("prune", "--record", "x"), ("clear", "--yes")])
def test_a_folder_that_is_no_store_is_left_alone(command: tuple, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("mine")
    for name in ("papers", "missing"):
        shown = cache(*command, "--cache", tmp_path / name)
        assert shown.exit_code == 2
        assert f"{name} is no shared store: it has no cache.db. Give --cache DIR." in shown.output
    assert [path.name for path in tmp_path.rglob("*")] == ["papers", "thesis.txt"]
    assert "--cache none is no store" in cache(*command, "--cache", "none").output


def test_clear_removes_what_is_ours_and_nothing_else(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    shown = cache("clear", "--cache", folder)
    assert (shown.exit_code, "Give --yes if that is meant." in shown.output) == (2, True)
    assert len(told(folder, "ls")["entries"]) == 5
    assert told(folder, "clear", "--yes") == {"store": str(folder), "removed": True}
    assert [path.name for path in folder.rglob("*")] == ["notes.txt"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("command", [("ls",), ("stats",), ("prune", "--max-size", "0"), ("clear", "--yes")])
def test_the_store_of_another_program_is_left_alone(command: tuple, damaged: bool, tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path / "theirs")) as theirs:
        theirs["short"], theirs["long"] = b"x", b"x" * 100_000
    if damaged:
        (tmp_path / "theirs" / "cache.db").write_bytes(b"no database")
    before = contents(tmp_path)
    shown = cache(*command, "--cache", tmp_path / "theirs")
    assert shown.exit_code == 2
    assert "is no shared store of judge: its cache.db has no table judge_records. It may be another" in shown.output
    assert contents(tmp_path) == before


def test_a_run_does_not_take_the_store_of_another_program(tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path / "theirs")) as theirs:
        theirs["short"] = 1
    before = contents(tmp_path / "theirs")
    with pytest.raises(CacheError, match=r"theirs is another program's: it has no table judge_records\. Give another"):
        Store(tmp_path / "theirs")
    assert contents(tmp_path / "theirs") == before


def test_a_store_that_was_only_just_made_is_ours(tmp_path: Path) -> None:
    """Another process may be between diskcache's tables and our own."""
    diskcache.Cache(str(tmp_path / "new")).close()
    (tmp_path / "new").chmod(0o700)
    Store(tmp_path / "new").close()
    assert told(tmp_path / "new", "ls")["entries"] == []


def test_clear_takes_the_folder_and_a_damaged_store_too(folder: Path) -> None:
    whole = (folder / "cache.db").read_bytes()
    (folder / "cache.db").write_bytes(b"no database" + whole[11:])
    shown = cache("stats", "--cache", folder)
    assert (shown.exit_code, "file is not a database" in shown.output) == (2, True)
    assert cache("clear", "--yes", "--cache", folder).output == f"Removed the store {folder}.\n"
    assert not folder.exists()


@pytest.mark.parametrize(("answer", "there"), [(b"n\n", True), (b"y\n", False)])
def test_clear_asks_on_a_terminal(answer: bytes, there: bool, folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "judge", "cache", "clear", "--cache", str(folder)]
    child = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    os.write(ours, answer)
    _, said = child.communicate(timeout=30)
    os.close(ours), os.close(theirs)
    assert f"Remove the store {folder}?".encode() in said
    assert (child.returncode, folder.exists()) == (int(there), there)


def test_a_run_knows_whose_replies_it_stored(tmp_path: Path) -> None:
    """Two records with the same texts share the reply; it goes with either, and is asked anew for the other."""
    first, second = make_records(2)
    twin = {**first, "id": "twin"}
    with Server() as server:
        score([first, second, twin], tmp_path / "one", server, cache=tmp_path / "store")
        later = {**second, "id": "later"}
        score([later], tmp_path / "two", server, cache=tmp_path / "store")
        assert server.ledger.requests == 2
        rows = told(tmp_path / "store", "ls")["entries"]
        assert sorted(row["record_ids"] for row in rows) == [["later", "r2"], ["r1", "twin"]]
        told(tmp_path / "store", "prune", "--record", "twin")
        score([first, second], tmp_path / "three", server, cache=tmp_path / "store")
        assert server.ledger.requests == 3
