"""Every input format through the whole command, and our tables in the hands of other tools."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest
import zstandard
from image_kit import corners, encode
from PIL import Image as PilImage
from run_kit import NAME, assert_same_tables, make_records, read_failures, run_judge, to_lines

from judge.table import table_schemas
from judge.testing import Ask, Server, obedient

RECORDS = make_records(60, units=(1, 2, 3))
AXES = dict.fromkeys(("perception", "knowledge", "rationale"), "checklist")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def score(traces: Path, out: Path, *words: object) -> str:
    code, said = run_judge("score", traces, "--out", out, *words)
    assert code == 0, said
    return said


def write(folder: Path, form: str) -> Path:
    """The same records in this format."""
    lines, path = to_lines(RECORDS), folder / f"traces.{form}"
    if form == "jsonl.gz":
        path.write_bytes(gzip.compress(lines[:1000]) + gzip.compress(lines[1000:]))
    elif form == "jsonl.zst":
        path.write_bytes(zstandard.compress(lines))
    elif form == "parquet":
        pl.DataFrame(RECORDS, infer_schema_length=None).write_parquet(path, row_group_size=7)
    else:
        path.write_bytes(lines)
    return path


def test_the_tables_are_the_same_whatever_the_format(folder: Path, tmp_path: Path) -> None:
    forms = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet")
    for form in forms:
        score(write(folder, form), tmp_path / form, "--quiet")
    for form in forms[1:]:
        assert_same_tables(tmp_path / "jsonl", tmp_path / form)


def test_several_processes_read_a_compressed_file(folder: Path, tmp_path: Path) -> None:
    lines = to_lines(make_records(1_100))
    (folder / "t.jsonl.gz").write_bytes(gzip.compress(lines))
    for workers in (1, 2):
        score(folder / "t.jsonl.gz", tmp_path / f"of-{workers}", "--workers", workers, "--quiet")
    assert_same_tables(tmp_path / "of-1", tmp_path / "of-2")


def test_names_and_references_from_another_file(folder: Path, tmp_path: Path) -> None:
    answers = [{"qid": record["id"], "who": "m", "response": record["trace"]} for record in RECORDS]
    known = [
        {"qid": record["id"], **{name: record[name] for name in ("question", "reference", "units")}}
        for record in RECORDS
    ]
    (folder / "answers.jsonl").write_bytes(to_lines(answers))
    pl.DataFrame(known, infer_schema_length=None).write_parquet(folder / "known.parquet")
    words = (
        "--map",
        "trace=response",
        "--map",
        "model=who",
        "--map",
        "id=qid",
        "--references",
        folder / "known.parquet",
    )
    score(folder / "answers.jsonl", tmp_path / "joined", *words, "--quiet")
    score(write(folder, "jsonl"), tmp_path / "whole", "--quiet")
    one, other = (pl.read_parquet(tmp_path / run / "scores.parquet").drop("record_key") for run in ("joined", "whole"))
    assert one.equals(other, null_equal=True)


# OpenMedReason, as it comes from the hub: https://huggingface.co/datasets/neginb/OpenMedReason


def openmedreason(count: int) -> list[dict[str, Any]]:
    """Rows of the test split's shape, with a candidate's trace and name; units repeat their ids in every axis."""
    rows = []
    for number in range(count):
        axes = {
            axis: [
                {
                    "unit_id": f"u{place}",
                    "topic": "trachea",
                    "claim": f"The trachea is displaced to the {side} in case {number}.",
                    "source_quote": "the trachea",
                    "importance": "core",
                    "presence_question": "Does the trace raise the position of the trachea?",
                    "correctness_question": f"Does it say {side}?",
                }
                for place, side in enumerate(("right", "left")[: 1 + number % 2], start=1)
            ]
            for axis in AXES
        }
        picture = corners().resize((60 + number, 40))
        rows.append(
            {
                "image": {"bytes": encode(picture, "JPEG"), "path": f"fig_{number}.jpg"},
                "question": f"Case {number}. Where is the trachea?\nA. right\nB. left\nC. midline",
                "reasoning": "<think>The trachea is displaced to the right.</think><answer>A</answer>",
                "answer": "A",
                **axes,
                "trace": f"<think>In case {number} the trachea is displaced to the right.</think><answer>A</answer>",
                "model": "cedar",
            }
        )
    return rows


@pytest.mark.parametrize("workers", [1, 2])
def test_an_openmedreason_file_is_scored_without_any_mapping(workers: int, folder: Path, tmp_path: Path) -> None:
    rows = openmedreason(30)
    pl.DataFrame(rows).write_parquet(folder / "test-00000.parquet", row_group_size=8)
    heard: list[Ask] = []

    def script(ask: Ask) -> Any:
        heard.append(ask)
        return obedient(ask)

    with Server(script=script) as server:
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--workers", workers)
        said = score(folder / "test-00000.parquet", tmp_path / "out", *words)
        assert "30 records read = 30 scored + 0 failed" in said
        assert server.ledger.requests == 30 * 3
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores["failure"].null_count() == 30
    assert scores["units_asked"].sum() == 3 * sum(1 + number % 2 for number in range(30))
    assert scores["answer_correct"].all()
    assert all(len(ask.images) == 1 and ask.images[0].startswith("data:image/jpeg;base64,") for ask in heard)
    assert len({ask.images for ask in heard}) == 30
    text = heard[0].body["messages"][-1]["content"][1]["text"]  # type: ignore[index]
    for words_sent in ("# Image", "Where is the trachea?", "# Reference", "displaced to the right"):
        assert words_sent in text


def test_rows_that_have_no_trace_say_what_to_do(folder: Path, tmp_path: Path) -> None:
    rows = [
        {("response" if name == "trace" else name): value for name, value in row.items()} for row in openmedreason(2)
    ]
    pl.DataFrame(rows).write_parquet(folder / "t.parquet")
    code, said = run_judge("score", folder / "t.parquet", "--out", tmp_path / "out")
    assert code == 3, said
    assert "If it is in 'response', give --map trace=response." in read_failures(tmp_path / "out")[0]["message"]
    score(folder / "t.parquet", tmp_path / "mapped", "--map", "trace=response")


def test_a_real_picture_of_a_chest_is_sent(folder: Path, tmp_path: Path) -> None:
    """The examples' own."""
    images = Path(__file__).parent.parent / "examples" / "images"
    record = {**RECORDS[0], "image": "chest.png"}
    (folder / "t.jsonl").write_text(json.dumps(record))
    with Server() as server:
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--image-root", images)
        score(folder / "t.jsonl", tmp_path / "out", *words)
    with PilImage.open(images / "chest.png") as picture:
        assert picture.size


# Our tables elsewhere.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a line that cannot be read, a record that fails, and columns that are null throughout."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "t.jsonl").write_bytes(to_lines([*RECORDS[:20], "{broken", {**RECORDS[20], "units": {}}]))
    code, said = run_judge("score", folder / "t.jsonl", "--out", folder / "run")
    assert code == 3, said
    return folder / "run"


@pytest.mark.parametrize("table", ["scores", "verdicts", "calls"])
def test_duckdb_pyarrow_and_pandas_read_what_polars_does(table: str, run: Path) -> None:
    path = str(run / f"{table}.parquet")
    ours = pl.read_parquet(path)
    assert list(ours.columns) == list(table_schemas(AXES)[table])
    assert ours.height > 0
    for theirs in (
        pl.from_arrow(pyarrow.parquet.read_table(path)),
        duckdb.sql(f"SELECT * FROM '{path}'").pl(),
        pl.from_pandas(pd.read_parquet(path)),
    ):
        assert isinstance(theirs, pl.DataFrame)
        assert theirs.columns == ours.columns
        # pandas makes floats of whole numbers with gaps, and objects of columns without any value.
        told = theirs.with_columns(pl.col(name).cast(ours.schema[name]) for name in ours.columns)
        assert told.equals(ours, null_equal=True)


def test_sql_joins_scores_with_the_verdicts_behind_them(run: Path) -> None:
    query = f"""
        SELECT s.record_id, s.trace_score, count(v.unit_id)
        FROM '{run}/scores.parquet' s JOIN '{run}/verdicts.parquet' v USING (line)
        GROUP BY ALL ORDER BY s.record_id
    """
    found = duckdb.sql(query).fetchall()
    assert len(found) == 20
    assert sum(units for *_, units in found) == pl.read_parquet(run / "verdicts.parquet").height


def test_failures_are_json_lines_that_pandas_reads(run: Path) -> None:
    frame = pd.read_json(run / "failures.jsonl", lines=True)
    assert list(frame["line"]) == [21, 22]
    assert set(frame["stage"]) == {"read", "record"}
