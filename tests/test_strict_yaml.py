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
