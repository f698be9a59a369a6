"""The obedient judge as it is asked for units."""

from __future__ import annotations

import json
from typing import Any

from draft_kit import AXES, DARK, PRESSURE, RECORD, RETURN, TRACHEA

from judge.drafts.asking import DraftPrompt
from judge.prompt import JudgeModel
from judge.record import build_record
from judge.rubric import load_rubric
from judge.testing.ask import parse_ask
from judge.testing.drafts import write_units
from judge.testing.scripts import obedient


def bodies() -> list[dict[str, Any]]:
    prompt, record = DraftPrompt(load_rubric("pkr")), build_record({**RECORD, "trace": ""})
    asked = [each.request for each in prompt.build_requests(record, JudgeModel(name="m"))]
    return [
        {
            "messages": [{"role": "system", "content": one.system}, {"role": "user", "content": one.user}],
            "response_format": {"type": "json_schema", "json_schema": {"schema": json.loads(one.schema)}},
        }
        for one in asked
    ]


def test_each_sentence_goes_to_one_axis_in_turn() -> None:
    said = [obedient(parse_ask(body))["units"] for body in bodies()]
    quotes = [[unit["source_quote"] for unit in units] for units in said]  # type: ignore[attr-defined]
    assert len(quotes) == len(AXES)
    assert quotes == [[f"{DARK}.", f"So {RETURN}."], [f"{TRACHEA}."], [f"{PRESSURE}."]]


def test_a_unit_has_the_keys_that_are_asked_for() -> None:
    body = bodies()[0]
    schema = body["response_format"]["json_schema"]["schema"]["properties"]["units"]["items"]
    (unit, *_) = write_units(body)["units"]  # type: ignore[index, misc]
    assert list(unit) == schema["required"]
    assert unit["importance"] == "core"
    del schema["properties"]["importance"]
    assert "importance" not in write_units(body)["units"][0]  # type: ignore[index]


def test_any_other_request_is_left_alone() -> None:
    assert (
        write_units({"messages": [{"role": "user", "content": "Write the units of x, and of no other axis."}]}) is None
    )
    assert write_units({}) is None
    assert obedient(parse_ask({})) == {}
