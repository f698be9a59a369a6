from __future__ import annotations

import hashlib

import orjson
from hypothesis import given
from hypothesis import strategies as st

from judge.request_key import request_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n,[]'), max_size=12)
VALUE = st.none() | st.integers(0, 9) | TEXT | st.dictionaries(TEXT, st.integers(0, 9), max_size=3)


@given(st.lists(VALUE, min_size=1, max_size=3), TEXT, TEXT, TEXT, TEXT, st.lists(VALUE, min_size=1, max_size=3))
def test_a_key_is_the_hash_of_one_list(
    named: list[object], system: str, shared: str, own: str, schema: str, rest: list[object]
) -> None:
    """Stores are full of such keys: in one piece or in several, it is the same hash."""
    whole = orjson.dumps([*named, system, shared + own, schema, *rest], option=orjson.OPT_SORT_KEYS)
    assert request_key(named, system, (shared, own), schema, rest) == hashlib.sha256(whole).hexdigest()
