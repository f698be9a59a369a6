"""Values that say the same have one hash, others have others."""

import hashlib
from datetime import date

import pytest

from judge.digest import digest, without_bytes

UNIT = {"unit_id": "a", "claim": "x"}


def test_a_digest_is_of_the_canonical_json() -> None:
    assert digest({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    "same",
    [
        {"b": [UNIT], "a": 1},
        {"a": 1, "b": [UNIT], "c": None},
        {"a": 1, "b": [{**UNIT, "topic": None}], "c": {"d": None, "e": {}}},
    ],
)
def test_nulls_and_order_say_nothing(same: dict) -> None:
    assert digest(same) == digest({"a": 1, "b": [UNIT]})


@pytest.mark.parametrize("other", [{"a": [None]}, {"a": []}, {"a": ""}, {"a": 0}, {"a": False}, {"a": [{}]}, {}])
def test_empty_values_are_not_missing(other: dict) -> None:
    every = [{"a": [None]}, {"a": []}, {"a": ""}, {"a": 0}, {"a": False}, {"a": [{}]}, {}]
    assert [digest(one) for one in every].count(digest(other)) == 1


def test_bytes_count_by_their_content() -> None:
    assert digest({"a": b"x"}) == digest({"a": f"sha256:{hashlib.sha256(b'x').hexdigest()}"}) != digest({"a": b"y"})


def test_an_image_is_shown_without_its_bytes() -> None:
    hashed = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
    assert without_bytes([{"bytes": b"x", "path": "a.png"}, "b.png"]) == [{"bytes": hashed, "path": "a.png"}, "b.png"]
    assert (without_bytes(None), without_bytes("a.png"), without_bytes(b"x")) == (None, "a.png", hashed)


@pytest.mark.parametrize("value", [{1, 2}, object(), {1: 2}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        digest({"a": value})


def test_what_is_too_deep_is_refused() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TypeError, match="Recursion limit"):
        digest({"a": deep})
    assert digest({"a": date(2026, 1, 2)}) == digest({"a": "2026-01-02"})
