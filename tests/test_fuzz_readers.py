"""Whatever a file holds, reading it gives records and our own errors, and nothing else.

The seeds are inputs that once did otherwise, or are near one that did; hypothesis goes on from there.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tempfile
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import ConfigError, InputError, RecordError
from judge.image import ImageRules
from judge.record import Record
from judge.traces.mapping import parse_map
from judge.traces.reading import Traces
from judge.traces.source import count_rows

UNIT = {"unit_id": "P1", "claim": "The lung is clear.", "importance": "core"}
ROWS: list[dict[str, Any]] = [
    {"id": "r1", "question": "Q?", "reference": {"answer": "A"}, "units": {"perception": [UNIT]}, "trace": "t"},
    {"id": 2, "question": "Q", "reasoning": "r", "answer": "B", "perception": [UNIT], "knowledge": "[]", "trace": "t"},
    {"idx": 7, "response": [{"role": "assistant", "content": "t"}], "info": {"case": 3, "list": [{"x": 1}]}},
]
NAMES = [
    *dict.fromkeys(name for row in ROWS for name in row),
    "image",
    "options",
    "meta",
    "unit_id",
    "claim",
    "",
    "a.b",
]
WORDS = [
    *("id=idx", "trace=response", "trace=info.list.0.x", "units=perception", "units.p=info", "reference=answer"),
    *("reference.answer=info.case", "options.A=question", "image=info", "question=units.perception.0.claim", "id=."),
]
ODD = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            -1,
            7,
            10**17,
            7.0,
            1e308,
            "",
            "a",
            "null",
            "[]",
            "[{}]",
            "\u2028",
            "../x",
            "data:,",
            "file:///a",
        ),
        *([], {}, [[]], [None], [{}], {"": {}}, {"bytes": "AA=="}, {"bytes": 5}, {"role": 5}, {"a": {"b": {"c": [1]}}}),
        *(json.loads("[" * 400 + "]" * 400), json.loads('{"a":' * 400 + "1" + "}" * 400)),
    ]
)


@st.composite
def changed_rows(draw: st.DrawFn) -> list[Any]:
    """Rows of all shapes with something odd at any place."""
    rows = json.loads(json.dumps(draw(st.lists(st.sampled_from(ROWS), max_size=3))))
    for row in rows:
        for _ in range(draw(st.integers(0, 2))):
            inner: Any = row
            while True:
                places = [*inner] if isinstance(inner, dict) else range(len(inner))
                place = draw(st.sampled_from([*places, "new"] if isinstance(inner, dict) else [*places, -1]))
                below = inner[place] if place in places else None
                if not (isinstance(below, dict | list) and below and draw(st.booleans())):
                    break
                inner = below
            if isinstance(inner, dict):
                inner[draw(st.sampled_from(NAMES)) if place == "new" else place] = deepcopy(draw(ODD))
            elif inner:
                inner[place] = deepcopy(draw(ODD))  # or the next change would change what is drawn from
    return rows


def as_lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_table(**columns: pl.Series) -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"id": ["r1"], "trace": ["t"], **columns}).write_parquet(file)
    return file.getvalue()


def read(
    content: bytes,
    name: str = "t.jsonl",
    *,
    references: tuple[bytes, str] | None = None,
    on: str = "id",
    words: Any = (),
) -> list[Record | RecordError] | InputError:
    """What comes of an input; anything but our own errors is let through."""
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder) / name, None
        path.write_bytes(content)
        if references is not None:
            other = Path(folder) / f"r{references[1]}"
            other.write_bytes(references[0])
        try:
            mapped = parse_map(words)
        except ConfigError:
            mapped = {}
        images = ImageRules(root=Path(folder))
        traces = Traces(path=str(path), mapped=mapped, references=other and str(other), on=on, images=images)
        asyncio.run(count_rows(str(path), 2))
        return asyncio.run(gone_through(traces))


async def gone_through(traces: Traces) -> list[Record | RecordError] | InputError:
    made: list[Record | RecordError] = []
    try:
        with traces.opened() as reading:
            for _, (number, row) in reading.lines:
                try:
                    made.append(await reading.record(number, row))
                except RecordError as exc:
                    made.append(exc)
    except InputError as exc:
        return exc
    return made


@settings(max_examples=60)
@given(
    changed_rows(), changed_rows(), st.lists(st.sampled_from(WORDS), max_size=3), st.sampled_from(["id", "idx", "."])
)
def test_odd_rows_are_records_or_say_what_is_wrong(rows: list, others: list, words: list[str], on: str) -> None:
    made = read(as_lines(rows), words=words)
    assert isinstance(made, list)
    assert len(made) == len(rows)
    joined = read(as_lines(rows), references=(as_lines(others), ".jsonl"), on=on, words=words)
    assert isinstance(joined, InputError) or len(joined) == len(rows)


# No Parquet: Polars may ask for exabytes when a page of it is damaged, and that ends the process.
PACKED = {
    "t.jsonl": as_lines(ROWS),
    "t.jsonl.gz": gzip.compress(as_lines(ROWS), mtime=0),
    "t.jsonl.zst": zstandard.compress(as_lines(ROWS)),
}


@settings(max_examples=60)
@given(st.sampled_from(sorted(PACKED)), st.data())
def test_damaged_files_are_records_or_say_what_is_wrong(name: str, data: st.DataObject) -> None:
    content = bytearray(PACKED[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        cut = data.draw(st.sampled_from([0, 1, 1, 8, 5000]))
        content[at : at + cut] = data.draw(st.binary(max_size=9))
    read(bytes(content), name)
    read(PACKED["t.jsonl"], references=(bytes(content), name[1:]))


LONG = 2**62
SEEDS = {
    "a date after the year 9999": as_table(x=pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date)),
    "a date long before the year 1": as_table(x=pl.Series([-(2**31)], dtype=pl.Int32).cast(pl.Date)),
    "a moment after the year 9999": as_table(x=pl.Series([LONG]).cast(pl.Datetime("us"))),
    "a moment that no calendar has": as_table(x=pl.Series([LONG]).cast(pl.Datetime("ms"))),
    "a moment inside": as_table(x=pl.Series([{"a": [-LONG]}]).cast(pl.Struct({"a": pl.List(pl.Datetime("us"))}))),
    "a duration that is too long": as_table(x=pl.Series([LONG]).cast(pl.Duration("ms"))),
}


@pytest.mark.parametrize("seed", sorted(SEEDS))
def test_a_value_that_python_has_not_fails_its_row_only(seed: str) -> None:
    (made,) = read(SEEDS[seed], "t.parquet")
    assert isinstance(made, RecordError)
    assert made.code == "parquet_value"
    assert str(made).startswith("line 1: has a value that cannot be read: ")
    refused = read(PACKED["t.jsonl"], references=(SEEDS[seed], ".parquet"))
    assert isinstance(refused, InputError)
    assert "r.parquet: line 1: has a value that cannot be read: " in str(refused)


def test_the_rows_beside_it_are_read() -> None:
    days = pl.Series("day", [2**31 - 1 if row in (3, 650) else 0 for row in range(700)], dtype=pl.Int32).cast(pl.Date)
    file = io.BytesIO()
    pl.DataFrame({"id": range(700), "trace": "t", "day": days}).write_parquet(file)
    made = read(file.getvalue(), "t.parquet")
    assert isinstance(made, list)
    assert [place for place, one in enumerate(made) if isinstance(one, RecordError)] == [3, 650]
    assert [one.id for one in made if isinstance(one, Record)] == [str(n) for n in range(700) if n not in (3, 650)]
    assert {one.meta["day"] for one in made if isinstance(one, Record)} == {date(1970, 1, 1).isoformat()}
