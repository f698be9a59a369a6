"""NeMo-Gym's /verify: what is read of a body, and what is added to it. NeMo-Gym itself needs Python 3.13."""

import json
import math

import pytest
from trainer_kit import CLAIM, DOWN, QUESTION, RIGHT, UNITS, asked_of, noting

from judge.errors import RewardError
from judge.rewards.nemo_gym import answer, rows
from judge.rewards.options import build_rewarder
from judge.testing import Server

THOUGHT = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "A cortical step."}]}
CALL = {"type": "function_call", "name": "zoom", "arguments": "{}", "call_id": "c"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "left wrist, said the tool"}


def message(text, role="assistant"):
    return {"type": "message", "role": role, "content": [{"type": "output_text", "text": text, "annotations": []}]}


def body(*output, **more):
    asked = {"input": [{"role": "system", "content": "Be short."}, {"role": "user", "content": QUESTION}]}
    return {"responses_create_params": asked, "response": {"id": "r", "output": [*output]}, **more}


def verified(*bodies, **options):
    rewarder = build_rewarder(options.pop("judge", "lexical"), on_failure="constant", **options)
    return answer(bodies, rewarder.rewards(rows(bodies)))


def test_the_record_of_a_body():
    [row] = rows([body(message(RIGHT), units=UNITS, expected_answer="left", _ng_rollout_id="1", agent_ref={"a": 1})])
    trace = [{"role": "assistant", "content": [{"type": "output_text", "text": RIGHT, "annotations": []}]}]
    assert row == {"question": QUESTION, "units": UNITS, "reference": {"answer": "left"}, "trace": trace}


def test_the_judge_sees_what_the_candidate_wrote_and_not_what_it_was_told():
    asks = []
    output = (THOUGHT, CALL, RESULT, message("Move on.", role="user"), message(RIGHT))
    with Server(script=noting(asks)) as server:
        verified(body(*output, units=UNITS), **asked_of(server))
    assert asks[0].trace == f"A cortical step.\n\n{RIGHT}" and [unit.claim for unit in asks[0].units] == [CLAIM]
    assert QUESTION in json.dumps(asks[0].body)


@pytest.mark.parametrize(
    "question", ["Where?", [{"role": "user", "content": [{"type": "input_text", "text": "Where?"}]}]]
)
def test_the_question(question):
    given = body(message(RIGHT))
    given["responses_create_params"] = {"input": question}
    assert rows([given])[0]["question"] == "Where?"


def test_the_components_add_up():
    """NeMo-RL refuses components that do not add up to the reward."""
    options = {"weights": {"perception": 2, "answer": 1}, "length": {"free": 1, "most": 100, "cost": 0.3}}
    given = [body(message(RIGHT), units=UNITS, expected_answer="left"), body(message("No."), units=UNITS), body(CALL)]
    found = verified(*given, **options)
    assert len({tuple(each["reward_components"]) for each in found}) == 1
    for each in found:
        assert math.fsum(each["reward_components"].values()) == pytest.approx(each["reward"], rel=1e-9, abs=1e-12)
    assert found[0]["reward"] > found[1]["reward"]


def test_a_body_comes_back_with_its_reward():
    given = body(message(RIGHT), units=UNITS, uuid="u")
    [found] = verified(given)
    assert {name: found[name] for name in given} == given
    assert found["reward"] == 1.0 and found["mask_sample"] is False and "_ng_failure_class" not in found


def test_a_failure_is_masked_and_is_not_0():
    with Server(always=500) as server:
        [found] = verified(body(message(RIGHT), units=UNITS, instance_config={"kept": 1}), **asked_of(server, **DOWN))
    assert found["reward"] == found["reward_components"]["part/settled"] == 0.5
    assert found["mask_sample"] is True and found["instance_config"] == {"kept": 1, "mask_sample": True}
    assert found["_ng_failure_class"] == "judge_failed" and found["_ng_failure_judge_error"] == found["failure_reason"]
    assert "500" in found["failure_reason"]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("broken", [{}, {"response": None}, {"response": {"output": [None, 5]}, "units": UNITS}])
def test_a_body_that_says_nothing(broken):
    [found] = verified(broken)
    assert found["reward"] in (0.0, 0.5)


def test_a_null_is_never_a_number():
    given = [body(CALL)]
    batch = build_rewarder("lexical", on_failure="none").rewards(rows(given))
    with pytest.raises(RewardError, match="cannot leave a sample out"):
        answer(given, batch)
