"""What a trace lacks comes from the reference with its key; a file of references is checked whole before it is used."""

import gzip
import json
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from judge.errors import InputError, RecordError
from judge.record import build_record
from judge.traces.mapping import parse_map
from judge.traces.references import References, open_references

UNITS = {"perception": [{"unit_id": "P1", "claim": "The lung is clear."}]}
ONE = {
    "id": "r1",
    "question": "Which lobe?",
    "options": {"A": "x"},
    "image": "a.png",
    "context": "A film.",
    "reference": {"answer": "A", "reasoning": "Because."},
    "units": UNITS,
    "trace": "The gold trace.",
    "model": "gold",
    "meta": {"gold": True},
    "cost": 5,
}
TWO = {"id": "r2", "units": {"perception": []}}


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, path: Path, *rows: object, **options: object) -> References:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return stack.enter_context(open_references(str(path), **options))


def test_what_is_missing_or_null_is_filled_and_nothing_else(stack: ExitStack, tmp_path: Path) -> None:
    """Never trace, model, id and meta: those are of the candidate."""
    references = opened(stack, tmp_path / "r.jsonl", TWO, ONE)
    assert len(references) == 2
    filled = {name: ONE[name] for name in ("question", "options", "image", "context", "reference", "units")}
    assert references.join({"id": "r1", "trace": "t"}) == {"id": "r1", "trace": "t", **filled}
    nulls = dict.fromkeys(filled)
    assert references.join({"id": "r1", "trace": "t", **nulls}) == {"id": "r1", "trace": "t", **filled}
    assert references.join({"id": "r2", "trace": "t"}) == {"id": "r2", "trace": "t", "units": TWO["units"]}


@pytest.mark.parametrize("name", ["question", "options", "image", "context", "units"])
def test_what_the_trace_has_holds(name: str, stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", ONE)
    for own in ("own", {"mine": ["own"]}, 0, False):
        assert references.join({"id": "r1", name: own})[name] == own


EMPTY = [{}, "", [], {"perception": []}, {"perception": [], "knowledge": None, "rationale": ""}]


@pytest.mark.parametrize("name", ["question", "options", "image", "context", "reference", "units"])
@pytest.mark.parametrize("own", EMPTY)
def test_what_is_empty_is_missing(name: str, own: object, stack: ExitStack, tmp_path: Path) -> None:
    """A table has all columns in every row, and exporters write nothing in many ways."""
    references = opened(stack, tmp_path / "r.jsonl", ONE, {"id": "r3", "answer": "A"})
    joined = references.join({"id": "r1", "trace": "t", name: own})
    assert {**joined, name: None} == {**references.join({"id": "r1", "trace": "t"}), name: None}
    assert joined[name].items() >= ONE[name].items() if name == "reference" else joined[name] == ONE[name]
    assert references.join({"id": "r3", name: own})[name] == own  # nothing is there to fill it with


def test_an_empty_answer_is_filled(stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", ONE)
    joined = references.join({"id": "r1", "reference": {"answer": "", "reasoning": "Mine.", "source": "s"}})
    assert joined["reference"] == {"answer": "A", "reasoning": "Mine.", "source": "s"}


def test_rows_with_empty_units_are_one_record_with_those_without(stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", ONE)
    rows = [{"id": "r1", "trace": "t"}, *({"id": "r1", "trace": "t", "units": own} for own in EMPTY)]
    assert len({build_record(references.join(row)).key for row in rows}) == 1


def test_answer_and_reasoning_are_filled_each_by_itself(stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", ONE)
    assert references.join({"id": "r1", "reference": {"answer": "B", "reasoning": None}})["reference"] == {
        "answer": "B",
        "reasoning": "Because.",
    }


def test_a_joined_record_is_the_same_as_a_whole_one(stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", ONE)
    candidate = {"id": "r1", "trace": "t", "model": "m"}
    whole = {
        **{name: ONE[name] for name in ("question", "options", "image", "context", "reference", "units")},
        **candidate,
    }
    assert build_record(references.join(candidate)).key == build_record(whole).key


@pytest.mark.parametrize(
    ("key", "other"), [("7", 7), (7, "7"), (7, 7), (-7, "-7"), (10**17, "1" + "0" * 17), ("é", "é")]
)
def test_whole_numbers_are_equal_to_their_text(key: object, other: object, stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", {"case": key, "question": "q"}, on="case")
    assert references.join({"case": other, "trace": "t"})["question"] == "q"


def test_rows_may_meet_inside_an_object_and_under_other_names(stack: ExitStack, tmp_path: Path) -> None:
    inside = opened(stack, tmp_path / "a.jsonl", {"info": {"case": 3}, "question": "q"}, on="info.case")
    assert inside.join({"info": {"case": "3"}})["question"] == "q"
    mapped = parse_map(["id=idx", "trace=response", "reference.answer=gold"])
    renamed = opened(stack, tmp_path / "b.jsonl", {"idx": 4, "gold": "B"}, mapped=mapped)
    assert renamed.join({"id": "4", "trace": "t"})["reference"] == {"answer": "B"}


def test_openmedreason_columns_are_references(stack: ExitStack, tmp_path: Path) -> None:
    row = {"id": "a", "question": "Q?\nA. x\nB. y", "answer": "A", "reasoning": "r", "perception": UNITS["perception"]}
    joined = opened(stack, tmp_path / "r.jsonl", row).join({"id": "a", "trace": "t"})
    assert (joined["units"], joined["reference"]) == (UNITS, {"answer": "A", "reasoning": "r"})
    assert joined["options"] == {"A": "x", "B": "y"}


def test_images_of_a_table_survive(stack: ExitStack, tmp_path: Path) -> None:
    image = {"bytes": b"\x89PNG\xff", "path": "a.png"}
    path = tmp_path / "r.parquet"
    pl.DataFrame({"id": [1, 2, 3], "image": [image, None, None], "images": [None, [image], None]}).write_parquet(path)
    text = {"bytes": b64encode(image["bytes"]).decode(), "path": "a.png"}
    one = stack.enter_context(open_references(str(path)))
    assert one.join({"id": "1"})["image"] == text
    several = stack.enter_context(open_references(str(path), mapped={"image": "images"}))
    assert several.join({"id": "2"})["image"] == [text]
    assert "image" not in several.join({"id": "3"})
    pl.DataFrame({"id": ["x"], "image": [image["bytes"]]}).write_parquet(path)
    bare = stack.enter_context(open_references(str(path)))
    assert bare.join({"id": "x"})["image"] == {"bytes": text["bytes"]}


def test_any_format_will_do(stack: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(json.dumps(ONE).encode()))
    assert len(stack.enter_context(open_references(str(tmp_path / "r.jsonl.gz")))) == 1


# --- errors ----------------------------------------------------------------------------------------------------------


def test_no_reference_is_a_failure_of_the_record(stack: ExitStack, tmp_path: Path) -> None:
    references = opened(stack, tmp_path / "r.jsonl", ONE, TWO)
    with pytest.raises(RecordError) as caught:
        references.join({"id": "r3", "trace": "t"}, number=9)
    assert (caught.value.code, caught.value.record_id) == ("no_reference", "r3")
    assert str(caught.value) == (
        f"line 9, id: is 'r3', which no reference has. {tmp_path / 'r.jsonl'} has 2 references, such as 'r1'."
    )


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (None, "is missing or null"),
        ("", "is '' (str), must be text"),
        (True, "is True (bool), must"),
        (7.0, "is 7.0 (float), must be text or a whole number. Rows meet their references on it. Write whole numbers"),
        (["a"], "is ['a'] (list), must"),
        ({"a": 1}, "(dict), must"),
    ],
)
def test_a_trace_without_a_key_is_a_failure_of_the_record(
    key: object, says: str, stack: ExitStack, tmp_path: Path
) -> None:
    references = opened(stack, tmp_path / "r.jsonl", *({"case": case} for case in ("a", 7, 1)), on="case")
    with pytest.raises(RecordError, match=rf"line 9, case: .*{re.escape(says)}") as caught:
        references.join({"id": 3, "case": key}, number=9)
    assert (caught.value.code, caught.value.record_id) == ("missing_key", "3")
    assert "--on NAME" in str(caught.value) or key == 7.0


def test_a_field_that_was_moved_is_named_as_it_is_called_then(stack: ExitStack, tmp_path: Path) -> None:
    mapped, path = parse_map(["id=qid", "trace=response"]), tmp_path / "r.jsonl"
    path.write_text('{"qid": 1}\n')
    says = "line 1, qid: is missing or null. --map id=qid has moved it: give --on id, as it is called then."
    with pytest.raises(InputError, match=re.escape(f"{path}: {says}")):
        stack.enter_context(open_references(str(path), on="qid", mapped=mapped))
    path.write_text('{"qid": 1, "id": "a"}\n{"id": "b"}')
    references = stack.enter_context(open_references(str(path), on="id", mapped=mapped))
    assert [references.join({"id": name})["id"] for name in ("1", "b")] == ["1", "b"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "r.jsonl holds no references."),
        (['{"id": "a"}', "", '{"id": "b"}', '{"id": "a"}'], "r.jsonl: lines 1 and 4 both have the id 'a'."),
        (['{"id": 7}', '{"id": "7"}'], "lines 1 and 2 both have the id '7'"),
        (['{"id": "a"}', '{"question": "q"}'], "r.jsonl: line 2, id: is missing or null. Name the field that both"),
        (['{"id": "a"}', '{"id": null}'], "line 2, id: is missing or null"),
        (
            ['{"id": 1}', '{"id": 1.0}'],
            "line 2, id: is 1.0 (float), must be text or a whole number. Write whole numbers",
        ),
        (['{"id": 1}', '{"id": true}'], "line 2, id: is True (bool), must be text or a whole number. Name the field"),
        (['{"id": "a"}', '{"id": "b", "id": "c"}'], "r.jsonl: line 2, id: has the key 'id' twice"),
        (['{"id": "a"}', "[]"], "r.jsonl: line 2: is [] (list), must be a JSON object."),
        (['{"id": "a", "context": [NaN]}'], "line 1: has NaN"),
        (["[1]"], "r.jsonl is a JSON array, not JSONL: line 1 begins with '['"),
        (["\0["], "r.jsonl: line 1 is UTF-16 or UTF-32, not UTF-8. Convert"),
    ],
)
def test_what_is_wrong_with_the_references_is_told_at_the_start(rows: list[str], says: str, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(rows))
    with pytest.raises(InputError, match=re.escape(says)) as caught, open_references(str(path)):
        raise AssertionError
    assert not isinstance(caught.value, RecordError)


def test_references_that_were_cut_off_are_told_at_the_start(tmp_path: Path) -> None:
    """A reference that is not there would fail its records only when the others are paid."""
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ONE).encode() + b"\n")[:-4])
    with pytest.raises(InputError, match="was cut off"), open_references(str(path)):
        raise AssertionError


def test_bytes_that_are_no_image_are_told_at_the_start(tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a"], "context": [b"x"]}).write_parquet(tmp_path / "r.parquet")
    with (
        pytest.raises(InputError, match="line 1 cannot be written as JSON"),
        open_references(str(tmp_path / "r.parquet")),
    ):
        raise AssertionError


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect

    def small(*arguments: object, **options: object) -> sqlite3.Connection:
        database = real(*arguments, **options)
        database.execute("PRAGMA max_page_count = 3")
        return database

    monkeypatch.setattr(sqlite3, "connect", small)
    (tmp_path / "r.jsonl").write_text("".join(json.dumps({**ONE, "id": f"r{n}"}) + "\n" for n in range(1000)))
    said = "references cannot be indexed: database or disk is full. SQLITE_TMPDIR names a folder with more room"
    with pytest.raises(InputError, match=said), open_references(str(tmp_path / "r.jsonl")):
        raise AssertionError


# --- size ------------------------------------------------------------------------------------------------------------

MEASURE = """
import re, sys
from pathlib import Path
from judge.traces.references import open_references
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
begun = peak()
with open_references(sys.argv[1]) as references:
    print(len(references), len(references.join({"id": "r77"})["context"]), peak() - begun)
"""


def test_memory_hangs_on_no_number_of_references(tmp_path: Path) -> None:
    """200 MB of references; what Python and SQLite hold of them is a few MB."""
    path, context = tmp_path / "r.jsonl", "x" * 100_000
    with path.open("w") as file:
        for number in range(2_000):
            file.write(json.dumps({"id": f"r{number}", "context": context}) + "\n")
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, timeout=60, check=True)
    count, length, grown = map(int, done.stdout.split())
    assert (count, length) == (2_000, 100_000)
    assert grown < 60
    assert sorted(tmp_path.iterdir()) == [path]


def test_an_error_is_placed_whatever_the_references_hold(stack: ExitStack, tmp_path: Path) -> None:
    """Both say `true` where an object is wanted: the error is of the row, and is told as it is."""
    references = opened(stack, tmp_path / "r.jsonl", {"id": "r1", "reference": True})
    error = RecordError("is True (bool), must be an object.", line=1, field="reference", record_id="r1")
    references.place(error, {"id": "r1", "reference": True})
    assert "It is from" not in str(error)
