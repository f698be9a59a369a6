"""OpenRLHF's door: a sync function of a file, one sample at a time in a thread, lists of numbers."""

import importlib.util
import inspect
import json
import math
import pickle

import pytest
from trainer_kit import CLAIM, DOWN, PROMPT, QUESTION, RIGHT, UNITS, asked_of, in_threads, named, noting

from judge.errors import ConfigError, RewardError
from judge.rewards import openrlhf
from judge.rewards.openrlhf import answer, reward_func, rows_of_query
from judge.rewards.options import build_rewarder
from judge.testing import Server

LABEL = {"units": UNITS}


def rewarded(completion=RIGHT, label=LABEL):
    return reward_func([f"{PROMPT}{completion}<|im_end|>"], [PROMPT], [label])


def test_openrlhf_loads_the_file_and_calls_it_by_place(monkeypatch, tmp_path):
    """As `SingleTurnAgentExecutor` does."""
    named(monkeypatch, tmp_path)
    spec = importlib.util.spec_from_file_location("reward_func", openrlhf.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not inspect.iscoroutinefunction(module.reward_func)
    assert module.reward_func([PROMPT + RIGHT], [PROMPT], [LABEL])["rewards"] == [1.0]
    assert pickle.loads(pickle.dumps(reward_func)) is reward_func


def test_rows():
    rows = rows_of_query(
        [f"{PROMPT}<think>Bones.</think>{RIGHT}<|im_end|>", f"{PROMPT}B</s>"],
        [PROMPT, PROMPT],
        [json.dumps({**LABEL, "question": "Left or right?"}), "left"],
    )
    assert rows == [
        {"question": "Left or right?", "units": UNITS, "trace": f"<think>Bones.</think>{RIGHT}"},
        {"question": QUESTION, "reference": {"answer": "left"}, "trace": "B"},
    ]


@pytest.mark.parametrize(
    ("label", "fields"),
    [
        ("left", {"reference": {"answer": "left"}}),
        ("{1, 2}", {"reference": {"answer": "{1, 2}"}}),
        (42, {"reference": {"answer": "42"}}),
        ("", {}),
        (None, {}),
        ({"reference": {"answer": "left"}, "context": None}, {"reference": {"answer": "left"}}),
    ],
)
def test_labels(label, fields):
    assert rows_of_query([PROMPT + RIGHT], [PROMPT], [label]) == [{"question": QUESTION, "trace": RIGHT, **fields}]


def test_what_the_judge_is_told(monkeypatch, tmp_path):
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        rewarded()
    [ask] = asks
    assert ask.trace == RIGHT and [unit.claim for unit in ask.units] == [CLAIM]
    assert QUESTION in json.dumps(ask.body) and "im_start" not in json.dumps(ask.body)


def test_the_answer(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path, weights={"perception": 3, "answer": 1})
    found = rewarded(RIGHT, {**LABEL, "reference": {"answer": "right"}})
    assert found["rewards"] == found["scores"] == [0.75]
    assert found["extra_logs"]["part/perception"] == [0.75] and found["extra_logs"]["failed"] == [0.0]


def test_scores_are_between_0_and_1_whatever_the_rewards_are():
    """The first fails the gate and gets -1; OpenRLHF filters groups by the scores, in a range of 0 to 1."""
    rewarder = build_rewarder("lexical", gates=["format"], gated=-1.0)
    found = answer(rewarder.rewards(rows_of_query([PROMPT + RIGHT], [PROMPT], [LABEL])))
    assert found["rewards"] == [-1.0] and found["scores"] == [0.0]


def test_a_failure_has_the_same_names_and_is_not_0(monkeypatch, tmp_path):
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN))
        good = rewarded()
        server.always = 500
        failed = rewarded("Another film.")
    assert list(failed["extra_logs"]) == list(good["extra_logs"])
    assert failed["rewards"] == failed["scores"] == failed["extra_logs"]["part/settled"] == [0.5]
    assert failed["extra_logs"]["failed"] == [1.0]
    numbers = [value for each in (good, failed) for [value] in each["extra_logs"].values()]
    assert all(type(value) is float and math.isfinite(value) for value in numbers)
    json.dumps([good, failed], allow_nan=False)


def test_a_prompt_that_is_not_in_the_query_fails_and_is_not_judged_as_a_completion(monkeypatch, tmp_path):
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        found = reward_func(["Quite another prompt, and " + RIGHT], [PROMPT], [LABEL])
    assert not asks and found["extra_logs"]["failed"] == [1.0]


def test_no_file_is_named(monkeypatch, caplog):
    """OpenRLHF writes an exception to its log as information, and ends later: so it is an error in ours."""
    monkeypatch.delenv("JUDGE_REWARD", raising=False)
    with pytest.raises(ConfigError, match="JUDGE_REWARD is not set"):
        rewarded()
    assert [(each.levelname, "JUDGE_REWARD" in each.message) for each in caplog.records] == [("ERROR", True)]


@pytest.mark.parametrize("policy", ["none", "group_mean", "drop_group"])
def test_what_openrlhf_cannot_do_is_refused(monkeypatch, tmp_path, policy):
    named(monkeypatch, tmp_path, on_failure=policy)
    with pytest.raises(ConfigError, match="this trainer allows: constant, raise"):
        rewarded()


def test_a_null_is_never_a_number():
    batch = build_rewarder("lexical", on_failure="none").rewards([{"trace": "No units."}])
    assert batch.values == [None]
    with pytest.raises(RewardError, match="1 of 1 rewards are null"):
        answer(batch)


def test_nothing_asked(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    assert reward_func([], [], []) == {"rewards": [], "scores": [], "extra_logs": {}}


def test_in_threads_without_a_loop(monkeypatch, tmp_path):
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        assert [found["rewards"] for found in in_threads(rewarded)] == [[1.0]] * 8
