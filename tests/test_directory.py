"""A run's files appear whole or not at all, and one process works on them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from run_kit import environment

from judge.errors import CacheError, ConfigError
from judge.runs.directory import RunDirectory, disk_errors, write_atomically
from judge.table import Tables, table_schemas

AXES = {"perception": "checklist"}


def make_tables(lines: list[int], score: float | None = 1.0) -> Tables:
    frames = {name: pl.DataFrame(schema=schema) for name, schema in table_schemas(AXES).items()}
    rows = pl.DataFrame({"line": lines, "record_id": [f"r{n}" for n in lines], "trace_score": [score] * len(lines)})
    return Tables(**{**frames, "scores": pl.concat([frames["scores"], rows], how="diagonal")})


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "out", AXES)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def lines_of(directory: RunDirectory) -> list[int]:
    directory.publish()
    return pl.read_parquet(directory.path / "scores.parquet")["line"].to_list()


# Writing.


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"old"))

    def half(file) -> None:
        file.write(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, half)
    assert (path.read_bytes(), names(tmp_path)) == (b"old", {"file"})


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_disk_that_lies_is_not_believed(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"old"))

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os if broken == "fsync" else Path, broken, fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_atomically(path, lambda file: file.write(b"new"))
    assert (path.read_bytes(), names(tmp_path)) == (b"old", {"file"})


def test_a_full_disk_is_an_oserror_from_polars_too(tmp_path: Path) -> None:
    child = (
        "import resource, sys; from pathlib import Path; import polars as pl\n"
        "from judge.runs.directory import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "frame = pl.DataFrame({'a': [str(n) for n in range(50000)]})\n"
        "for write in (frame.write_parquet, frame.lazy().sink_parquet):\n"
        "    try: write_atomically(Path(sys.argv[1]) / 'a.parquet', write)\n"
        "    except OSError as exc: print('OSError')"
    )
    command = [sys.executable, "-c", child, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "OSError\nOSError\n"
    assert names(tmp_path) == set()


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, sizes, done = tmp_path / "file", set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                sizes.add(len(path.read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(60):
        write_atomically(path, lambda file: [file.write(b"x" * 50_000) for _ in range(10)])
    done.set()
    reader.join()
    assert sizes == {500_000}


# Parts.


def test_parts_are_joined_in_input_order(directory: RunDirectory) -> None:
    directory.write_part(2, make_tables([501, 502]))
    directory.write_part(10, make_tables([4501]))
    directory.write_part(1, make_tables([1, 2]))
    assert lines_of(directory) == [1, 2, 501, 502, 4501]
    directory.write_part(2, make_tables([501]))
    assert lines_of(directory) == [1, 2, 501, 4501]
    directory.drop_parts_after(2)
    assert lines_of(directory) == [1, 2, 501]
    assert names(directory.path / "parts") == {"000001", "000002"}  # what was replaced is gone


def test_no_parts_are_empty_tables(directory: RunDirectory) -> None:
    assert lines_of(directory) == []
    assert directory.count() == dict.fromkeys(("read", "scored", "failed", "units_asked", "units_judged"), 0)
    assert pl.read_parquet(directory.path / "scores.parquet").schema == table_schemas(AXES)["scores"]


def test_a_part_that_cannot_be_written_leaves_the_old_one(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write of the part fails in turn, the N-th for N = 1, 2, 3 … until it goes through."""
    directory.write_part(1, make_tables([1]))
    real = os.fsync
    for allowed in range(20):
        left = iter(range(allowed))

        def fsync(handle: int, left=left) -> None:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        monkeypatch.setattr(os, "fsync", fsync)
        try:
            directory.write_part(1, make_tables([1, 2]))
        except OSError:
            assert lines_of_part(directory) in ([1], [1, 2])
        else:
            break
    assert allowed == 6  # four files, their folder, then the folder of the parts
    assert lines_of_part(directory) == [1, 2]


def lines_of_part(directory: RunDirectory) -> list[int]:
    part = directory.read_part(1)
    return [] if part is None else part.scores["line"].to_list()


def test_a_damaged_part_says_what_to_do(directory: RunDirectory) -> None:
    directory.write_part(1, make_tables([1]))
    (directory.path / "parts" / "000001" / "scores.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(ConfigError, match=r"000001 is damaged: .* Remove this folder"):
        directory.read_part(1)


def test_leftovers_of_a_crash_are_swept_and_nothing_else(directory: RunDirectory) -> None:
    ours = [f".scores.parquet.{'a' * 32}", f".run.json.{'0' * 32}", f"parts/.{'b' * 32}"]
    theirs = [".hidden", ".notes.txt", f".{'z' * 32}", "notes.md", f".scores.parquet.{'a' * 31}"]
    for name in ours + theirs:
        (directory.path / name).write_bytes(b"")
    (directory.path / "parts" / f".{'c' * 32}").mkdir()
    with directory.locked():
        pass
    assert names(directory.path) == {*theirs, "parts", "run.lock"}
    assert names(directory.path / "parts") == set()


def test_clearing_removes_what_is_ours(directory: RunDirectory) -> None:
    directory.write_part(1, make_tables([1]))
    directory.publish()
    directory.write_run({"identity": {}})
    for name in ("journal.sqlite", "journal.sqlite-wal", "notes.md"):
        (directory.path / name).write_bytes(b"")
    directory.clear()
    assert names(directory.path) == {"parts", "notes.md"}
    assert names(directory.path / "parts") == set()


def test_a_clearing_that_is_cut_short_still_knows_whose_run_it_was(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle, parts of one judge must not be taken for another's: `run.json` goes last."""
    directory.write_part(1, make_tables([1]))
    directory.publish()
    directory.write_run({"identity": {"judge": "old"}})
    real, removed = Path.unlink, []

    def unlink(path: Path, **options: bool) -> None:
        removed.append(path.name)
        assert (directory.path / "run.json").exists() or removed[-1:] == ["run.json"]
        real(path, **options)
        if path.name == "run.json":
            assert names(directory.path) == {"parts"}

    monkeypatch.setattr(Path, "unlink", unlink)
    directory.clear()
    assert removed[-1] == "run.json"


# run.json and the folder.


def test_run_json_comes_back(directory: RunDirectory) -> None:
    assert directory.read_run() == {}
    directory.write_run({"status": "running", "n": 1})
    assert directory.read_run() == {"status": "running", "n": 1}
    (directory.path / "run.json").write_bytes(b'{"status": ')
    with pytest.raises(ConfigError, match=r"run\.json cannot be read: .* --overwrite starts afresh"):
        directory.read_run()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"--out .*: Not a directory\. Give a folder that can be written to"):
        RunDirectory(tmp_path / "file" / "out", AXES)


# The lock.

HOLD = (
    "import sys; from pathlib import Path; from judge.runs.directory import RunDirectory\n"
    "directory = RunDirectory(Path(sys.argv[1]), {})\n"
    "with directory.locked(): print('held', flush=True); sys.stdin.read()"
)


def test_a_second_process_is_told_who_the_first_is(directory: RunDirectory) -> None:
    command = [sys.executable, "-c", HOLD, str(directory.path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environment()) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        refused = pytest.raises(ConfigError, match=rf"is in use by process {holder.pid} on \S+\. Wait for it")
        with refused, directory.locked():
            pass
        holder.kill()  # -9: the lock of a dead process is no obstacle, and what it wrote names nobody any more
        holder.wait()
        with directory.locked():
            assert f"process {os.getpid()} on" in (directory.path / "run.lock").read_text()


def test_an_old_lock_file_is_no_lock(directory: RunDirectory) -> None:
    (directory.path / "run.lock").write_text("process 1 on somewhere")
    with directory.locked():
        assert str(os.getpid()) in (directory.path / "run.lock").read_text()
    assert (directory.path / "run.lock").read_text() == ""


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (OSError(errno.EIO, "Input/output error"), "{out}: Input/output error. What"),  # a write, which names no file
        (PermissionError(errno.EACCES, "Permission denied", "{out}/parts/.x"), "{out}: Permission denied. What"),
        (PermissionError(errno.EACCES, "Permission denied", "{out}-not/x"), "{out}-not/x: Permission denied. What"),
        (FileNotFoundError(errno.ENOENT, "No such file", b"/else/where"), "/else/where: No such file. What"),
        (OSError(errno.EMFILE, "Too many open files"), "this machine: Too many open files. What"),
        (OSError(errno.EMFILE, "Too many open files", "{out}/x"), "this machine: Too many open files. What"),
    ],
)
def test_the_directory_is_blamed_for_its_own_errors_only(error: OSError, blamed: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if isinstance(error.filename, str):
        error.filename = error.filename.format(out=out)
    with pytest.raises(CacheError) as caught, disk_errors(out):
        raise error
    assert str(caught.value).startswith(blamed.format(out=out))
    assert caught.value.code == "cache"
    with pytest.raises(CacheError) as caught, disk_errors(out):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.code == "disk_full"
