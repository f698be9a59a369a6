"""The schema of a reply with bounds on its strings: what it allows, and what stays as it was."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from run_kit import make_request

from judge.backend import Reply
from judge.backends.reply_form import MOST_CHARACTERS, ReplyForm, bounded_schema, schema_for
from judge.probe import MAX_UNITS_PER_CALL
from judge.probe_prompt import _QUOTE_SCHEMA
from judge.prompt import reply_schema
from judge.settings import DEFAULT_PARAMS
from judge.words import parse_reply

jsonschema = pytest.importorskip("jsonschema")
TEXTS = st.text(max_size=MOST_CHARACTERS)
UNITS = st.fixed_dictionaries(
    {
        "evidence": st.none() | TEXTS,
        "reason": TEXTS,
        "presence": st.sampled_from([0, 1, 2]),
        "correctness": st.sampled_from([-1, 0, 1, None]),
    }
)
REPLIES = st.lists(UNITS, min_size=1, max_size=MAX_UNITS_PER_CALL)


def written(units: list[dict[str, Any]]) -> dict[str, Any]:
    return {f"u{place}": unit for place, unit in enumerate(units, 1)}


@given(REPLIES)
def test_every_reply_of_short_strings_is_allowed(units: list[dict[str, Any]]) -> None:
    schema = orjson.loads(bounded_schema(reply_schema(len(units), evidence=True)))
    jsonschema.validate(written(units), schema)


@pytest.mark.parametrize("key", ["evidence", "reason"])
def test_a_longer_string_is_not_allowed_and_is_read_all_the_same(key: str) -> None:
    unit = {"evidence": None, "reason": "", "presence": 0, "correctness": None, key: "x" * (MOST_CHARACTERS + 1)}
    reply, schema = written([unit]), reply_schema(1, evidence=True)
    jsonschema.validate(reply, orjson.loads(schema))
    with pytest.raises(jsonschema.ValidationError, match="is too long"):
        jsonschema.validate(reply, orjson.loads(bounded_schema(schema)))
    (words,) = parse_reply(Reply(text=orjson.dumps(reply).decode()), 1, evidence=True)
    assert getattr(words, key) == unit[key]


def test_nothing_but_the_bounds_is_new() -> None:
    schema = reply_schema(3, evidence=True)
    bound = f',"maxLength":{MOST_CHARACTERS}'
    assert bounded_schema(schema).replace(bound, "") == schema
    assert bounded_schema(schema).count(bound) == 6  # evidence and reason of three units
    assert bounded_schema(_QUOTE_SCHEMA).count(bound) == 1


def test_a_reply_of_strings_as_long_as_they_may_be_ends_before_the_usual_limit() -> None:
    unit = {"evidence": "x" * MOST_CHARACTERS, "reason": "x" * MOST_CHARACTERS, "presence": 2, "correctness": -1}
    characters = len(orjson.dumps(written([unit] * MAX_UNITS_PER_CALL)))
    assert characters / 4 < DEFAULT_PARAMS["max_tokens"]  # 4 characters a token


def test_a_bounded_ask_is_the_same_question() -> None:
    first = make_request()
    again = replace(first, ask=1)
    assert schema_for(again, bounds=True) != first.schema == schema_for(again, bounds=False)
    assert again.key == first.key


def test_a_refusal_of_something_else_changes_nothing() -> None:
    form, again = ReplyForm(bounds=True), replace(make_request(), ask=1)
    sent = orjson.loads(orjson.dumps(form.fields(again)))
    assert form.adapt("temperature must be at most 2", sent) == ""
    assert form.adapt("no grammar for you", {"messages": []}) == ""  # it had none
    assert orjson.loads(orjson.dumps(form.fields(again))) == sent
