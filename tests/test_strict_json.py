"""One strict JSON value, or an error whose code says what is wrong."""

import json
import math
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.strict_json import StrictJsonError, parse_json

QUICK = settings(max_examples=200)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def refused(source: bytes | str) -> StrictJsonError:
    with pytest.raises(StrictJsonError) as caught:
        parse_json(source)
    return caught.value


@QUICK
@given(VALUES, st.booleans())
def test_what_json_can_say_is_read_as_the_standard_library_reads_it(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    assert parse_json(text) == value
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        (b"", "json_truncated", "ends in the middle of a JSON value, at character 0"),
        (b'{"a": 1', "json_truncated", "at character 7"),
        (b'{"a": "x', "json_truncated", "at character 6"),
        # Cut inside a word, a number, an escape, a character: what was begun is nowhere finished.
        (b'{"a": tru', "json_truncated", "at character 6"),
        (b'{"a": nul', "json_truncated", "at character 6"),
        (b'{"a": fals', "json_truncated", "at character 6"),
        (b'{"a": -', "json_truncated", "at character 6"),
        (b'{"a": 1.', "json_truncated", "at character 7"),
        (b'{"a": 1e+', "json_truncated", "at character 7"),
        (b'{"a": "\\', "json_truncated", "at character 6"),
        (b'{"a": "\\u00e', "json_truncated", "at character 8"),
        (b'{"a": "\xe2\x80', "json_truncated", "in the middle of a character, at byte 7"),
        (b'{"a": true1}', "json_invalid", "Expecting ',' delimiter at character 10"),
        (b'{"a": "\\u00g0"}', "json_invalid", "escape at character 8"),
        (b"{'a': 1}", "json_invalid", "property name enclosed in double quotes at character 1"),
        (b'{"a": 1,}', "json_invalid", "at character 8"),
        (b'"a\tb"', "json_invalid", "Invalid control character at character 2"),
        (b'{"a": 1}{"b": 2}', "json_invalid", "a second JSON value at character 8"),
        # A no-break space is no white space of JSON: the value is whole, and something follows it.
        ("{}\u00a0".encode(), "json_invalid", "a second JSON value at character 2"),
        (b"01", "json_invalid", "a second JSON value at character 1"),
        (b"+1", "json_invalid", "Expecting value at character 0"),
        (b"\xef\xbb\xbf{}", "bom_inside", "begins with a byte-order mark"),
        (b'{"a": "\xff"}', "not_utf8", r"byte 7 (b'\xff') is not UTF-8"),
        (b'{"a": "\xe2\x80x"}', "not_utf8", r"byte 7 (b'\xe2') is not UTF-8"),
        (b"NaN", "non_finite", "has NaN"),
        (b"-Infinity", "non_finite", "has -Infinity"),
        (b"1e999", "non_finite", "has the number 1e999"),
        (b"-1E400", "non_finite", "has the number -1E400"),
        (b"1" * 19, "number_too_large", "a whole number of 19 digits; 18 fit"),
        (b"-" + b"1" * 19, "number_too_large", "a whole number of 19 digits; 18 fit"),
        (b"1" * 5000, "number_too_large", "a whole number of 5000 digits; 18 fit"),
        (b'"\\ud800"', "lone_surrogate", "half of a surrogate pair"),
        (b'"\\ud83d\\u0041"', "lone_surrogate", "half of a surrogate pair"),
        (b'{"\\uDC00": 1}', "lone_surrogate", "half of a surrogate pair"),
        ('"\ud800"', "lone_surrogate", "half of a surrogate pair"),
    ],
)
def test_anything_else_is_refused_with_its_reason(source: bytes | str, code: str, says: str) -> None:
    error = refused(source)
    assert (error.code, says in str(error)) == (code, True), str(error)


def test_the_largest_numbers_that_fit() -> None:
    assert parse_json("9" * 18) == 10**18 - 1
    assert parse_json("-" + "9" * 18) == -(10**18) + 1
    assert parse_json("1.7976931348623157e308") == 1.7976931348623157e308
    assert parse_json("1." + "0" * 6000) == 1.0


def test_minus_nought_is_nought() -> None:
    value = parse_json('{"a": -0}')["a"]
    assert isinstance(value, int)
    assert math.copysign(1, value) == 1


def test_a_whole_pair_of_surrogates_is_one_character() -> None:
    assert parse_json(rb'"\ud83d\ude00"') == "\N{GRINNING FACE}"


def test_where_the_surrogate_is() -> None:
    assert refused(rb'{"units": {"a": [{"claim": "x"}, {"claim": "\udfff"}]}}').field == "units.a[1].claim"


@pytest.mark.parametrize("source", [b'{"a":1,"b":2,"a":1}', b'[{"x":{"a":null,"a":{}}}]', b'{"a":1,"\\u0061":2}'])
def test_duplicate_keys_are_named(source: bytes) -> None:
    error = refused(source)
    assert (error.code, str(error), error.field) == ("duplicate_key", "has the key 'a' twice", "a")


def test_a_duplicate_key_can_go_into_a_table() -> None:
    """It is shown before surrogates are looked for, and may be as long as a line."""
    error = refused(b'{"%b\\ud800":1,"%b\\ud800":2}' % (b"k", b"k"))
    assert (error.code, error.field) == ("duplicate_key", "k\\ud800")
    long = b"k" * 1_000_000
    assert len(str(refused(b'{"%b":1,"%b":2}' % (long, long)))) < 100


def test_a_duplicate_among_many_keys_is_found_in_time() -> None:
    """200,000 keys: 2·10¹⁰ comparisons if each key is counted among the others, minutes; one pass takes 0.2 s."""
    source = "{" + ",".join(f'"k{index}":1' for index in range(200_000)) + ',"k199999":1}'
    begun = time.monotonic()
    assert refused(source).field == "k199999"
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("closed", [False, True])
def test_a_hundred_thousand_levels_are_too_deep(opening: bytes, closed: bool) -> None:
    closing = opening[::-1].translate(bytes.maketrans(b"[{", b"]}"), b'":a') if closed else b""
    assert refused(opening * 100_000 + b"1" * closed + closing * 100_000).code == "too_deep"


def test_no_depth_ends_in_a_recursion_error() -> None:
    """The search for surrogates goes down too, and needs more of the stack than the parser."""
    for depth in range(700, 1000):
        source = b"[" * depth + rb'"\ud800"' + b"]" * depth
        assert refused(source).code in ("too_deep", "lone_surrogate")


@QUICK
@given(VALUES, st.data())
def test_a_cut_object_is_truncated_wherever_it_is_cut(value: object, data: st.DataObject) -> None:
    whole = json.dumps({"k": value}, ensure_ascii=False).encode()
    cut = data.draw(st.integers(1, len(whole) - 1))
    assert refused(whole[:cut]).code == "json_truncated"


@settings(max_examples=500)
@given(st.binary(max_size=40) | st.text('{}[]":,0123456789.eE+-tfnulars\\ \u2028\ud800', max_size=30))
def test_no_input_raises_anything_else(source: bytes | str) -> None:
    with suppress(StrictJsonError):
        parse_json(source)
