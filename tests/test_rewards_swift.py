"""ms-swift's door: an object that is made once and called in a new event loop each step, with columns by name."""

import asyncio
import pickle

import pytest
from trainer_kit import DOWN, QUESTION, RIGHT, UNITS, asked_of, in_loops, in_one_loop, named

from judge.errors import ConfigError
from judge.rewards.swift import JudgeORM
from judge.testing import Server


def called(orm, *completions, units=UNITS, prompt_id=None):
    """As `compute_rewards_per_func` calls it."""
    messages = [
        [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": completion}]
        for completion in completions
    ]
    return orm(
        [*completions],
        messages=messages,
        prompt_id=prompt_id or ["p"] * len(completions),
        request_id=[f"q{place}" for place in range(len(completions))],
        is_truncated=[False] * len(completions),
        units=[units] * len(completions) if isinstance(units, dict) else units,
        trainer_state=object(),
    )


def test_ms_swift_sees_that_it_is_async_and_can_send_it():
    orm = pickle.loads(pickle.dumps(JudgeORM(args="of ms-swift")))
    assert asyncio.iscoroutinefunction(type(orm).__call__) and orm.args == "of ms-swift"


def test_a_batch(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    assert asyncio.run(called(JudgeORM(), RIGHT, "Nothing.")) == [1.0, 0.0]


def test_a_failure_gets_the_mean_of_its_group(monkeypatch, tmp_path):
    """Group a: 1, 0 and a failure. Group b: 0 and a failure."""
    named(monkeypatch, tmp_path)
    units = [UNITS, UNITS, None, UNITS, None]
    said = (RIGHT, "Nothing.", "A", "Nothing.", "B")
    found = asyncio.run(called(JudgeORM(), *said, units=units, prompt_id=["a", "a", "a", "b", "b"]))
    assert found == [1.0, 0.0, 0.5, 0.0, 0.0]


def test_null_is_refused_as_ms_swift_takes_it_for_0(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path, on_failure="none")
    with pytest.raises(ConfigError, match="this trainer allows: group_mean, constant, raise"):
        asyncio.run(called(JudgeORM(), RIGHT))


def test_equal_completions_are_asked_once(monkeypatch, tmp_path):
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN))
        assert asyncio.run(called(JudgeORM(), *[RIGHT] * 16)) == [1.0] * 16
        assert server.ledger.requests == 1


@pytest.mark.parametrize("many", [in_loops, in_one_loop])
def test_in_any_loop(monkeypatch, tmp_path, many):
    orm = JudgeORM()
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        assert all(found == [1.0] for found in many(lambda: called(orm, RIGHT)))
