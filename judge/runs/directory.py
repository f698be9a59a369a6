"""A run directory: its lock, its parts, its tables, its `run.json`. Whatever is written appears whole or not at all.

scores.parquet verdicts.parquet calls.parquet failures.jsonl run.json     what a user reads; of pairs
preferences.parquet                                                       in place of the first two
parts/000001/ …    finished blocks of the input, from which a resume goes on and the tables are joined
journal.sqlite     paid replies
run.lock           the process that is at work here
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson
import polars as pl
from pydantic import JsonValue

from judge.axis import Kind
from judge.errors import CacheError, ConfigError
from judge.journal.journal import is_full
from judge.table import Tables, table_schemas

__all__ = ["RunDirectory", "disk_errors", "list_parts", "read_run", "write_atomically", "write_json"]

_TABLES = ("scores", "verdicts", "calls", "failures")
_ROWS_HELD = 10_000  # of a table that is being written; Polars would hold twelve times as many
_HALF_WRITTEN = re.compile(r"\.([a-z.]+\.)?[0-9a-f]{32}(-wal|-shm|-journal)?")
_JOURNALS = ("journal.sqlite*", "journal.recovered.sqlite*", "journal.damaged-*.sqlite*")
_LEAST_ROOM = 2**16  # bytes; with less a disk is as good as full
_NO_DISK = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)  # open files, memory, processes
_ALWAYS = ("line", "record_id", "stage", "error", "message")


class RunDirectory:
    """The files of one run.

    Args:
        path: The folder; made if missing.
        axes: The kind of each of the rubric's axes, for the schemas of empty tables.

    Raises:
        ConfigError: It cannot be made or written to.
    """

    def __init__(self, path: Path, axes: Mapping[str, Kind]) -> None:
        self.path = path
        _refuse_undecodable(path)
        self._schemas = table_schemas(axes)
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigError(f"--out {path}: {exc.strerror}.", hint="Give a folder that can be written to.") from exc

    @property
    def _parts(self) -> Path:
        return self.path / "parts"

    @property
    def journal_path(self) -> Path:
        return self.path / "journal.sqlite"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Keep other processes out while this one works here.

        Yields:
            The number of the open file that holds the lock; a worker process that has it open too holds it too.

        Raises:
            ConfigError: Another process is at work; names it.
        """
        with self._open_lock() as lock:
            try:
                # The kernel lets go of it when the process dies, however it dies.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                lock.seek(0)
                owner = lock.read().decode("utf-8", "replace") or "another process"
                raise ConfigError(
                    f"{self.path} is in use by {owner}.", hint="Wait for it, or use another --out."
                ) from exc
            lock.truncate(0)
            lock.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            self._sweep()
            yield lock.fileno()
            lock.truncate(0)

    def _open_lock(self) -> IO[bytes]:
        try:
            return (self.path / "run.lock").open("a+b", buffering=0)
        except OSError as exc:
            raise ConfigError(f"--out {self.path}: {exc.strerror}.") from exc

    def clear(self) -> None:
        """Remove what an earlier run left here, and nothing else."""
        for path in sorted((path for name in _JOURNALS for path in self.path.glob(name)), reverse=True):
            path.unlink()  # a log goes before its database: left alone, it would be a damaged journal
        self._discard(self._parts)
        self._parts.mkdir()
        # run.json last: killed before, the next start still knows whose files these are.
        tables = (f"{table}.parquet" for table in (*_TABLES, "preferences"))
        for name in ("doubtful.jsonl", "failures.jsonl", *tables, "run.json"):
            (self.path / name).unlink(missing_ok=True)

    def read_run(self) -> dict[str, JsonValue]:
        """What `run.json` says; empty where there is none."""
        return read_run(self.path)

    def write_run(self, content: dict[str, JsonValue]) -> None:
        """Replace `run.json`."""
        write_json(self.path / "run.json", content)

    def read_part(self, number: int) -> Tables | None:
        """The rows of a finished block, or None.

        Raises:
            ConfigError: They cannot be read; nothing that we do leaves them so.
        """
        folder = self._part(number)
        if not folder.exists():
            return None
        try:
            return Tables(**{name: pl.read_parquet(folder / f"{name}.parquet") for name in _TABLES})
        except (OSError, pl.exceptions.PolarsError) as exc:
            hint = "Remove this folder: its replies come back from the journal."
            raise ConfigError(f"{folder} is damaged: {exc}.", hint=hint) from exc

    def write_part(self, number: int, tables: Tables) -> None:
        """Replace the rows of a block; all four tables appear at once."""
        folder, fresh = self._part(number), self._parts / f".{uuid.uuid4().hex}"
        fresh.mkdir()
        for name in _TABLES:
            frame: pl.DataFrame = getattr(tables, name)
            _write_safely(fresh / f"{name}.parquet", frame.write_parquet, named=folder / f"{name}.parquet")
        _sync(fresh)
        if folder.exists():  # killed between the two, the block is asked for again from the journal
            self._discard(folder)
        fresh.rename(folder)
        _sync(self._parts)

    def drop_parts_after(self, last: int) -> None:
        """Remove blocks that the input does not have any more."""
        for folder in self._part_folders():
            if int(folder.name) > last:
                self._discard(folder)

    def publish(self) -> None:
        """Join the parts into the tables, in input order; memory stays flat."""
        folders = self._part_folders()
        for name in ("scores", "verdicts", "calls"):
            frame = self._joined(folders, name)
            write_atomically(self.path / f"{name}.parquet", partial(frame.sink_parquet, row_group_size=_ROWS_HELD))
        write_atomically(self.path / "failures.jsonl", lambda file: self._write_failures(folders, file))

    def count(self) -> dict[str, int]:
        """What the published tables hold: records `read`, `scored` and `failed`; `units_asked` and `units_judged`."""
        scores = pl.scan_parquet(self.path / "scores.parquet")
        readable, scored, asked, judged = (
            scores.select(pl.len(), pl.col("failure").null_count(), pl.col("units_asked", "units_judged").sum())
            .collect()
            .row(0)
        )
        with (self.path / "failures.jsonl").open("rb") as failures:
            read = readable + sum(orjson.loads(line)["stage"] == "read" for line in failures)
        counts = {"read": read, "scored": scored, "failed": read - scored}
        return counts | {"units_asked": asked, "units_judged": judged}

    def count_paid(self) -> int:
        """Replies that the finished parts tell of and that were paid for here; the journal holds at least as many."""
        paid = pl.col("latency_s").is_not_null() & ~pl.col("cached")
        try:
            counted = self._joined(self._part_folders(), "calls").select(paid.sum()).collect().item()
        except (OSError, pl.exceptions.PolarsError):  # whoever reads the part says which one is damaged
            return 0
        return int(counted)

    def _joined(self, folders: list[Path], name: str) -> pl.LazyFrame:
        if not folders:
            return pl.LazyFrame(schema=self._schemas[name])
        return pl.scan_parquet([folder / f"{name}.parquet" for folder in folders])

    def _write_failures(self, folders: list[Path], file: IO[bytes]) -> None:
        for folder in folders:
            for row in pl.read_parquet(folder / "failures.parquet").iter_rows(named=True):
                filled = {key: value for key, value in row.items() if key in _ALWAYS or value not in (None, [])}
                file.write(orjson.dumps(filled, option=orjson.OPT_APPEND_NEWLINE))

    def _part_folders(self) -> list[Path]:
        return list_parts(self.path)

    def _discard(self, folder: Path) -> None:
        """Remove a folder so that nobody ever sees half of it."""
        hidden = folder.with_name(f".{uuid.uuid4().hex}")
        folder.rename(hidden)
        shutil.rmtree(hidden)

    def _sweep(self) -> None:
        """Remove what a killed process left half written; only names that we make."""
        for path in [*self.path.glob(".*"), *self._parts.glob(".*")]:
            if _HALF_WRITTEN.fullmatch(path.name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _part(self, number: int) -> Path:
        return self._parts / f"{number:06d}"


def read_run(out: Path) -> dict[str, JsonValue]:
    """What `run.json` of a run directory says; empty where there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        content: dict[str, JsonValue] = orjson.loads((out / "run.json").read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError) as exc:
        message = f"{out / 'run.json'} cannot be read: {exc}."
        raise ConfigError(message, hint="--overwrite starts afresh.") from exc
    return content


def list_parts(out: Path) -> list[Path]:
    """Folders of the blocks that are finished in a run directory, in input order; none where it is not there."""
    parts = out / "parts"
    return sorted(folder for folder in parts.iterdir() if folder.name.isdigit()) if parts.exists() else []


def _refuse_undecodable(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as exc:
        raise ConfigError("--out has a name that is not UTF-8, which tables cannot be written to.") from exc


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a disk that is full or broken into our error, which names the run directory only where it is to blame."""
    try:
        yield
    except OSError as exc:
        code = "disk_full" if is_full(exc, path) else None
        message = f"{_blamed(exc, path)}: {exc.strerror or exc}."
        raise CacheError(message, code=code, hint="What was paid for is safe.") from exc


def _blamed(error: OSError, path: Path) -> str:
    """Errors of writing name no file; those of input and store are told apart where they are read."""
    if error.errno in _NO_DISK:
        return "this machine"
    if isinstance(error.filename, str | bytes):
        named = Path(os.fsdecode(error.filename))
        return str(path if named.absolute().is_relative_to(path.absolute()) else named)
    return str(path)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a reader, or the next start after a crash, sees it whole or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        _write_safely(temporary, write, named=path)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file as `write_atomically` does, for people to read too."""
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_atomically(path, lambda file: file.write(body))


def _write_safely(path: Path, write: Callable[[IO[bytes]], object], *, named: Path) -> None:
    """Write a new file, and return when it is on the disk; errors tell of the file as it is `named`."""
    try:
        with path.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except pl.exceptions.ComputeError as exc:  # how Polars says that the disk is full
        if (number := _error_number(exc, path.parent)) is not None:
            raise OSError(number, os.strerror(number), str(named)) from exc
        raise OSError(f"{named} cannot be written: {exc}") from exc


def _error_number(error: pl.exceptions.ComputeError, folder: Path) -> int | None:
    """The system's number of an error that Polars met; of the end of a table it says only that it was a transport's."""
    if told := re.search(r"os error (\d+)", str(error)):
        return int(told[1])
    full = "transport error" in str(error) and shutil.disk_usage(folder).free < _LEAST_ROOM
    return errno.ENOSPC if full else None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
