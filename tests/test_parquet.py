"""Parquet rows are what a JSONL line of the same record would be, in order, however they were written."""

import math
import random
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from judge.errors import InputError, RecordError
from judge.record import parse_record
from judge.traces import parquet
from judge.traces.parquet import count_table, read_table

UNITS = pl.List(pl.Struct({"unit_id": pl.String, "claim": pl.String, "topic": pl.String}))


def rows(path: Path) -> list:
    found = list(read_table(path))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [row for _, row in found]


def written(path: Path, frame: pl.DataFrame, **options: object) -> list:
    frame.write_parquet(path, **options)
    return rows(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces [*?].parquet"  # characters that Polars would take for a pattern


def test_nested_columns_are_dicts_and_lists_without_their_nulls(path: Path) -> None:
    units = {"perception": [{"unit_id": "P1", "claim": "x", "topic": None}], "knowledge": None}
    frame = pl.DataFrame(
        {
            "id": ["a", None],
            "trace": [[{"role": "assistant", "content": None}, {"role": None, "content": "y"}], None],
            "units": [units, None],
            "reference": [{"answer": "A", "reasoning": None}, {"answer": None, "reasoning": None}],
        },
        schema_overrides={"units": pl.Struct({"perception": UNITS, "knowledge": UNITS})},
    )
    assert written(path, frame) == [
        {
            "id": "a",
            "trace": [{"role": "assistant"}, {"content": "y"}],
            "units": {"perception": [{"unit_id": "P1", "claim": "x"}]},
            "reference": {"answer": "A"},
        },
        {},
    ]


def test_an_image_of_hugging_face_comes_as_its_bytes(path: Path) -> None:
    images = [{"bytes": b"\x89PNG\0", "path": "ct.png"}, {"bytes": b"\xff", "path": None}, None]
    frame = pl.DataFrame({"image": images, "images": [images[:2], [], None], "raw": [b"a", None, b""]})
    assert written(path, frame) == [
        {"image": images[0], "images": [images[0], {"bytes": b"\xff"}], "raw": b"a"},
        {"image": {"bytes": b"\xff"}, "images": []},
        {"raw": b""},
    ]


def test_values_that_json_has_not_become_text_or_numbers(path: Path) -> None:
    frame = pl.DataFrame(
        {
            "at": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
            "day": [date(2026, 1, 2)],
            "hour": [time(3, 4)],
            "took": [timedelta(minutes=1, milliseconds=500)],
            "cost": [Decimal("1.50")],
            "kind": pl.Series(["x"], dtype=pl.Categorical),
            "split": pl.Series(["test"], dtype=pl.Enum(["test"])),
            "point": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)),
            "large": pl.Series([2**64 - 1], dtype=pl.UInt64),
            "inside": [[{"at": date(2026, 1, 2)}]],
        }
    )
    (row,) = written(path, frame)
    assert row == {
        "at": "2026-01-02T03:04:05+00:00",
        "day": "2026-01-02",
        "hour": "03:04:00",
        "took": 60.5,
        "cost": 1.5,
        "kind": "x",
        "split": "test",
        "point": [1, 2],
        "large": 2**64 - 1,
        "inside": [{"at": "2026-01-02"}],
    }
    assert parse_record({**row, "trace": "x"}).meta == row


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_fails_its_row_only(path: Path, number: float) -> None:
    frame = pl.DataFrame({"id": ["a", "b", "c"], "cost": [1.0, number, None], "deep": [[{"n": 0.5}]] * 3})
    first, second, third = written(path, frame)
    assert (first["cost"], third) == (1.0, {"id": "c", "deep": [{"n": 0.5}]})
    assert isinstance(second, RecordError)
    assert (second.line, second.field, second.code) == (2, "cost", "non_finite")
    assert str(second) == f"line 2, cost: has the number {number}, which is not finite."


@pytest.mark.parametrize("group", [1, 7, 1000, 10**6])
def test_rows_come_in_order_whatever_the_row_groups(path: Path, group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of 64, 512 and then 600 rows do not meet the row groups."""
    monkeypatch.setattr(parquet, "_MOST_ROWS", 600)
    count = 50 if group == 1 else 5_000
    frame = pl.DataFrame({"n": range(count), "trace": [f"t{n}" for n in range(count)]})
    assert written(path, frame, row_group_size=group) == [{"n": n, "trace": f"t{n}"} for n in range(count)]
    assert count_table(path) == count


def test_large_rows_come_in_small_slices(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 MB a row 16 MiB are 16 rows, after the first 64 have shown it."""
    frame = pl.DataFrame({"image": [random.Random(n).randbytes(2**20) for n in range(100)]})
    frame.write_parquet(path, row_group_size=10, compression="uncompressed")
    sizes = []
    real = parquet._slice
    monkeypatch.setattr(parquet, "_slice", lambda path, begin, rows: sizes.append(rows) or real(path, begin, rows))
    assert len(rows(path)) == 100
    assert sizes == [64, 16, 16, 4]


def test_no_rows(path: Path) -> None:
    assert written(path, pl.DataFrame({"trace": []}, schema={"trace": pl.String})) == []


# --- broken files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [4, 8, 0.3, 0.9, -1, -8, -40])
def test_a_file_that_is_cut_is_no_input(path: Path, kept: float) -> None:
    pl.DataFrame({"trace": ["x" * 50] * 1000}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    with pytest.raises(InputError, match=r"is no whole Parquet file: .*Get it anew") as caught:
        rows(path)
    assert not isinstance(caught.value, RecordError)


def test_damage_inside_is_one_error_for_its_slice(path: Path) -> None:
    """The footer is whole, so the file opens; rows before and after the damage are read."""
    frame = pl.DataFrame({"trace": [random.Random(n).randbytes(50).hex() for n in range(1000)]})
    frame.write_parquet(path, row_group_size=64, compression="zstd")
    whole = path.read_bytes()
    # The first of 16 row groups: the first slice, of 64 rows, is all of it.
    path.write_bytes(whole[:100] + bytes(len(whole) // 40) + whole[100 + len(whole) // 40 :])
    (number, error), *others = read_table(path)
    assert (number, error.line, error.code) == (1, 1, "parquet_damaged")
    assert "rows 1 to 64 cannot be read: " in str(error)
    assert [row for _, row in others] == frame.to_dicts()[64:]
    assert [number for number, _ in others] == list(range(65, 1001))


# --- size ------------------------------------------------------------------------------------------------------------

# Not `getrusage`: its peak may be that of the process which started this one.
MEASURE = """
import re, sys
from pathlib import Path
from judge.traces.parquet import read_table
rows = sum(1 for _ in read_table(Path(sys.argv[1])))
print(rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.parametrize("images", [False, True])
def test_memory_hangs_on_no_number_of_rows(path: Path, images: bool) -> None:
    """IN-33 in small: 300,000 rows, and 300 MB of images; the interpreter with Polars takes about 90 MiB itself."""
    if images:
        noise = random.Random(0).randbytes(3 * 2**20)
        cells = [{"bytes": noise[at : at + 10**6], "path": "a.png"} for at in range(0, 300_000, 1000)]
        frame = pl.DataFrame({"image": cells})
        frame.write_parquet(path, row_group_size=20, compression="uncompressed")
    else:
        pl.DataFrame({"trace": [f"The case {n} is clear." for n in range(300_000)]}).write_parquet(path)
    count = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, timeout=60, check=True)
    read, peak = map(int, done.stdout.split())
    assert read == count == (300 if images else 300_000)
    assert peak < 250
