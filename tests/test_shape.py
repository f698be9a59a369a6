"""OpenMedReason rows are read as they are, mapped fields go first, and rows under our own names are not touched."""

import json
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import asdict

from judge.errors import RecordError
from judge.record import Record, build_record
from judge.traces.shape import shape_fields
from judge.traces.source import open_source

QUESTION = "Which lobe is opaque?\nA. Right lower\nB. Left upper"


def unit(name: str | float, claim: str = "It is opaque.") -> dict:
    return {
        "unit_id": name,
        "topic": "lobe",
        "claim": claim,
        "source_quote": None,
        "importance": "core",
        "presence_question": "Is it said?",
        "correctness_question": "Is it right?",
    }


ROW = {
    "image": {"bytes": b"\x89PNG", "path": "ct.png"},
    "question": QUESTION,
    "reasoning": "The right base is opaque.",
    "answer": "A",
    "perception": [unit("P1"), unit("P2")],
    "knowledge": [unit("K1")],
    "rationale": [],
    "trace": "The right lower lobe. <answer>A</answer>",
    "model": "m",
}


def record(row: dict, mapped: dict | None = None) -> Record:
    return build_record(shape_fields(row, mapped, number=5), number=5)


def names(made: Record) -> dict[str, list[str]]:
    return {axis: [unit.unit_id for unit in units] for axis, units in made.units.items()}


def test_openmedreason_as_it_is() -> None:
    made = record(ROW)
    assert names(made) == {"perception": ["P1", "P2"], "knowledge": ["K1"], "rationale": []}
    assert (made.reference.answer, made.reference.reasoning) == ("A", "The right base is opaque.")
    assert made.question == QUESTION  # verbatim, with the options in it
    assert made.options == {"A": "Right lower", "B": "Left upper"}
    assert (made.model, made.meta) == ("m", {})
    assert asdict(made.units["perception"][0]).items() >= unit("P1").items()


def test_a_row_without_an_id_has_that_of_its_question() -> None:
    """Contract §3: neither trace nor model count, the image does."""
    first = record(ROW).id
    assert record({**ROW, "trace": "Other.", "model": "n"}).id == first
    for change in ({"image": {"bytes": b"other"}}, {"answer": "B"}, {"question": "Why?"}, {"rationale": [unit("R1")]}):
        assert record({**ROW, **change}).id != first


@pytest.mark.parametrize("nothing", [None, [], "", "[]", "null", " [ ] "])
def test_an_axis_may_have_nothing(nothing: object) -> None:
    assert names(record({**ROW, "knowledge": nothing})) == {
        "perception": ["P1", "P2"],
        "knowledge": [],
        "rationale": [],
    }


def test_lists_may_be_json_text() -> None:
    text = {
        **ROW,
        "perception": json.dumps(ROW["perception"]),
        "knowledge": json.dumps(ROW["knowledge"]),
        "rationale": "",
    }
    assert record(text).key == record(ROW).key


def test_text_that_is_no_list_is_said() -> None:
    with pytest.raises(
        RecordError, match=r"line 5, units\.knowledge: is text that is no JSON list of units: .*truncat|ends"
    ):
        record({**ROW, "knowledge": "[{"})
    with pytest.raises(RecordError, match=r"line 5, units\.knowledge\[0\]: is 1 \(int\), must be an object"):
        record({**ROW, "knowledge": "[1]"})


def test_unit_ids_that_repeat_between_axes_get_their_axis() -> None:
    row = {**ROW, "perception": [unit("u1"), unit("u2")], "knowledge": [unit("u1")], "rationale": [unit("x")]}
    assert names(record(row)) == {
        "perception": ["perception.u1", "perception.u2"],
        "knowledge": ["knowledge.u1"],
        "rationale": ["rationale.x"],
    }
    numbers = {"perception": [unit(1)], "knowledge": [unit("1")], "rationale": [unit(7)]}
    assert [name.unit_id for axis in record({**ROW, **numbers}).units.values() for name in axis] == [
        *("perception.1", "knowledge.1", "rationale.7")
    ]
    with pytest.raises(RecordError, match=r"is 1\.5 \(float\), must be a string or a whole number"):
        record({**ROW, "perception": [unit(1.5)], "knowledge": [unit("u1")], "rationale": [unit("u1")]})
    with pytest.raises(RecordError, match="'u1', which another unit of this record has"):
        record({**ROW, "perception": [unit("u1"), unit("u1")]})


@pytest.mark.parametrize(
    "change",
    [
        {"units": {"perception": [unit("U")]}},
        {"reference": {"answer": "Z"}},
        {"perception": "is sharp"},
        {"knowledge": {"a": 1}},
        {"question": None},
    ],
)
def test_a_row_with_names_of_its_own_is_no_openmedreason(change: dict) -> None:
    row = {**ROW, **change}
    assert shape_fields(row) is row


@pytest.mark.parametrize("missing", [("perception", "knowledge", "rationale"), ("reasoning", "answer")])
def test_a_row_that_lacks_half_of_the_columns_is_no_openmedreason(missing: tuple[str, ...]) -> None:
    row = {name: value for name, value in ROW.items() if name not in missing}
    assert shape_fields(row) is row


def test_options_of_its_own_hold() -> None:
    assert record({**ROW, "options": {"A": "x"}}).options == {"A": "x"}
    assert record({**ROW, "question": "Which?"}).options is None


def test_mapped_fields_go_before_those_of_the_shape() -> None:
    mapped = {"reference.answer": "gold", "units.rationale": "more", "trace": "response"}
    made = record({**ROW, "gold": "B", "more": json.dumps([unit("R9")]), "response": "Other."}, mapped)
    assert (made.reference.answer, made.reference.reasoning) == ("B", "The right base is opaque.")
    assert names(made)["rationale"] == ["R9"]
    assert (made.trace, made.meta) == ("Other.", {})
    assert record(ROW, {"reference.answer": "gold"}).reference.answer == "A"
    with pytest.raises(RecordError, match=r"units: is \[1\] \(list\), must be an object"):
        record({**ROW, "more": [1]}, {"units": "more"})


def test_mapped_units_may_be_json_text_without_any_shape() -> None:
    made = record({"trace": "x", "p": json.dumps([unit("P1")])}, {"units.perception": "p"})
    assert names(made) == {"perception": ["P1"]}


def test_a_map_that_finds_no_trace_is_named() -> None:
    with pytest.raises(RecordError) as caught:
        record({"id": "r1", "resp": "x"}, {"trace": "response"})
    error = caught.value
    assert (error.record_id, error.code) == ("r1", "missing")
    assert str(error) == (
        "line 5, trace: is missing or null. --map trace=response finds no 'response' here; the row has: id, resp."
    )


@pytest.mark.parametrize("name", ["response", "output", "completion", "prediction", "generation", "model_output"])
def test_a_column_that_looks_like_the_trace_is_named(name: str) -> None:
    row = {key: value for key, value in ROW.items() if key != "trace"}
    with pytest.raises(RecordError, match=f"trace: is missing or null. If it is in '{name}', give --map trace={name}"):
        record({**row, name: "It is."})


def test_an_openmedreason_table(tmp_path: Path) -> None:
    """Written as Hugging Face writes it: the image a struct, each axis a list of structs, or null."""
    others = [
        {**ROW, "knowledge": None, "trace": f"Trace {n}.", "image": {"bytes": bytes([n]), "path": None}} for n in (1, 2)
    ]
    path = tmp_path / "openmedreason.parquet"
    pl.DataFrame([ROW, *others], infer_schema_length=None).write_parquet(path)
    with open_source(str(path)) as source:
        made = [record(row) for _, row in source]
    assert [one.trace for one in made] == [ROW["trace"], "Trace 1.", "Trace 2."]
    assert made[0].key == record(ROW).key
    assert names(made[1]) == {"perception": ["P1", "P2"], "rationale": []}
    assert len({one.id for one in made}) == 3  # three images
    assert made[0].image["path"] == "ct.png"
    assert made[0].image["bytes"].startswith("sha256:")
