"""A damaged journal: what can be read is not paid for again, what cannot is told of, nothing is lost in silence."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from run_kit import arguments_for, assert_same_tables, environment, make_records, run_judge, score, to_lines

from judge.backend import Reply
from judge.errors import CacheError
from judge.journal.journal import Journal
from judge.journal.recovery import open_journal
from judge.journal.sealed import DamagedError
from judge.price import Price
from judge.testing import Server

COUNT = 60
RETIRED = range(0, COUNT, 10)


def reply(number: int) -> Reply:
    """Every seventh is longer than a page, so that it lies on pages of its own."""
    dice = random.Random(number)
    text = "".join(dice.choices("abcdefgh ", k=5000 if number % 7 == 0 else 300))
    return Reply(text=text, model="m", prompt_tokens=number, cost_usd=0.5)


EXPECTED = {f"{number:04x}-0": reply(number) for number in range(COUNT)}
# Some are retired by a second session, and the process dies: half of it is in the log yet.
_WRITER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_recovery import COUNT, RETIRED, EXPECTED
from judge.journal.journal import Journal
items = list(EXPECTED.items())
journal = Journal(Path(sys.argv[1]))
for item in items[: COUNT // 2]:
    journal.commit(*item)
journal.close()
journal = Journal(Path(sys.argv[1]))
journal.retire(f"{n:04x}-0" for n in RETIRED)
for item in items[COUNT // 2 :]:
    journal.commit(*item)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal and its log, as a killed process left them."""
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, "-c", _WRITER, str(folder / "journal.sqlite"), str(Path(__file__).parent)]
    assert subprocess.run(command, env=environment(), check=False).returncode == -signal.SIGKILL
    assert (folder / "journal.sqlite-wal").stat().st_size > 200_000
    return folder


def damaged(whole: Path, tmp_path: Path, change: Callable[[bytes], bytes], name: str = "journal.sqlite") -> Path:
    folder = tmp_path / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in ("journal.sqlite", "journal.sqlite-wal"):
        shutil.copy(whole / file, folder / file)
    (folder / name).write_bytes(change((whole / name).read_bytes()))
    return folder / "journal.sqlite"


def found(journal: Journal) -> dict[str, Reply]:
    """What it replays; a reply that was retired must not be among it."""
    replies = {call_id: journal.find(call_id) for call_id in EXPECTED}
    return {call_id: reply for call_id, reply in replies.items() if reply is not None}


REPLAYED = {call_id: EXPECTED[call_id] for n, call_id in enumerate(EXPECTED) if n >= COUNT // 2 or n not in RETIRED}


def test_what_a_killed_process_left_is_whole(whole: Path, tmp_path: Path) -> None:
    journal = open_journal(damaged(whole, tmp_path, bytes))
    assert found(journal) == REPLAYED
    assert journal.notes == []
    assert journal.spent()["cost_usd"] == 0.5 * COUNT
    journal.close()


def check(path: Path) -> int:
    """Open; how many replies are lost. None is wrong, and none is lost without a word."""
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    try:
        journal = open_journal(path)
    except CacheError as exc:
        told = str(exc)
        assert re.search(f"{path} is (of format|damaged: .* No reply in it can be read)", told), told
        assert {
            file.name: file.read_bytes() for file in path.parent.iterdir() if file.suffix != ".sqlite-shm"
        } == before
        return -1
    replayed, notes, spent = found(journal), journal.notes, journal.spent()
    journal.close()
    assert replayed.items() <= REPLAYED.items()
    lost = len(REPLAYED) - len(replayed)
    assert notes or not lost
    if notes and "cut at its end" in notes[0]:
        assert lost <= 1
    elif notes:
        (note,) = notes
        assert f"{path} is damaged: " in note
        assert f"{spent['replies']} of its " in note
        (kept,) = path.parent.glob("journal.damaged-*.sqlite")
        assert f"It is kept as {kept.name};" in note
        assert kept.read_bytes() == before["journal.sqlite"]
        assert kept.with_name(kept.name + "-wal").read_bytes() == before["journal.sqlite-wal"]
        assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE(path.stat().st_mode) == 0o600
        again = open_journal(path)
        assert (found(again), again.notes) == (replayed, [])  # once is enough
        again.close()
    return lost


def flipped(at: int, by: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal"])
def test_a_flipped_byte_at_100_places(name: str, whole: Path, tmp_path: Path) -> None:
    dice, size = random.Random(name), (whole / name).stat().st_size
    # The heads are where one byte does most; the rest is spread over the file.
    places = [*dice.sample(range(100), 20), *dice.sample(range(100, size), 80)]
    lost = [check(damaged(whole, tmp_path, flipped(at, dice.randrange(1, 256)), name)) for at in places]
    refused, losing = lost.count(-1), [count for count in lost if count > 0]
    print(
        f"{name}: {len(losing)} of {len(lost)} places lose replies, {max(losing, default=0)} at most; {refused} refused"
    )
    # A page holds some ten short replies; of one with a broken cell the others come out whole.
    assert max(lost) <= 1
    assert refused <= 4  # the four bytes of the version


def wiped(start: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:start] + bytes(4096) + data[start + 4096 :]


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal"])
def test_a_wiped_page(name: str, whole: Path, tmp_path: Path) -> None:
    """As a disk block that went bad; every seventh page in turn."""
    head, step = (0, 4096) if name == "journal.sqlite" else (32 + 24, 4096 + 24)
    size = (whole / name).stat().st_size
    losses = [check(damaged(whole, tmp_path, wiped(at), name)) for at in range(head, size, step * 7)]
    print(f"{name}: {losses}")
    assert max(losses) < 20
    assert -1 not in losses


FRAME_BYTES = 24 + 4096


def frames_of(log: bytes) -> list[tuple[int, bytes]]:
    """Where the frames of this turn through the log begin, and the salt that all of them have."""
    salt = log[16:24]
    return [(at, salt) for at in range(32, len(log) - FRAME_BYTES + 1, FRAME_BYTES) if log[at + 8 : at + 16] == salt]


@pytest.mark.parametrize("lost_frames", [1, 2, 3, 5, 8, 13, 21, 34])
def test_a_tail_of_zeros_is_told_of(lost_frames: int, whole: Path, tmp_path: Path) -> None:
    """As a power cut leaves a file whose length was written and whose blocks were not."""
    log = (whole / "journal.sqlite-wal").read_bytes()
    begins = frames_of(log)
    start = begins[-lost_frames][0]
    path = damaged(whole, tmp_path, lambda data: data[:start] + bytes(len(data) - start), "journal.sqlite-wal")
    assert check(path) >= 1


@pytest.mark.parametrize("byte", range(24))
def test_a_flipped_byte_in_the_head_of_the_last_frame_is_told_of(byte: int, whole: Path, tmp_path: Path) -> None:
    """Its salt is what tells it from the frames of an earlier turn, which nobody misses."""
    last = frames_of((whole / "journal.sqlite-wal").read_bytes())[-1][0]
    for bit in (1, 0x80):
        assert check(damaged(whole, tmp_path, flipped(last + byte, bit), "journal.sqlite-wal")) <= 1


def test_frames_of_earlier_turns_are_no_damage(tmp_path: Path) -> None:
    """A log that was taken over is written from its start again, and the rest of it stays as it was."""
    path = tmp_path / "run" / "journal.sqlite"
    path.parent.mkdir()
    journal = Journal(path)
    expected, log = {}, path.with_name("journal.sqlite-wal")
    for turn in range(3):
        for number, (call_id, one) in enumerate(EXPECTED.items()):
            if number < COUNT // (turn + 1):  # every turn is shorter than the one before
                journal.commit(f"{turn}{call_id}", one)
                expected[f"{turn}{call_id}"] = one
        copies = [(file.name, file.read_bytes()) for file in (path, log)]
        salts = {copies[1][1][at + 8 : at + 16] for at in range(32, len(copies[1][1]) - FRAME_BYTES + 1, FRAME_BYTES)}
        assert len(salts) == turn + 1
        left = tmp_path / f"left{turn}"
        left.mkdir()
        for name, content in copies:  # as a kill would leave it here
            (left / name).write_bytes(content)
        again = open_journal(left / "journal.sqlite")
        assert {call_id: again.find(call_id) for call_id in expected} == expected
        assert again.notes == []
        again.close()
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA wal_checkpoint(RESTART)")
        other.close()
    journal.close()


def test_a_cut_file_keeps_what_is_before_the_cut(whole: Path, tmp_path: Path) -> None:
    size = (whole / "journal.sqlite").stat().st_size
    lost = [check(damaged(whole, tmp_path, lambda data, end=end: data[:end])) for end in range(100, size, size // 12)]
    assert -1 not in lost  # the log holds the other half
    # Replies of the first half that lie after the cut, on pages that the log does not repeat.
    assert 5 < lost[1] <= COUNT // 2
    assert sorted(lost, reverse=True) == lost


@pytest.mark.parametrize("content", [b"", b"x", b"no database at all " * 999, b"SQLite format 3\0" + b"\xff" * 5000])
@pytest.mark.parametrize("log", [True, False])
def test_another_content_altogether(content: bytes, log: bool, whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, lambda _: content)
    if log:
        assert 0 < check(path) <= COUNT // 2  # the second session's replies are in the log
        return
    path.with_name("journal.sqlite-wal").unlink()
    with pytest.raises(CacheError, match=r"journal\.sqlite is damaged: it does not begin as a journal does\. No reply"):
        open_journal(path)
    assert path.read_bytes() == content


def test_a_database_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1); PRAGMA user_version=2")
    db.close()
    before = path.read_bytes()
    with pytest.raises(
        CacheError, match=r"its tables are not ours\. No reply in it can be read\. Put a copy of it back"
    ):
        open_journal(path)
    assert path.read_bytes() == before


def test_a_log_without_its_database(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, bytes)
    path.unlink()
    journal = open_journal(path)
    assert "its log is there and it is not" in journal.notes[0]
    assert len(found(journal)) >= COUNT // 2
    journal.close()


def test_a_last_frame_that_is_cut_is_no_damage(whole: Path, tmp_path: Path) -> None:
    """A kill in the middle of a write leaves it; its reply was not committed."""
    journal = open_journal(damaged(whole, tmp_path, lambda data: data[:-1000], "journal.sqlite-wal"))
    assert journal.notes == ["the log of journal.sqlite is cut at its end: its last reply may be asked anew."]
    assert len(REPLAYED) - len(found(journal)) == 1
    journal.close()


def test_a_changed_flag_is_damage(whole: Path, tmp_path: Path) -> None:
    path = damaged(whole, tmp_path, bytes)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE replies SET retired = 1 WHERE call_id = '0023-0'")
    db.close()
    with pytest.raises(DamagedError, match="was changed after it was written"):
        Journal(path)
    journal = open_journal(path)
    assert "0023-0" not in found(journal)
    assert len(found(journal)) == len(REPLAYED) - 1
    journal.close()


def test_a_row_that_vanished_from_its_page_is_damage(tmp_path: Path) -> None:
    """One byte less in a page's number of cells: every seal that is read is whole, and a reply is not read."""
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    for item in EXPECTED.items():
        journal.commit(*item)
    journal.close()
    data = bytearray(path.read_bytes())
    leaf = next(at for at in range(4096, len(data), 4096) if data[at] == 0x0D and data[at + 4] > 1)
    data[leaf + 4] -= 1
    path.write_bytes(data)
    journal = open_journal(path)
    assert f"{COUNT} of its {COUNT} replies were recovered" in journal.notes[0]
    assert found(journal) == EXPECTED
    journal.close()


class Killed(BaseException):
    pass


def test_a_crash_at_every_step_of_a_recovery(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dies at the N-th change of the disk, for every N; the next start ends where an undisturbed one does."""
    steps = [(Path, "rename"), (Path, "replace"), (Path, "unlink"), (os, "fsync"), (os, "open")]
    real, left = {step: getattr(*step) for step in steps}, [0]

    def counted(step: tuple[object, str]) -> Callable[..., object]:
        def act(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real[step](*arguments, **options)

        return act

    middle = (whole / "journal.sqlite-wal").stat().st_size // 2
    for deaths in range(40):
        path = damaged(whole, tmp_path, flipped(middle, 1), "journal.sqlite-wal")
        left[0] = deaths
        for step in steps:
            monkeypatch.setattr(*step, counted(step))
        try:
            open_journal(path).close()
        except Killed:
            monkeypatch.undo()
            journal = open_journal(path)
            assert len(REPLAYED) - len(found(journal)) <= 1
            journal.close()
        else:
            break
    assert 8 < deaths < 39


# In runs.


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory):
    """A run that was killed before it wrote a table, its server, and the tables of one that was left alone."""
    folder = tmp_path_factory.mktemp("unfinished")
    (folder / "t.jsonl").write_bytes(to_lines(RECORDS))
    with Server() as server:
        kill = "import os, judge.runs.block\njudge.runs.block.Block.write = lambda *_, **__: os._exit(9)"
        code, said = run_judge(*arguments_for(folder / "t.jsonl", folder / "killed", server), script=kill)
        assert code == 9, said
        assert server.ledger.requests == 41  # 6 rows of 2 + 3 + 1, and 2 + 3
        score(RECORDS, folder / "fresh", server)
        yield folder, server


RECORDS = make_records(20, units=(1, 2, 3))


@pytest.mark.parametrize("seed", range(12))
def test_a_run_goes_on_from_a_damaged_journal(seed: int, unfinished: tuple, tmp_path: Path) -> None:
    folder, server = unfinished
    out, dice = tmp_path / "out", random.Random(seed)
    shutil.copytree(folder / "killed", out)
    name = ("journal.sqlite", "journal.sqlite-wal")[seed % 2 and (out / "journal.sqlite-wal").exists()]
    data = (out / name).read_bytes()
    (out / name).write_bytes(flipped(dice.randrange(100, len(data)), dice.randrange(1, 256))(data))
    before = server.ledger.requests
    report = score(RECORDS, out, server)
    again = server.ledger.requests - before
    assert again <= 1
    # Either of its pages, or of the end of its log.
    assert again == 0 or re.search(r"what is missing is asked anew|its last reply may be asked anew", report.notes[0])
    assert_same_tables(out, folder / "fresh")


def test_the_command_line_tells_of_it_before_it_pays(unfinished: tuple, tmp_path: Path) -> None:
    folder, server = unfinished
    out = tmp_path / "out"
    shutil.copytree(folder / "killed", out)
    for path in out.glob("journal.sqlite-wal"):
        path.unlink()
    (out / "journal.sqlite").write_bytes(b"")
    before = server.ledger.requests
    code, said = run_judge(*arguments_for(folder / "t.jsonl", out, server))
    assert (code, server.ledger.requests) == (2, before)
    assert "journal.sqlite is damaged: it does not begin as a journal does. No reply in it can be read." in said
    assert "Traceback" not in said
    shutil.copy(folder / "killed" / "journal.sqlite-wal", out)
    code, said = run_judge(*arguments_for(folder / "t.jsonl", out, server))
    assert code == 0, said
    # On standard error at the start, and among the notes at the end.
    assert said.count("is kept as journal.damaged-") == 2
    assert server.ledger.requests == before  # all of them were in the log


def test_a_journal_that_is_gone_is_told_of(tmp_path: Path) -> None:
    with Server() as server:
        score(RECORDS[:5], tmp_path / "out", server)
        (tmp_path / "out" / "journal.sqlite").unlink()
        report = score(RECORDS[:5], tmp_path / "out", server)
    # Records of 2, 3, 1, 2 and 3 axes.
    assert len(report.notes) == 1
    assert report.notes[0].startswith("journal.sqlite holds 0 replies, and the tables tell of 11: some are lost")


def test_an_older_copy_of_a_journal_is_told_of(tmp_path: Path) -> None:
    """Sound in itself, as after a kill without its log: only the tables know that there was more."""
    out = tmp_path / "out"
    with Server() as server:
        score(RECORDS[:5], out, server)
        shutil.copy(out / "journal.sqlite", tmp_path)
        assert score(RECORDS, out, server).notes == ()
        shutil.copy(tmp_path / "journal.sqlite", out)
        report = score(RECORDS, out, server)
        assert server.ledger.requests == 41
    assert report.notes[0].startswith("journal.sqlite holds 11 replies, and the tables tell of 41: ")


def test_what_calls_may_have_cost_is_recovered_too(tmp_path: Path) -> None:
    """Else a budget could be passed by damaging a file: a flipped byte in one reply, and the pledges of lost calls."""
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    for item in list(EXPECTED.items())[:20]:
        journal.commit(*item)
    for usd in (1.0, 0.25):
        journal.pledge(usd)
    journal.close()
    text = EXPECTED["0003-0"].text.encode()
    path.write_bytes(path.read_bytes().replace(text, text[:-1] + b"#"))
    mended = open_journal(path)
    # 19 replies of USD 0.5 are whole, and 1.25 may have been billed besides.
    assert "19 of its 20 replies were recovered" in mended.notes[0]
    assert mended.billed_usd(Price(prompt=1e-6, completion=1e-6)) == pytest.approx(19 * 0.5 + 1.25)
    mended.close()
