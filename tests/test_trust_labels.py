"""Labels of people: every line is read or named."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from trust_kit import write_labels

from judge.errors import InputError
from judge.label.label import Label
from judge.trust.labels import LABELS, read_labels

RIGHT = {"presence": 2, "correctness": 1}


def test_labels_of_every_kind(tmp_path: Path) -> None:
    pair = {"axis": "overall", "unit_id": None, "model_a": "m", "model_b": "n", "verdict": "tie"}
    path = write_labels(
        tmp_path / "l.jsonl",
        {**RIGHT, "model": "a", "record_key": "9f", "evidence": "x", "anything": [1]},
        {"unit_id": "u2", "presence": 0},
        {"unit_id": "u3", "verdict": "MET"},
        {"unit_id": "u4", "value": 3},
        {"unit_id": None, "axis": "trace_score", "value": 0.25},
        pair,
    )
    found = read_labels(path)
    assert dict(found.schema) == {name: pl.Schema(LABELS)[name] for name in LABELS}
    assert found.select("line", "unit_id", "presence", "correctness", "verdict", "value").rows() == [
        (1, "u1", 2, 1, None, None),
        (2, "u2", 0, None, None, None),
        (3, "u3", None, None, "MET", None),
        (4, "u4", None, None, None, 3.0),
        (5, None, None, None, None, 0.25),
        (6, None, None, None, "tie", None),
    ]
    assert found.select("record_key", "model", "model_a").row(0) == ("9f", "a", None)
    assert found.select("axis", "model", "model_a", "model_b").row(5) == ("overall", None, "m", "n")


def test_what_judge_label_writes_is_read(tmp_path: Path) -> None:
    label = Label(record_id="r1", model=None, axis="k", unit_id="u1", rater="ann", presence=0, record_key="9f")
    path = tmp_path / "l.jsonl"
    path.write_bytes(label.line())
    assert read_labels(path).select("record_id", "presence", "record_key").row(0) == ("r1", 0, "9f")


def test_ids_may_be_whole_numbers(tmp_path: Path) -> None:
    found = read_labels(write_labels(tmp_path / "l.jsonl", {**RIGHT, "record_id": 7, "unit_id": 1, "rater": 2}))
    assert found.select("record_id", "unit_id", "rater").row(0) == ("7", "1", "2")


def test_parquet_and_compressed_files_say_the_same(tmp_path: Path) -> None:
    plain = write_labels(tmp_path / "l.jsonl", RIGHT, {"unit_id": "u2", "presence": 0})
    packed, table = tmp_path / "l.jsonl.gz", tmp_path / "l.parquet"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    pl.read_ndjson(plain).write_parquet(table)
    for path in (packed, table):
        assert read_labels(path).equals(read_labels(plain))


WRONG: list[tuple[Any, str]] = [
    ("{", "JSON"),
    ("[1]", "is no object"),
    ('{"record_id": "r1"}', "axis: Field required"),
    ({"rater": None, **RIGHT}, "rater: Field required"),
    ({"presence": 3, "correctness": 1}, "presence: Input should be 0, 1 or 2"),
    ({"presence": 2}, "correctness must be -1, 0 or 1 where presence is 1 or 2"),
    ({"presence": 0, "correctness": 1}, "correctness must be -1, 0 or 1 where presence is 1 or 2"),
    ({"presense": 2}, "a label has one of presence, verdict, value"),
    ({**RIGHT, "verdict": "MET"}, "a label has one of presence, verdict, value"),
    ({"verdict": "met"}, "verdict: Input should be 'MET', 'UNMET' or 'CANNOT_ASSESS'"),
    ({"value": "3"}, "value: must be a finite number"),
    ({"value": True}, "value: must be a finite number"),
    ('{"record_id": "r", "axis": "k", "unit_id": "u", "rater": "x", "value": NaN}', "NaN"),
    ({"model_a": "m", "model_b": "m", "verdict": "A"}, "model_b: must be another one than model_a"),
    ({"model_a": "m", "model_b": "n", "verdict": "1"}, "verdict: Input should be 'A', 'B' or 'tie'"),
    ({"model_a": "m", "verdict": "A"}, "model_b: Field required"),
]


@pytest.mark.parametrize(("line", "said"), WRONG)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: Any, said: str) -> None:
    path = write_labels(tmp_path / "l.jsonl", {"unit_id": "u9", "presence": 0}, line)
    with pytest.raises(InputError) as caught:
        read_labels(path)
    assert caught.value.message.startswith(f"{path}: 1 line is no label: line 2: ")
    assert said in caught.value.message


def test_all_wrong_lines_are_named_up_to_ten(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "l.jsonl", RIGHT, *["{"] * 12)
    with pytest.raises(InputError, match=r"12 lines are no labels: line 2: .*; line 11: .*; and 2 more\.") as caught:
        read_labels(path)
    assert "line 12" not in caught.value.message


def test_two_labels_of_one_rater_at_one_place_are_refused(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "l.jsonl", RIGHT, {**RIGHT, "rater": "bob"}, {"presence": 0})
    with pytest.raises(InputError, match=r"line 3: the rater 'ann' has labelled the same in line 1"):
        read_labels(path)


def test_no_labels_are_no_file_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text("\n")
    with pytest.raises(InputError, match="holds no label"):
        read_labels(path)
