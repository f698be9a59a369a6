"""Whatever a text of others holds, the YAML that we write of it reads back as the same, strictly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from judge.formats.yaml_text import yaml_text
from judge.strict_yaml import parse_yaml

MARKS = "ab:#-|>\n\t \"'{}[]&*!%@`\x85\u2028\x7f\ufeff"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.text(MARKS, max_size=12)
NUMBERS = st.integers(-(10**18) + 1, 10**18 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4) | st.lists(VALUES, min_size=1, max_size=4))
@example({"on": {"no": ["yes", "~", "null", "010", "12:30", "2001-01-01", "<<", "="]}})
@example({"a": "# no comment\n---\n...\n  indented\n\n- no list\n"})
@example({"a": ["x\n", "x\n\n", "\nx", " x\ny", "x\n \ny", "x\n ", "x\ty\nz", "\ty\nz"]})
@example({"a": [1e300, 1e-7, -0.0, 5.0, 1.5, 10**17]})
@example([[[], {}], [{"a": [{"b": {}}]}], [[1, [2, "x\ny"]]]])
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    read = parse_yaml(yaml_text(value)).value
    assert repr(read) == repr(value)  # 1, 1.0 and True are equal, and not the same


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"id": "c1", "text": "Says so."}, 'id: c1\ntext: "Says so."\n'),
        ({"a": "one\ntwo", "b": "three\n  four\n"}, "a: |-\n  one\n  two\nb: |\n  three\n    four\n"),
        ({"tags": ["axis:a", "b"]}, 'tags: ["axis:a", b]\n'),
        ({"a": [{"b": 1, "c": {"d": 2.0}}]}, "a:\n  - b: 1\n    c:\n      d: 2.0\n"),
        ({"a": "off", "b": "\u2028\u202e"}, 'a: "off"\nb: "\\u2028\\u202e"\n'),
    ],
)
def test_a_person_can_edit_it(value: Any, text: str) -> None:
    assert yaml_text(value) == text
