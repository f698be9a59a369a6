"""verl's door: one completion at a time, in the loop of a Ray actor, and numbers under the same names every time."""

import asyncio
import inspect
import itertools
import json
import math
import pickle

import pytest
from trainer_kit import CLAIM, DOWN, QUESTION, RIGHT, UNITS, asked_of, in_loops, in_one_loop, in_threads, named, noting

from judge.errors import ConfigError, RewardError
from judge.rewards.verl import compute_score
from judge.testing import Server


class Scalar:
    """What of numpy's scalars and arrays is read."""

    def __init__(self, value):
        self._value = value

    def tolist(self):
        return self._value


def called(solution=RIGHT, ground_truth="left", extra_info=None, **reward_kwargs):
    """As `NaiveRewardManager` calls it: all by name, and two more where verl serves a reward model."""
    info = {"question": QUESTION, "units": UNITS, "num_turns": 2, "rollout_reward_scores": {}}
    given = info if extra_info is None else extra_info
    return compute_score(
        data_source="film", solution_str=solution, ground_truth=ground_truth, extra_info=given, **reward_kwargs
    )


def score(*args, **kwargs):
    return asyncio.run(called(*args, **kwargs))


def test_verl_sees_that_it_is_async():
    assert inspect.iscoroutinefunction(compute_score)
    assert pickle.loads(pickle.dumps(compute_score)) is compute_score


def test_a_completion_by_keywords():
    assert score(judge="lexical")["score"] == 1.0
    assert score("Nothing to be seen.", judge="lexical")["score"] == 0.0


def test_a_completion_by_the_named_file(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    assert score()["score"] == 1.0


def test_a_reward_model_that_verl_serves_changes_nothing():
    found = score(judge="lexical", reward_router_address="127.0.0.1:1", reward_model_tokenizer=object())
    assert found == score(judge="lexical")


def test_what_the_judge_is_told():
    asks = []
    with Server(script=noting(asks)) as server:
        extra = {"prompt": [{"role": "user", "content": QUESTION}], "units": UNITS, "index": 7}
        score(extra_info=extra, **asked_of(server))
    [ask] = asks
    assert ask.trace == RIGHT and [unit.claim for unit in ask.units] == [CLAIM]
    assert QUESTION in json.dumps(ask.body)


@pytest.mark.parametrize(
    ("ground_truth", "extra"),
    [
        ("left", {}),
        ("right", {"reference": {"answer": "left"}}),
        ("left", {"reference": {"reasoning": "It is seen.", "answer": None}}),
        ("left", {"answer": "a whole solution, as of gsm8k"}),
        ({"reference": {"answer": "left"}}, {}),
        (json.dumps({"reference": {"answer": "left"}}), {"reference": None}),
    ],
)
def test_the_right_answer(ground_truth, extra):
    """`answer` weighs as much as perception, which is 1."""
    info = {"question": QUESTION, "units": UNITS, **extra}
    options = {"judge": "lexical", "weights": {"perception": 1, "answer": 1}}
    found = score(f"{RIGHT} <answer>left</answer>", ground_truth, info, **options)
    assert found["part/answer"] == 0.5 and found["score"] == 1.0
    assert score(f"{RIGHT} <answer>right</answer>", ground_truth, info, **options)["score"] == 0.5


def test_equal_completions_are_asked_once_whatever_verl_adds():
    """verl writes fields of its own into extra_info, some of them numbers of numpy's."""
    with Server(latency_ms=50) as server:
        places = itertools.count()

        def one():
            info = {"question": QUESTION, "units": UNITS, "index": next(places), "num_turns": Scalar(2)}
            return called(extra_info=info, **asked_of(server))

        found = in_one_loop(one, times=64)
        assert server.ledger.requests == 1
    assert {each["score"] for each in found} == {1.0}


def test_a_failure_has_the_same_names_and_is_not_0(tmp_path):
    with Server() as server:
        options = asked_of(server, **DOWN)
        good = score(**options)
        server.always = 500
        failed = score("Another film.", **options)
    assert list(failed) == list(good)
    assert failed["score"] == failed["part/settled"] == 0.5 and failed["failed"] == 1.0
    assert good["score"] == 1.0 and good["failed"] == good["part/settled"] == 0.0


def test_what_cannot_be_read_fails_as_well(caplog):
    failed = score(extra_info={"units": "none"}, judge="lexical")
    assert failed["failed"] == 1.0 and failed["score"] == 0.5
    assert "units" in caplog.text


@pytest.mark.parametrize("info", [None, {}])
def test_no_extra_info(info):
    assert asyncio.run(compute_score("film", RIGHT, "left", info, judge="lexical"))["failed"] == 1.0


def test_every_value_is_a_finite_number_and_the_parts_add_up():
    for solution in (RIGHT, "Nothing.", ""):
        found = score(solution, judge="lexical", gates=["format"], gated=-0.25)
        assert all(type(value) is float and math.isfinite(value) for value in found.values())
        parts = [value for name, value in found.items() if name.startswith("part/")]
        assert math.fsum(parts) == pytest.approx(found["score"])
        assert found["gated"] == 1.0 and found["score"] == -0.25


def test_the_constant_is_chosen():
    assert score(extra_info={}, judge="lexical", constant=0.25)["score"] == 0.25


def test_a_failure_may_end_the_run():
    with pytest.raises(RewardError, match="1 of 1 judgements failed"):
        score(extra_info={}, judge="lexical", on_failure="raise")


@pytest.mark.parametrize("policy", ["none", "group_mean", "drop_group"])
def test_what_verl_cannot_do_is_refused_before_anything_is_asked(policy):
    with pytest.raises(ConfigError, match=f"on_failure is '{policy}'; this trainer allows: constant, raise"):
        score(judge="lexical", on_failure=policy)


def test_an_outage_ends_the_run():
    one = {"extra_info": {}, "judge": "lexical", "constant": 0.75}
    assert [score(f"Film {place}", **one)["score"] for place in range(19)] == [0.75] * 19
    with pytest.raises(RewardError, match=r"20 of the last 20 judgements failed, .*no_units \(1\)"):
        score("Film 19", **one)


@pytest.mark.parametrize("many", [in_loops, in_one_loop])
def test_in_any_loop(many):
    with Server() as server:
        found = many(lambda: called(**asked_of(server)))
    assert {one["score"] for one in found} == {1.0} and len(found) >= 4


def test_in_threads_with_loops_of_their_own():
    with Server() as server:
        found = in_threads(lambda: score(**asked_of(server)))
    assert {one["score"] for one in found} == {1.0}
