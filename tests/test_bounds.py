"""What a server says of its reply can be kept, whatever it is."""

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.backends.bounds import as_count, as_object, as_text, with_whole_escapes

HALF = re.compile("[\ud800-\udfff]")
TEXTS = st.text(st.sampled_from('aé\U0001f600\\u"d83\ud83d\ude00\ufffd'))


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((0, 0), (7, 7), (2**40 - 1, 2**40 - 1)),
        *((value, None) for value in (-1, 2**40, 10**30, 1.0, True, "7", None, [1], {})),
    ],
)
def test_a_count_is_a_whole_number_that_can_be_one(value: object, count: int | None) -> None:
    assert as_count(value) == count


def test_what_is_no_object_and_no_text_is_as_good_as_none() -> None:
    assert [as_object(value) for value in ({"a": 1}, [1], "a", 5, None)] == [{"a": 1}, None, None, None, None]
    assert [as_text(value) for value in ("", 5, None, ["a"], b"a")] == ["", None, None, None, None]


@given(TEXTS)
def test_a_text_can_be_written_and_differs_in_nothing_but_halves(text: str) -> None:
    kept = as_text(text)
    assert kept is not None
    assert kept.encode().decode() == kept
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")  # pairs are joined
    assert kept == HALF.sub("\ufffd", whole)


@given(st.lists(TEXTS))
def test_json_with_halves_says_the_same_to_a_strict_parser(texts: list[str]) -> None:
    """The standard library writes them as escapes."""
    body = json.dumps(texts).encode()
    whole = with_whole_escapes(body)
    assert orjson.loads(whole) == [as_text(text) for text in texts]
    if not any(HALF.search(text) for text in texts):
        assert whole == body
