"""verifiers' doors: a rollout from 0.4 on, a group before. tests/trainers has them with verifiers' own types."""

import asyncio
import inspect
import json
import pickle
from types import SimpleNamespace

import pytest
from trainer_kit import CLAIM, QUESTION, RIGHT, UNITS, asked_of, in_loops, in_one_loop, named, noting

from judge.errors import ConfigError, RewardError
from judge.rewards.verifiers import judge_reward, judge_rewards
from judge.testing import Server


class Model(SimpleNamespace):
    """As pydantic's models write themselves."""

    def model_dump(self):
        return {name: given.model_dump() if isinstance(given, Model) else given for name, given in vars(self).items()}


class Trace:
    def __init__(self, *said):
        self.assistant_messages = [
            Model(role="assistant", content=text, reasoning_content=thought) for text, thought in said
        ]
        self.metrics = {}

    def record_metrics(self, values):
        self.metrics |= values


def task(scoring=None, **fields):
    timeout = Model(setup=None, scoring=scoring)
    return Model(idx=1, prompt=QUESTION, image="docker/image", timeout=timeout, units=UNITS, **fields)


def trace(text=RIGHT):
    return Trace((text, None))


def test_they_are_found_by_name():
    for function in (judge_reward, judge_rewards):
        assert inspect.iscoroutinefunction(function) and pickle.loads(pickle.dumps(function)) is function
    assert list(inspect.signature(judge_reward).parameters) == ["task", "trace"]
    assert list(inspect.signature(judge_rewards).parameters) == ["prompts", "completions", "answers", "infos"]


def test_a_rollout(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path, weights={"perception": 1, "answer": 1})
    judged = trace(f"{RIGHT} <answer>left</answer>")
    assert asyncio.run(judge_reward(task(answer="left"), judged)) == 1.0
    assert judged.metrics["part/answer"] == judged.metrics["part/perception"] == 0.5
    assert asyncio.run(judge_reward(task(answer="left", reference={"answer": "right"}), trace(RIGHT))) == 0.5


def test_what_the_judge_is_told(monkeypatch, tmp_path):
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        asyncio.run(judge_reward(task(), Trace((None, "A step."), ("Zoom.", None), (RIGHT, None))))
    [ask] = asks
    assert ask.trace == f"A step.\n\nZoom.\n\n{RIGHT}" and [unit.claim for unit in ask.units] == [CLAIM]
    assert QUESTION in json.dumps(ask.body) and "docker" not in json.dumps(ask.body)


def test_a_failure_leaves_the_rollout_out(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    judged = trace()
    with pytest.raises(RewardError, match="1 of 1 judgements failed"):
        asyncio.run(judge_reward(Model(prompt=QUESTION), judged))
    assert judged.metrics == {}


def test_the_time_for_scoring_is_not_used_up(monkeypatch, tmp_path):
    """verifiers gives 0 when it is; so ours ends before it, and with an error."""
    with Server(always="black_hole") as server:
        named(monkeypatch, tmp_path, **asked_of(server))

        async def scored():
            async with asyncio.timeout(30):
                await judge_reward(task(scoring=0.5), trace())

        with pytest.raises(RewardError, match=r"not judged within 90% of the 0\.5 s"):
            asyncio.run(scored())


def test_a_group(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    said = [[{"role": "assistant", "content": RIGHT}], [Model(role="assistant", content="Nothing.")], "Nothing."]
    found = judge_rewards([QUESTION] * 3, said, ["left"] * 3, [{"units": UNITS}, json.dumps({"units": UNITS}), {}])
    assert asyncio.run(found) == [1.0, 0.0, 0.5]


def test_a_group_that_fails_as_a_whole(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    with pytest.raises(RewardError, match="all 2 judgements"):
        asyncio.run(judge_rewards(["Q"] * 2, [RIGHT] * 2, [""] * 2, [{}] * 2))


def test_a_policy_that_would_be_0_is_refused(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path, on_failure="raise")
    assert asyncio.run(judge_reward(task(), trace())) == 1.0
    with pytest.raises(ConfigError, match="this trainer allows: group_mean, constant"):
        asyncio.run(judge_rewards(["Q"], [RIGHT], [""], [{"units": UNITS}]))


@pytest.mark.parametrize("many", [in_loops, in_one_loop])
def test_in_any_loop(monkeypatch, tmp_path, many):
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        assert set(many(lambda: judge_reward(task(), trace()))) == {1.0}
        assert many(lambda: judge_rewards([QUESTION], [RIGHT], [""], [{"units": UNITS}]))[-1] == [1.0]
