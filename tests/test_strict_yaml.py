"""What every YAML reader reads alike is read, with its place; all else is refused with its place."""

import pytest

from judge.strict_yaml import StrictYamlError, parse_yaml

TEXT = """\
judge: lexical
param:
  temperature: 0.7
  stop: [a, "no"]
quiet: no
limit: 5
"""

NO_TEXT = "a key must be text; words such as no, numbers and ~ need quotes, and << is not allowed"


def test_values():
    assert parse_yaml(TEXT).value == {
        "judge": "lexical",
        "param": {"temperature": 0.7, "stop": ["a", "no"]},
        "quiet": False,
        "limit": 5,
    }
    assert parse_yaml("").value is None
    assert parse_yaml("# nothing\n").value is None


@pytest.mark.parametrize(
    ("field", "place", "words"),
    [
        (("judge",), "1:8", "lexical"),
        (("param", "temperature"), "3:16", "0.7"),
        (("param", "stop", 1), "4:13", "no"),
        (("quiet",), "5:8", "no"),  # as written, where the value is False
        (("param",), "3:3", ""),
        (("param", "missing"), "3:3", ""),  # the nearest thing around it
        (("param", "stop", 7), "4:9", ""),
        ((), "1:1", ""),
    ],
)
def test_places_and_words(field, place, words):
    document = parse_yaml(TEXT)
    assert (document.place(field), document.words(field)) == (place, words)


def test_the_place_of_a_key():
    document = parse_yaml(TEXT)
    assert document.place_of_key("param") == "2:1"
    assert document.place_of_key("quiet") == "5:1"
    assert document.place_of_key("stop") == "1:1"  # not of the outermost mapping
    assert parse_yaml("").place_of_key("x") == "1:1"


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("a: &x 1\nb: *x", "2:4", "aliases (*name) are not allowed"),
        ("a: !!python/name:os.system 1", "1:4", "tags (!name) are not allowed"),
        ("a: 1\nb: 2\na: 3", "3:1", "the key 'a' stands here and on line 1"),
        ("no: 1", "1:1", f'{NO_TEXT}; write "no"'),
        ("on: qid", "1:1", f'{NO_TEXT}; write "on"'),
        ("a: 010", "1:4", "the number '010' must be a plain decimal one, or stand in quotes if it is text"),
        ("a: 12:30", "1:4", "the number '12:30' must be a plain decimal one, or stand in quotes if it is text"),
        ("a: 2026-01-02", "1:4", "the date '2026-01-02' must stand in quotes: no field is a date"),
        ("a: [1", "1:6", "expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: \x01", "2:4", "the character '\\x01' is not allowed in YAML"),
        ("[" * 3000, "1:1", "is nested too deeply to be read"),
    ],
)
def test_what_is_refused_and_where(text, place, problem):
    with pytest.raises(StrictYamlError) as caught:
        parse_yaml(text)
    assert (caught.value.place, caught.value.problem) == (place, problem)


FAULTY = """\
a: &x 1
a: 2
b: *x
no: {1: x, [k]: y}
c: !!int "3"
d: 12:30
e: 2026-01-02
<<: {f: 1}
g: !mine [1]
"""


def test_what_can_be_passed_over_is_gathered():
    faults = []
    document = parse_yaml(FAULTY, faults)
    assert sorted((fault.place, fault.code) for fault in faults) == [
        ("2:1", "duplicate"),
        ("3:4", "alias"),
        ("4:1", "key"),
        ("4:12", "key"),
        ("4:6", "key"),
        ("5:4", "tag"),
        ("6:4", "value"),
        ("7:4", "value"),
        ("8:1", "key"),
        ("9:4", "tag"),
    ]
    assert document.value == {
        "a": 1,
        "b": "*x",
        "no": {"1": "x"},
        "c": "3",
        "d": "12:30",
        "e": "2026-01-02",
        "<<": {"f": 1},
        "g": [1],
    }
    assert (document.place(("a",)), document.place(("no", "1"))) == ("1:4", "4:9")
    with pytest.raises(StrictYamlError, match="3:4: aliases") as caught:
        parse_yaml(FAULTY)
    assert caught.value.code == "alias"


def test_what_cannot_be_passed_over_is_raised_after_what_can():
    faults = []
    with pytest.raises(StrictYamlError) as caught:
        parse_yaml("a: *b\nc: [1", faults)
    assert [(fault.place, fault.code) for fault in faults] == [("1:4", "alias")]
    assert (caught.value.place, caught.value.code) == ("2:6", "syntax")


@pytest.mark.parametrize("text", [TEXT, "\ufeff" + TEXT, "# ü\n" + TEXT])
def test_where_a_field_is_written(text):
    document = parse_yaml(text)
    start, end = document.extent(("param", "stop"))
    assert text[start:end] == '[a, "no"]'
    start, end = document.extent(("judge",))
    assert text[start:end] == "lexical"
    assert parse_yaml("").extent(("judge",)) == (0, 0)
