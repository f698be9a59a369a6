"""A line becomes a record, or an error that names line, field, what was found and what is allowed."""

import copy
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from judge.errors import RecordError
from judge.record import Record, build_record, parse_record

EXAMPLES = Path(__file__).parent.parent / "examples" / "traces.jsonl"
QUICK = settings(max_examples=200)
UNIT = {"unit_id": "P1", "claim": "The lung is clear.", "topic": "lung", "importance": "core"}
FULL = {
    "id": "r1",
    "question": "Is it?",
    "options": {"A": "yes", "B": "no"},
    "image": "a.png",
    "context": "A film.",
    "model": "m",
    "reference": {"answer": "A", "reasoning": "Because."},
    "units": {"perception": [UNIT], "knowledge": []},
    "trace": "It is clear.",
    "meta": {"split": "test"},
    "temperature": 0.7,
}


def refused(value: object) -> RecordError:
    with pytest.raises(RecordError) as caught:
        build_record(value, number=7)
    return caught.value


# --- shape ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", EXAMPLES.read_bytes().splitlines(), ids=lambda line: line[:40].decode())
def test_examples_are_read_as_they_are_written(line: bytes) -> None:
    written, record = json.loads(line), parse_record(line, number=3)
    assert (record.id, record.model, record.trace, record.line) == (*(written[f] for f in ("id", "model", "trace")), 3)
    assert {axis: [unit.unit_id for unit in units] for axis, units in record.units.items()} == {
        axis: [unit["unit_id"] for unit in units] for axis, units in written["units"].items()
    }
    assert record.meta == written["meta"]


def test_unknown_fields_are_kept_where_they_stood() -> None:
    unit = {**UNIT, "page": 4}
    record = build_record({**FULL, "units": {"perception": [unit]}, "reference": {"answer": "A", "by": "x"}})
    assert record.meta == {"split": "test", "temperature": 0.7}
    assert record.units["perception"][0].meta == {"page": 4}
    assert record.reference.meta == {"by": "x"}


def test_a_record_is_the_same_whichever_way_it_is_read() -> None:
    """Plain rows are read by msgspec; an unknown field anywhere sends all of a row another way."""
    row = {**FULL, "meta": {"split": "test", "temperature": 0.7}}
    del row["temperature"]
    row["units"] = {"perception": [{**UNIT, "points": 2.5, "polarity": "negative", "gate": True, "meta": {"a": [1]}}]}
    plain = build_record(row, number=4)
    other = build_record({**row, "units": {**row["units"], "b": [{**UNIT, "unit_id": "P2", "page": 1}]}}, number=4)
    assert plain.units["perception"] == other.units["perception"]
    assert replace(other, units={}) == replace(plain, units={})
    assert (plain.line, other.line) == (4, 4)
    assert build_record(plain.given).key == build_record(row).key == plain.key


@pytest.mark.parametrize("points", [math.nan, math.inf, -math.inf])
def test_points_are_finite(points: float) -> None:
    """A parser of JSON refuses them before; a library's user may give them."""
    error = refused({**FULL, "units": {"perception": [{**UNIT, "points": points}]}})
    assert error.field == "units.perception[0].points"


def test_a_row_says_neither_where_it_stands_nor_what_its_key_is() -> None:
    record = build_record({**FULL, "line": 99, "key": "mine", "images": ["x"]}, number=4)
    assert (record.line, record.images) == (4, ())
    assert record.key != "mine"
    assert record.meta == {"split": "test", "temperature": 0.7, "line": 99, "key": "mine", "images": ["x"]}


@pytest.mark.parametrize("extra", [{}, {"temperature": 1}])
def test_a_null_meta_is_no_meta(extra: dict) -> None:
    assert build_record({"trace": "x", "meta": None, **extra}).meta == extra


@pytest.mark.parametrize("extra", [{}, {"temperature": 1}])
@pytest.mark.parametrize("meta", [5, 0, "", [], False])
def test_a_meta_that_is_no_object_is_refused(meta: object, extra: dict) -> None:
    assert "meta: is" in str(refused({"trace": "x", "meta": meta, **extra}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trace": None}, "line 7, trace: is missing or null. Give the candidate's text, or a list of chat messages."),
        ({"trace": 5}, "line 7, trace: is 5 (int), must be a string."),
        ({"trace": {"a": 1}}, "line 7, trace: is {'a': 1} (dict), must be a string."),
        ({"trace": [{"content": "x"}, 5]}, "line 7, trace[1]: is 5 (int), must be an object."),
        ({"trace": [{"content": 5}]}, "line 7, trace[0].content: is 5 (int), must be a string."),
        ({"trace": [{"role": None}]}, "line 7, trace[0].role: is None (NoneType), must be a string."),
        ({"id": 5.0}, "line 7, id: is 5.0 (float), must be a string or a whole number."),
        ({"id": True}, "line 7, id: is True (bool), must be a string or a whole number."),
        ({"id": 2**64}, "cannot be written as JSON: Integer exceeds 64-bit range."),
        ({"id": 10**5000}, "cannot be written as JSON: Integer exceeds 64-bit range."),
        ({"id": ""}, "line 7, id: is '' (str), must be a string that is not empty."),
        ({"units": []}, "line 7, units: is [] (list), must be an object."),
        ({"units": {"p": {}}}, "line 7, units.p: is {} (dict), must be a list."),
        ({"units": {"p": ["x"]}}, "line 7, units.p[0]: is 'x' (str), must be an object."),
        ({"units": {"p": [{"unit_id": "a"}]}}, "line 7, units.p[0].claim: is missing or null."),
        (
            {"units": {"p": [UNIT, {**UNIT, "claim": ""}]}},
            "units.p[1].claim: is '' (str), must be a string that is not",
        ),
        (
            {"units": {"p": [{**UNIT, "unit_id": 1.5}]}},
            "line 7, units.p[0].unit_id: is 1.5 (float), must be a string or a whole number.",
        ),
        ({"options": ["yes"]}, "line 7, options: is ['yes'] (list), must be an object."),
        ({"options": {"A": 1}}, "line 7, options.A: is 1 (int), must be a string."),
        ({"reference": "C"}, "line 7, reference: is 'C' (str), must be an object."),
        ({"reference": {"answer": 3}}, "line 7, reference.answer: is 3 (int), must be a string."),
        (
            {"question": ["x"] * 99},
            "line 7, question: is ['x', 'x', 'x', 'x', 'x', 'x', ...] (list), must be a string.",
        ),
        (
            {"units": {"p": [UNIT], "q": [UNIT]}},
            "line 7, units.q[0].unit_id: is 'P1', which another unit of this record has; unit ids must be unique.",
        ),
        ({"model": "\ud800"}, "line 7: cannot be written as JSON: str is not valid UTF-8: surrogates not allowed."),
    ],
)
def test_what_is_wrong_is_said_in_words_of_json(change: dict, says: str) -> None:
    error = refused({**FULL, **change})
    assert says in str(error)
    assert error.line == 7


@pytest.mark.parametrize("value", [[], "x", 5, None, [FULL]])
def test_a_record_is_an_object(value: object) -> None:
    assert "must be a JSON object" in str(refused(value))


def test_a_near_miss_of_what_is_missing_is_named() -> None:
    misspelled = {("response" if key == "id" else "trce" if key == "trace" else key): FULL[key] for key in FULL}
    assert str(refused(misspelled)) == "line 7, trace: is missing. Did you mean this by 'trce'?"
    unit = {"unit_id": "P1", "clam": "x"}
    # The near miss is looked for beside what is missing, not at the top of the record.
    error = refused({**FULL, "claims": 1, "units": {"p": [UNIT | {"unit_id": "P0"}, unit]}})
    assert str(error) == "line 7, units.p[1].claim: is missing. Did you mean this by 'clam'?"


def test_an_error_can_go_into_a_table() -> None:
    """Half of a surrogate pair in an id that we report ends the writing of all tables."""
    error = refused({"id": "a\ud800", "trace": "x"})
    assert error.record_id == "a\\ud800"
    f"{error}{error.field}".encode()


def test_a_value_without_bottom_is_shown_with_one() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert str(refused({"trace": [deep]})) == "line 7, trace[0]: is [[[[[[[...]]]]]]] (list), must be an object."
    assert "Recursion limit" in str(refused({"trace": "x", "more": deep}))


def test_chat_messages_are_joined_by_blank_lines() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is it?"},
        {"role": "assistant", "reasoning_content": "First.", "content": "Second.", "refusal": None},
        {"role": "tool", "content": [{"type": "text", "text": "Third."}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": None},
        {"content": "Fourth."},
    ]
    assert build_record({"trace": messages}).trace == "First.\n\nSecond.\n\nThird.\n\nFourth."
    assert build_record({"trace": []}).trace == ""


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"reasoning": "First.", "content": "Second."}, "First.\n\nSecond."),
        # vLLM writes both names while one takes over from the other.
        ({"reasoning": "First.", "reasoning_content": "First.", "content": "Second."}, "First.\n\nSecond."),
        ({"reasoning": "First.", "reasoning_content": None, "content": None}, "First."),
        ({"reasoning": {"effort": "high"}, "content": "Second."}, "Second."),
        ({"content": None, "tool_calls": [{"function": {"name": "zoom", "arguments": "{}"}}]}, ""),
        (
            {"content": [{"type": "thinking", "thinking": "First."}, {"type": "text", "text": "Second."}]},
            "First.\n\nSecond.",
        ),
    ],
)
def test_reasoning_has_several_names(message: dict, text: str) -> None:
    assert build_record({"trace": [{"role": "assistant", **message}]}).trace == text


# A small table of what contract §3 allows, by hand: names of JSON types, and what else must hold.
ALLOWED = {
    ("id",): {"text", "null", "whole"},
    ("question",): {"text", "empty", "null"},
    ("context",): {"text", "empty", "null"},
    ("model",): {"text", "empty", "null"},
    ("options",): {"object", "null"},
    ("reference",): {"object", "null"},
    ("meta",): {"object", "null"},
    ("image",): {"text", "empty", "null", "whole", "fraction", "bool", "object", "list"},
    ("trace",): {"text", "empty", "list"},
    ("units",): {"object", "null"},
    ("units", "perception"): {"list", "null"},
    ("units", "perception", 0): set(),  # an empty object lacks unit_id and claim
    ("units", "perception", 0, "unit_id"): {"text", "whole"},
    ("units", "perception", 0, "claim"): {"text"},
    ("units", "perception", 0, "topic"): {"text", "empty", "null"},
    ("units", "perception", 0, "importance"): {"text", "empty", "null"},
    ("reference", "answer"): {"text", "empty", "null"},
    ("options", "A"): {"text", "empty"},
}
KINDS = {
    "text": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    "empty": st.just(""),
    "null": st.none(),
    "whole": st.integers(-(10**18) + 1, 10**18 - 1),
    "fraction": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "object": st.just({}),
    "list": st.just([]),
}


@settings(max_examples=1000)
@given(st.sampled_from(sorted(ALLOWED, key=str)), st.sampled_from(sorted(KINDS)), st.data())
def test_each_field_takes_its_types_and_no_other(path: tuple, kind: str, data: st.DataObject) -> None:
    record = copy.deepcopy(FULL)
    inner = record
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = data.draw(KINDS[kind])
    line = json.dumps(record).encode()
    if kind in ALLOWED[path]:
        assert isinstance(parse_record(line), Record)
        return
    with pytest.raises(RecordError) as caught:
        parse_record(line, number=7)
    # `units.perception[0] = {}` is said of the first thing that it lacks.
    assert caught.value.field.startswith("".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)[1:])
    assert "must be" in str(caught.value) or "is missing" in str(caught.value)


# --- identity ------------------------------------------------------------------------------------------------------


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-(2**63), 2**64 - 1))
def test_a_whole_number_is_its_text_as_an_id(name: int, unit: int) -> None:
    def made(name: object, unit: object) -> Record:
        return build_record({**FULL, "id": name, "units": {"p": [{**UNIT, "unit_id": unit}]}})

    numbers, texts = made(name, unit), made(str(name), str(unit))
    assert (numbers, numbers.key) == (texts, texts.key)
    assert (numbers.id, numbers.units["p"][0].unit_id) == (str(name), str(unit))
    assert made(name + 1 if name < 0 else name - 1, unit).key != numbers.key


def test_a_unit_of_a_number_and_one_of_its_text_are_two_of_one_name() -> None:
    units = {"p": [{**UNIT, "unit_id": 1}], "k": [{**UNIT, "unit_id": "1"}]}
    assert "units.k[0].unit_id: is '1', which another unit" in str(refused({**FULL, "units": units}))


def test_keys_of_records_with_ids_of_text_are_those_of_before() -> None:
    """A resume goes by them: these two are of the version that knew no other ids."""
    record = {"id": "r1", "trace": "t", "units": {"p": [{"unit_id": "01", "claim": "c"}]}}
    assert build_record(record).key == "6d643fc6cbdcc0f243de641ccaafad12"
    assert build_record({**record, "id": None, "image": b"x"}).key == "9aade81973d080c00a7ebc9910b9510f"


def _leaves(value: object, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _leaves(child, (*path, index))
    else:
        yield path


def _changed(path: tuple, value: object) -> dict:
    record = copy.deepcopy(FULL)
    inner = record
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return record


@pytest.mark.parametrize("path", list(_leaves(FULL)), ids=str)
def test_the_key_changes_with_every_field(path: tuple) -> None:
    assert build_record(_changed(path, "another")).key != build_record(FULL).key


@pytest.mark.parametrize("field", [field for field in FULL if field != "trace"])
def test_the_key_changes_when_a_field_goes(field: str) -> None:
    assert build_record({key: FULL[key] for key in FULL if key != field}).key != build_record(FULL).key


@QUICK
@given(st.permutations(list(FULL)))
def test_neither_key_nor_id_hang_on_the_order_of_fields(order: list[str]) -> None:
    for whole in (FULL, {key: FULL[key] for key in FULL if key != "id"}):
        shuffled = {key: whole[key] for key in order if key in whole}
        assert build_record(shuffled).key == build_record(whole).key
        assert build_record(shuffled).id == build_record(whole).id


def test_the_key_is_of_the_joined_trace_and_not_of_the_spelling() -> None:
    spelled = [
        rb'{"id":"r","trace":"caf\u00e9"}',
        '{ "trace" : "café",\t"id":"r" }\r'.encode(),
        '{"id":"r","trace":[{"role":"user","content":"?"},{"content":"café"}]}'.encode(),
    ]
    assert len({parse_record(line).key for line in spelled}) == 1


def test_a_missing_id_is_the_hash_of_the_question() -> None:
    """Contract §3: 16 hex digits of the SHA-256 of the canonical record without trace, model and meta."""
    nameless = {key: FULL[key] for key in FULL if key != "id"}
    question = {key: nameless[key] for key in ("question", "options", "image", "context", "reference", "units")}
    canonical = json.dumps(question, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    assert build_record(nameless).id == expected
    assert build_record({**nameless, "id": None}).id == expected
    assert build_record(MappingProxyType(nameless)).id == expected


@pytest.mark.parametrize("change", [{"trace": "b"}, {"model": None}, {"meta": {}}, {"temperature": 1}, {"cost": 3}])
def test_a_missing_id_is_the_same_for_every_trace_of_a_question(change: dict) -> None:
    """`temperature` and `cost` are unknown fields, and so part of `meta`."""
    nameless = {key: FULL[key] for key in FULL if key != "id"}
    assert build_record({**nameless, **change}).id == build_record(nameless).id


@pytest.mark.parametrize(
    "path", [path for path in _leaves(FULL) if path[0] not in ("id", "trace", "model", "meta", "temperature")]
)
def test_a_missing_id_changes_with_the_question(path: tuple) -> None:
    nameless = {key: FULL[key] for key in FULL if key != "id"}
    changed = _changed(path, "another")
    del changed["id"]
    assert build_record(changed).id != build_record(nameless).id


def test_nulls_change_neither_key_nor_id() -> None:
    """A table has all fields in every row; the same records as JSON have only those that are there."""
    nameless = {key: FULL[key] for key in FULL if key != "id"}
    units = {"perception": [{**UNIT, "source_quote": None}], "knowledge": [], "rationale": None}
    nulls = {**nameless, "id": None, "units": units, "reference": {**FULL["reference"], "x": None}, "extra": None}
    for key in ("id", "key"):
        assert getattr(build_record(nulls), key) == getattr(build_record(nameless), key)
    assert build_record(nulls).units.keys() == {"perception", "knowledge"}
    assert build_record({"trace": "x", "units": None, "reference": None}).key == build_record({"trace": "x"}).key


# --- images ----------------------------------------------------------------------------------------------------------


def test_digests_stand_for_the_image() -> None:
    """The same picture at another place is the same question; without digests only the place is known."""
    digests = ["aa", "bb"]
    nameless = {key: FULL[key] for key in FULL if key != "id"}
    made = [build_record({**nameless, "image": image}, image_digests=digests) for image in ("a.png", ["b.png"], None)]
    assert len({record.key for record in made}) == len({record.id for record in made}) == 1
    assert [record.image for record in made] == ["a.png", ["b.png"], None]
    for other in (["aa"], ["bb", "aa"], ()):
        assert build_record(nameless, image_digests=other).key != made[0].key
        assert build_record(nameless, image_digests=other).id != made[0].id
    assert parse_record(json.dumps(nameless).encode(), image_digests=digests).key == made[0].key


def test_bytes_count_by_their_content_and_are_not_kept() -> None:
    """A judge that sends no images still sees that there is one, and a resume that it changed."""
    keys = set()
    for content in (b"\x89PNG", b"\x89GIF"):
        hashed = f"sha256:{hashlib.sha256(content).hexdigest()}"
        record = parse_record({**FULL, "image": {"bytes": content, "path": "a.png"}})
        assert record.image == {"bytes": hashed, "path": "a.png"}
        assert build_record({**FULL, "image": content}).image == hashed
        keys |= {record.key, build_record({**FULL, "image": [content]}).key}
    assert len(keys) == 4


def test_bytes_elsewhere_are_no_text() -> None:
    assert "line 7, question: is b'x' (bytes), must be a string." in str(refused({**FULL, "question": b"x"}))
    assert build_record({**FULL, "thumbnail": b"x"}).key != build_record({**FULL, "thumbnail": b"y"}).key


@QUICK
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_texts_come_through_unchanged(text: str) -> None:
    line = json.dumps({"trace": text, "question": text, "units": {"p": [{"unit_id": "a", "claim": text or "."}]}})
    record = parse_record(line.encode())
    assert (record.trace, record.question, record.units["p"][0].claim) == (text, text, text or ".")
