"""An input is what its first bytes say, the same records are the same in every format, and nothing is read twice."""

import asyncio
import gzip
import io
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest
import zstandard

from judge.errors import InputError, RecordError
from judge.record import parse_record
from judge.traces.row import Row
from judge.traces.source import count_rows, measure, open_source, read_stream

AXES = ("perception", "knowledge", "rationale")
UNIT = {"unit_id": "P1", "claim": "The lung is clear.", "topic": "lung", "importance": None}
OTHER = {"unit_id": "K1", "claim": "Ψ ≥ 2 at the hilum.", "topic": None, "importance": "core"}
# Fields come and go between rows, so a table has nulls where a line has nothing.
RECORDS = [
    {"id": "r1", "question": "Is it?", "model": "m", "trace": "It is.", "units": {"perception": [UNIT]}},
    {"id": "r2", "trace": "No — 🫁\u2028really.", "units": {"knowledge": [OTHER], "perception": [UNIT]}, "cost": 0.5},
    {"trace": "Nameless.", "reference": {"answer": "A"}, "units": {"rationale": [OTHER]}, "options": {"A": "x"}},
    {"id": "r4", "model": None, "trace": "", "units": {"knowledge": []}, "reference": {"answer": None}},
    *({"id": f"s{n}", "trace": f"Case {n}.", "meta": {"n": n}} for n in range(200)),
]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()


def rows(path: Path | str) -> list[Row]:
    with open_source(str(path)) as source:
        return list(source)


def keys(path: Path) -> list[tuple[str, str]]:
    made = [parse_record(row, number=number) for number, row in rows(path)]
    return [(record.id, record.key) for record in made]


def parquet(path: Path, records: list[dict] = RECORDS) -> None:
    pl.DataFrame(records, infer_schema_length=None).write_parquet(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "plain.jsonl": LINES,
        "windows.jsonl": LINES.replace(b"\n", b"\r\n"),
        "marked.jsonl": b"\xef\xbb\xbf" + LINES,
        "one.jsonl.gz": gzip.compress(LINES),
        "many.jsonl.gz": b"".join(gzip.compress(line) for line in LINES.splitlines(keepends=True)),
        "cut anywhere.jsonl.gz": gzip.compress(LINES[:777]) + gzip.compress(LINES[777:]) + bytes(512),
        "one.jsonl.zst": zstandard.compress(LINES),
        "many.jsonl.zst": b"".join(zstandard.compress(line) for line in LINES.splitlines(keepends=True)),
        "skipping.jsonl.zst": b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstandard.compress(LINES),
        # What the name promises is not what is inside.
        "gzip.jsonl": gzip.compress(LINES),
        "zstd.gz": zstandard.compress(LINES),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in ("table.parquet", "table.jsonl"):
        parquet(tmp_path / name)
    return {path.name: path for path in tmp_path.iterdir()}


def test_the_same_records_have_the_same_keys_and_ids_in_every_format(files: dict[str, Path]) -> None:
    """IN-07, IN-22: struct columns have every key in every row, as nulls, and JSON has only those that are there."""
    expected = [(record.id, record.key) for record in map(parse_record, LINES.splitlines())]
    assert len({key for _, key in expected}) == len(RECORDS)
    assert {name: keys(path) == expected for name, path in files.items()} == dict.fromkeys(files, True)


def test_rows_are_numbered_from_1_and_blank_lines_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{}\n\n{}\n")
    parquet(tmp_path / "a.parquet")
    assert [number for number, _ in rows(tmp_path / "a.jsonl")] == [1, 3]
    assert [number for number, _ in rows(tmp_path / "a.parquet")] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl.gz", LINES, r"a\.jsonl\.gz is no gzip file: it begins with b'\{"),
        ("a.zst", LINES, r"a\.zst is no Zstandard file.* If it is plain JSONL, rename it"),
        ("a.parquet", b"\0\1\2", r"a\.parquet is no Parquet file"),
        ("a.jsonl", b"PK\x03\x04....", r"is a ZIP archive\. Unpack it first"),
        ("a.jsonl", b"BZh91AY", "is bzip2"),
        ("a.gz", b"\xfd7zXZ\x00..", "is xz"),
        ("a.jsonl", b"PAR1 and no more", "a.jsonl is no whole Parquet file"),
        ("a.gz", gzip.compress(b"[1]", mtime=0), "is a JSON array, not JSONL"),
        ("a.zst", zstandard.compress("{}".encode("utf-16")), "UTF-16"),
    ],
)
def test_what_is_not_what_it_is_called_is_told_before_a_row_is_read(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        rows(tmp_path / name)
    assert not isinstance(caught.value, RecordError)


@pytest.mark.parametrize("name", ["a.jsonl", "a.gz", "a.zst", "a.parquet"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert rows(tmp_path / name) == []


# --- pipes -----------------------------------------------------------------------------------------------------------


def read_from_pipe(content: bytes) -> str:
    """What another process reads from its standard input."""
    code = "from judge.traces.source import open_source\nwith open_source('-') as s: print(s.waits, [row for row in s])"
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, timeout=30, check=False)
    return done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_standard_input_loses_no_byte_to_looking(packed: type[bytes]) -> None:
    assert read_from_pipe(packed(b"{}\n{1}")).strip() == "True [(1, b'{}'), (2, b'{1}')]"


def test_parquet_needs_a_file(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet")
    said = read_from_pipe((tmp_path / "t.parquet").read_bytes())
    assert "standard input is Parquet, which cannot be read from a pipe. Give the path of the file." in said


@pytest.mark.parametrize("name", ["traces.jsonl", "traces.jsonl.gz", "traces.jsonl.zst"])
def test_a_row_comes_as_soon_as_it_is_written(tmp_path: Path, name: str) -> None:
    """The writer pauses after each row until that row was read: a reader that wants more would wait for ever."""
    pipe, turn = tmp_path / name, threading.Semaphore(1)
    os.mkfifo(pipe)
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(pipe.suffix, bytes)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for number in range(5):
                assert turn.acquire(timeout=20)
                file.write(packed(f'{{"n": {number}}}\n'.encode()))

    writer = threading.Thread(target=write)
    writer.start()
    with open_source(str(pipe)) as source:
        assert source.waits
        for number, row in source:
            assert row == f'{{"n": {number - 1}}}'.encode()
            turn.release()
    writer.join()


def test_a_pipe_that_stops_within_a_magic_number_is_read() -> None:
    """`{` alone is known to be no archive; the first byte of gzip's two is not enough to say."""
    for content in (b"{", b"\x1f", b"P", b"PA"):
        assert list(read_stream(io.BytesIO(content))) == [(1, content)]


# --- files that change -----------------------------------------------------------------------------------------------


def test_a_file_that_grows_is_read_to_where_it_ended(tmp_path: Path) -> None:
    """IN-24. Else a writer that is as fast as we are would keep a run going for ever."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n" * 3)
    found = []
    with open_source(str(path)) as source, path.open("ab") as writer:
        for row in source:
            found.append(row)
            assert len(found) <= 3
            writer.write(b"{}\n" * 100_000)
            writer.flush()
    assert len(found) == 3


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_a_file_is_read_to_where_it_was_measured(packed: type[bytes], tmp_path: Path) -> None:
    """Also one that was shorter than the magic numbers that its first bytes are compared with."""
    path = tmp_path / "a.jsonl"
    for content in (b"1\n", b"1\n" * 300_000):
        path.write_bytes(packed(content))
        size = measure(str(path))
        with path.open("ab") as writer:
            writer.write(packed(b"2\n" * 100_000))
        with open_source(str(path), size=size) as source:
            assert b"".join(row + b"\n" for _, row in source) == content


@pytest.mark.parametrize("name", ["-", "/dev/null", "pipe", "empty", "missing"])
def test_what_has_no_size_is_read_as_it_comes(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    assert measure(name if name == "-" else str(tmp_path / name)) is None


def test_a_file_that_is_replaced_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n" * 300_000)
    with open_source(str(path)) as source:
        first = next(iter(source))
        (tmp_path / "b").write_bytes(b"2\n" * 300_000)
        (tmp_path / "b").replace(path)
        assert {row for _, row in (first, *source)} == {b"1"}


# --- counting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 3, 1000])
def test_rows_are_counted_where_that_is_cheap(files: dict[str, Path], limit: int | None) -> None:
    all_rows = len(RECORDS) if limit is None else min(limit, len(RECORDS))
    counted = {name: asyncio.run(count_rows(str(path), limit)) for name, path in files.items()}
    cheap = {"plain.jsonl", "windows.jsonl", "marked.jsonl", "table.parquet", "table.jsonl"}
    assert counted == {name: all_rows if name in cheap else None for name in files}


@pytest.mark.parametrize(
    ("text", "limit", "lines"),
    [
        (b"", None, 0),
        (b"{}", None, 1),
        (b"{}\n{}\n", None, 2),
        (b"{}\n{}", None, 2),  # the last line has no end
        (b"{}\n{}\n{}", 2, 2),
        (b"{}", 2, 1),
        (b"x" * 2**20 + b"\n" + b"x" * 2**21, None, 2),
    ],
)
def test_lines_are_counted(tmp_path: Path, text: bytes, limit: int | None, lines: int) -> None:
    (tmp_path / "t").write_bytes(text)
    assert asyncio.run(count_rows(str(tmp_path / "t"), limit)) == lines


def test_what_cannot_be_counted_costs_no_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for path in ("-", tmp_path / "pipe", tmp_path / "broken.parquet", tmp_path / "missing"):
        assert asyncio.run(count_rows(str(path), 7)) is None


def test_one_huge_line_is_not_held_and_not_waited_for(tmp_path: Path) -> None:
    with (tmp_path / "t").open("wb") as file:
        file.truncate(300 * 2**20)  # zeros, which take no room on the disk
    late = []

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - begun)

    async def main() -> int | None:
        ticking = asyncio.ensure_future(tick())
        lines = await count_rows(str(tmp_path / "t"), None)
        ticking.cancel()
        return lines

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert asyncio.run(main()) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # KiB
    assert len(late) > 5
    assert max(late) < 0.5
