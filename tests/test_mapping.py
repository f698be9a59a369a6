"""Fields under other names are moved to ours; a word that cannot be meant is refused before anything is read."""

import pytest

from judge.errors import ConfigError
from judge.traces.mapping import field_at, move_fields, parse_map


def test_words_are_target_and_source() -> None:
    words = ["trace=response", " id = idx ", "reference.answer=gold", "units.perception=p_units", "options.A=a=b"]
    assert parse_map(words) == {
        "trace": "response",
        "id": "idx",
        "reference.answer": "gold",
        "units.perception": "p_units",
        "options.A": "a=b",
    }
    assert parse_map([]) == {}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trace"], "--map 'trace' is not of the form target=source, such as trace=response."),
        (["trace="], "is not of the form"),
        (["=response"], "is not of the form"),
        (
            ["trce=response"],
            "--map 'trce=response': a record has no field 'trce'; it has: id, question, options, image",
        ),
        (
            ["reference.gold=x"],
            "a record has no field 'reference.gold'; .*reference.answer, reference.reasoning, units.AXIS",
        ),
        (["units.=x"], "has no field 'units.'"),
        (["trace.text=x"], "has no field 'trace.text'"),
        (["meta=x"], "has no field 'meta'"),
        (["trace=a", "trace=b"], "--map 'trace=b': 'trace' is mapped already. Give each field one source."),
        (["reference.answer=a", "reference=b"], "'reference.answer' is mapped already"),
        (["units=a", "units.perception=b"], "'units' is mapped already"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace(".", r"\.").replace(r"\.*", ".*")):
        parse_map(words)


ROW = {"a": {"b": {"c": 1}, "d": [10, {"e": 2}]}, "x.y": 3, "x": {"y": 4}, "n": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.c", 1),
        ("a.d.0", 10),
        ("a.d.1.e", 2),
        ("x.y", 3),
        ("n", None),
        ("n.m", None),
        ("a.d.2", None),
        ("a.d.e", None),
    ],
)
def test_a_path_leads_into_objects_and_lists(path: str, value: object) -> None:
    assert field_at(ROW, path) == value


@pytest.mark.parametrize(
    ("row", "mapped", "moved"),
    [
        # Moved, not copied; what stands beside it stays.
        ({"response": "t", "cost": 1}, {"trace": "response"}, {"trace": "t", "cost": 1}),
        ({"out": {"text": "t", "n": 1}}, {"trace": "out.text"}, {"trace": "t", "out": {"n": 1}}),
        ({"out": {"text": "t"}}, {"trace": "out.text"}, {"trace": "t"}),
        ({"c": [{"text": "t"}, 5]}, {"trace": "c.0.text"}, {"trace": "t", "c": [{"text": "t"}, 5]}),
        ({"x.y": "t", "x": {"y": 4}}, {"trace": "x.y"}, {"trace": "t", "x": {"y": 4}}),
        # A target inside a field joins what is there.
        ({"gold": "A"}, {"reference.answer": "gold"}, {"reference": {"answer": "A"}}),
        (
            {"gold": "A", "reference": {"reasoning": "r", "answer": "old"}},
            {"reference.answer": "gold"},
            {"reference": {"reasoning": "r", "answer": "A"}},
        ),
        ({"p": [], "k": [1]}, {"units.p": "p", "units.k": "k"}, {"units": {"p": [], "k": [1]}}),
        # The mapped one goes before a field of that name; without it, that field holds.
        ({"trace": "old", "response": "t"}, {"trace": "response"}, {"trace": "t"}),
        ({"trace": "old"}, {"trace": "response"}, {"trace": "old"}),
        ({"trace": "old", "response": None}, {"trace": "response"}, {"trace": "old", "response": None}),
        ({"question": "t", "trace": "q"}, {"question": "trace", "trace": "question"}, {"question": "q", "trace": "t"}),
        ({"text": "t"}, {"trace": "text", "context": "text"}, {"trace": "t", "context": "t"}),
        ({"idx": 7}, {"id": "idx"}, {"id": 7}),
        ({"idx": True}, {"id": "idx"}, {"id": True}),
        ({"n": 7}, {"trace": "n"}, {"trace": 7}),
    ],
)
def test_fields_are_moved(row: dict, mapped: dict, moved: dict) -> None:
    before = repr(row)
    assert move_fields(row, mapped) == moved
    assert repr(row) == before
