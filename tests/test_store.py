"""The shared store: usable replies only, nothing planted is run, nothing damaged is believed."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from diskcache.core import MODE_BINARY, MODE_PICKLE, MODE_RAW, MODE_TEXT
from run_kit import assert_same_tables, environment, make_records, read_failures, score

from judge.backend import Reply
from judge.calls.store import Store, default_store_path
from judge.errors import CacheError, FatalError
from judge.testing import REPLY, Server

KEY = "k" * 64
KEPT = Reply(text="kept", model="m", prompt_tokens=3)
LARGE = Reply(text="x" * 100_000)  # above 32 KiB diskcache keeps a value in a file of its own


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "store")
    yield store
    store.close()


def rows(store: Store, statement: str, *values: object) -> None:
    db = sqlite3.connect(store._path / "cache.db")
    with db:
        db.execute(statement, values)
    db.close()


@pytest.mark.parametrize("reply", [KEPT, LARGE], ids=["small", "large"])
def test_what_is_kept_is_found(store: Store, reply: Reply) -> None:
    assert store.find(KEY) is None
    store.keep(KEY, reply)
    store.keep("other", Reply(text="other"))
    assert store.find(KEY) == reply
    store.close()
    again = Store(store._path)
    assert (again.find(KEY), again.damaged) == (reply, 0)
    again.close()


def test_nothing_is_evicted(store: Store) -> None:
    for number in range(40):
        store.keep(f"{number}", LARGE)
    assert store._cache.reset("size_limit") > 2**60
    assert (len(store._cache), store._cache.eviction_policy, store._cache.cull_limit) == (40, "none", 0)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "a" / "store")
        store.keep(KEY, KEPT)
        store.keep("large", LARGE)
        store.find(KEY)
    finally:
        os.umask(before)
    found = [tmp_path / "a", *(tmp_path / "a").rglob("*")]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in found}
    store.close()
    assert len(found) >= 6
    assert modes == {(True, 0o700), (False, 0o600)}


def test_modes_hold_in_threads_and_the_umask_is_left_alone(tmp_path: Path) -> None:
    """A umask belongs to the process: a thread that changes it changes it for all."""
    before = os.umask(0o022)
    try:
        store = Store(tmp_path / "store")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.keep(f"{n}", LARGE), range(40)))
        now = os.umask(0o022)
    finally:
        os.umask(before)
    assert now == 0o022
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in store._path.rglob("*")}
    assert modes == {(True, 0o700), (False, 0o600)}
    store.close()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(CacheError, match=rf"written to by other users \(mode {mode:04o}\)\..* chmod go-rwx {folder}"):
        Store(folder)
    assert list(folder.iterdir()) == []
    folder.chmod(0o755)  # others see names, and no content: every file is for its owner only
    Store(folder).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("planted", ["folder", "link"])
def test_a_folder_that_another_user_made_is_refused(planted: str, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    if planted == "folder":
        folder.mkdir()
    else:
        (tmp_path / "mine").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "mine")
    os.chown(folder, 65534, 65534, follow_symlinks=False)
    with pytest.raises(
        CacheError, match=r"belongs to user 65534, not to 0\. Give another --cache DIR, or --cache none"
    ):
        Store(folder)
    assert list(folder.iterdir()) == []


def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "large disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "large disk")
    Store(tmp_path / "store").close()
    assert (tmp_path / "large disk" / "cache.db").exists()


_WRITER = """
import sys, threading
from pathlib import Path
from judge.backend import Reply
from judge.calls.store import Store
store = Store(Path(sys.argv[1]))
def work(thread):
    for n in range(15):
        for key in (f"{sys.argv[2]}-{thread}-{n}", f"shared-{n}"):
            text = key * (5000 if n % 5 == 0 else 1)
            store.keep(key, Reply(text=text), record_id=key)
            assert store.find(key) in (Reply(text=text), None if n % 5 == 0 else 0), key
threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
store.close()
"""


def test_eight_processes_of_four_threads_on_one_store(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "store")]
    writers = [subprocess.Popen([*command, f"w{n}"], env=environment(), stderr=subprocess.PIPE) for n in range(8)]
    told = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [(writer.returncode, err) for writer, err in zip(writers, told, strict=True)] == [(0, b"")] * 8
    store = Store(tmp_path / "store")
    keys = [f"w{w}-{t}-{n}" for w in range(8) for t in range(4) for n in range(15)] + [f"shared-{n}" for n in range(15)]
    for key in keys:
        assert store.find(key) == Reply(text=key * (5000 if int(key.rpartition("-")[2]) % 5 == 0 else 1))
    assert (len(store._cache), store.damaged) == (len(keys), 0)
    assert store._cache._sql("PRAGMA integrity_check").fetchall() == [("ok",)]
    store.close()


# How a planted row may look: mode, file, value. The first two run code when they are unpickled.
class _Bomb:
    def __reduce__(self):
        return (os.mkdir, ("boom",))


BOMB = pickle.dumps(_Bomb())
PLANTED = {
    "pickled value": (MODE_PICKLE, None, BOMB),
    "pickled file": (MODE_PICKLE, "../bomb", None),
    "file outside": (MODE_BINARY, "../secret", None),
    "file outside, absolute": (MODE_BINARY, "{tmp}/secret", None),
    "file outside, text": (MODE_TEXT, "../secret", None),
    "raw with a file": (MODE_RAW, "../secret", b"short"),
    "no file": (MODE_BINARY, None, None),
    "missing file": (MODE_BINARY, "aa/bb/missing.val", None),
    "the database": (MODE_BINARY, "cache.db", None),
    "a file with a number": (MODE_BINARY, 5, None),
    "a file with NUL": (MODE_BINARY, "a\0.val", None),
    "no bytes": (MODE_RAW, None, "text"),
    "nothing": (MODE_RAW, None, None),
    "unknown mode": (77, None, b"x"),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_row_is_a_miss_and_is_written_over(planted: tuple, store: Store, tmp_path: Path) -> None:
    secret, mode, name, value = tmp_path / "secret", planted[0], planted[1], planted[2]
    secret.write_bytes(b"not yours")
    (tmp_path / "bomb").write_bytes(BOMB)
    name = name.format(tmp=tmp_path) if isinstance(name, str) else name
    store.keep(KEY, KEPT)
    rows(store, "UPDATE Cache SET mode = ?, filename = ?, value = ?", mode, name, value)
    assert store.find(KEY) is None
    assert store.damaged == 1
    store.keep(KEY, KEPT)
    assert store.find(KEY) == KEPT
    assert secret.read_bytes() == b"not yours", "writing over a planted row removed the file that it named"
    assert (store._path / "cache.db").exists()


def test_a_link_out_of_the_folder_is_not_followed(store: Store, tmp_path: Path) -> None:
    store.keep(KEY, LARGE)
    (path,) = store._path.rglob("*.val")
    (tmp_path / "elsewhere.val").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.val")
    assert store.find(KEY) is None
    assert store.damaged == 1


def test_no_planted_row_is_unpickled(store: Store, tmp_path: Path) -> None:
    """In a process of its own, as an audit hook cannot be taken off; control: the hook does see an unpickling."""
    plants = [("raw=1", KEY, 1, MODE_PICKLE), ("raw=0", BOMB, 0, MODE_RAW), ("both", BOMB, 0, MODE_PICKLE)]
    for _, key, raw, mode in plants:
        rows(
            store,
            "INSERT INTO Cache(key, raw, store_time, access_time, size, mode, value) VALUES (?, ?, 0, 0, 0, ?, ?)"
            " ON CONFLICT DO NOTHING",
            *(key, raw, mode, BOMB),
        )
    child = """
import json, pickle, sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("pickle.") else None)
from pathlib import Path
from judge.backend import Reply
from judge.calls.store import Store
from judge.errors import CacheError
store = Store(Path(sys.argv[1]))
found = [store.find(sys.argv[2])]
try:
    list(store._cache)  # the only way to come by a key
except CacheError as exc:
    found.append(str(exc))
store.keep(sys.argv[2], Reply(text="kept"))
found.append(store.find(sys.argv[2]).text)
during, _ = list(seen), pickle.loads(pickle.dumps(Path("x")))
print(json.dumps([found, during, "pickle.find_class" in seen]))
"""
    command = [sys.executable, "-c", child, str(store._path), KEY]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True, env=environment())
    found, during, hook_works = json.loads(done.stdout)
    assert found == [None, "the store holds a key that we did not write.", "kept"]
    assert during == []
    assert hook_works
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("reply", [KEPT, LARGE], ids=["small", "large"])
def test_flipped_bytes_and_cut_values_are_misses(store: Store, reply: Reply) -> None:
    store.keep(KEY, reply)
    whole, write = _value(store)
    step = max(1, len(whole) // 60)
    damaged = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), step)]
    damaged += [whole[:at] for at in range(0, len(whole), step)] + [whole + b" "]
    for value in damaged:
        write(value)
        assert store.find(KEY) is None
    assert store.damaged == len(damaged) > 100
    write(whole)
    assert store.find(KEY) == reply


def test_another_keys_value_is_a_miss(store: Store) -> None:
    store.keep(KEY, KEPT)
    store.keep("other", Reply(text="other"))
    whole, _ = _value(store)
    rows(store, "UPDATE Cache SET value = ? WHERE key = 'other'", whole)
    assert store.find("other") is None
    assert store.damaged == 1


def test_a_lost_file_is_counted(store: Store) -> None:
    store.keep(KEY, LARGE)
    (path,) = store._path.rglob("*.val")
    path.unlink()
    assert store.find(KEY) is None
    assert store.damaged == 1


def _value(store: Store):
    """The stored bytes of the first row, and a way to put others in their place."""
    files = list(store._path.rglob("*.val"))
    if files:
        return files[0].read_bytes(), files[0].write_bytes
    db = sqlite3.connect(store._path / "cache.db")
    ((value,),) = db.execute("SELECT value FROM Cache WHERE key = ?", (KEY,)).fetchall()
    db.close()
    return value, lambda new: rows(store, "UPDATE Cache SET value = ? WHERE key = ?", new, KEY)


def test_a_store_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheError, match=r"the store .*file.*Give another --cache DIR, or --cache none"):
        Store(tmp_path / "file" / "store")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "cache.db").write_bytes(b"no database " * 1000)
    with pytest.raises(CacheError, match="file is not a database"):
        Store(tmp_path / "broken")


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JUDGE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store_path() == tmp_path / "judge"
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "mine"))
    assert default_store_path() == tmp_path / "mine"


# In runs.


def test_a_second_run_asks_only_what_was_not_usable(tmp_path: Path) -> None:
    records = make_records(30, units=(1, 2, 3))
    with Server(script="sloppy") as server:
        first = score(records, tmp_path / "one", server, cache=tmp_path / "store")
        rows_before = server.ledger.rows()
        second = score(records, tmp_path / "two", server, cache=tmp_path / "store")
        again = server.ledger.rows()[len(rows_before) :]
    assert first.scored == second.scored == 30
    # Of a conversation with a re-ask the first reply was unusable, so it is not stored; the reply to the re-ask is.
    reasked = {row.asked for row in rows_before if row.complaint}
    assert {row.asked for row in again} == reasked
    assert {row.complaint for row in again} == {False}
    assert len(again) == len({row.key for row in again})
    assert_same_tables(tmp_path / "one", tmp_path / "two")


def test_a_second_run_with_the_same_store_sends_nothing(tmp_path: Path) -> None:
    records = make_records(30, units=(1, 2, 3))
    with Server() as server:
        score(records, tmp_path / "one", server, cache=tmp_path / "store")
        asked = server.ledger.requests
        assert asked == 60  # 10 records of 1, 2 and 3 axes each
        report = score(records, tmp_path / "two", server, cache=tmp_path / "store")
        assert (server.ledger.requests, report.spent["replies"]) == (asked, 0)
    assert_same_tables(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("change", [{"params": {"temperature": 0.5}}, {"judge": "hosted_vllm/other"}])
def test_another_judge_finds_nothing(change: dict, tmp_path: Path) -> None:
    records = make_records(3)
    with Server() as server:
        score(records, tmp_path / "one", server, cache=tmp_path / "store")
        score(records, tmp_path / "two", server, cache=tmp_path / "store", **change)
        assert server.ledger.requests == 6
    with Server() as elsewhere:
        score(records, tmp_path / "three", elsewhere, cache=tmp_path / "store")
        assert elsewhere.ledger.requests == 3


@pytest.mark.parametrize("kind", [*REPLY, "html", "garbage", "truncated"])
def test_no_unusable_reply_enters_the_store(kind: str, tmp_path: Path) -> None:
    records = make_records(4)
    with Server(always=kind) as server, suppress(FatalError):  # three broken replies in a row end the run
        report = score(records, tmp_path / "one", server, cache=tmp_path / "store", max_retries=0)
        assert (report.read, report.failed) == (4, 4)
    store = Store(tmp_path / "store")
    assert len(store._cache) == 0
    store.close()


def test_damage_is_told_at_the_end_of_a_run(tmp_path: Path) -> None:
    records = make_records(5)
    with Server() as server:
        score(records, tmp_path / "one", server, cache=tmp_path / "store")
        store = Store(tmp_path / "store")
        rows(store, "UPDATE Cache SET value = x'00' WHERE rowid <= 2")
        store.close()
        report = score(records, tmp_path / "two", server, cache=tmp_path / "store")
        assert server.ledger.requests == 7
    assert report.scored == 5
    assert report.notes == ("2 replies of the shared store were damaged and are asked for anew.",)
    assert read_failures(tmp_path / "two") == []
