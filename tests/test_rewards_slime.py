"""slime's door: a sample, or a group of them; and what its `remote_rm` posts and reads. slime itself is on no index."""

import asyncio
import inspect
import json
import pickle
from types import SimpleNamespace

import pytest
from trainer_kit import CLAIM, DOWN, PROMPT, QUESTION, RIGHT, UNITS, asked_of, in_loops, in_one_loop, named, noting

from judge.errors import ConfigError, RewardError
from judge.rewards.options import build_rewarder
from judge.rewards.slime import answer, rm, rows
from judge.testing import Server

ARGS = SimpleNamespace(reward_key=None)


def sample(response=RIGHT, *, prompt=PROMPT, label="left", metadata=None, group_index=0):
    """The fields of slime's `Sample` that are read, and some that are not."""
    given = {"units": UNITS} if metadata is None else metadata
    return SimpleNamespace(
        prompt=prompt, response=response, label=label, metadata=given, group_index=group_index, tokens=[1], index=3
    )


def rewarded(samples, args=ARGS):
    return asyncio.run(rm(args, samples))


def test_slime_loads_it_by_its_name():
    assert inspect.iscoroutinefunction(rm) and pickle.loads(pickle.dumps(rm)) is rm


def test_rows_of_what_is_posted():
    """`remote_rm` posts these three."""
    body = {"prompt": PROMPT, "response": f"{RIGHT}<|im_end|>", "label": json.dumps({"units": UNITS})}
    assert rows([body]) == [{"question": QUESTION, "units": UNITS, "trace": RIGHT}]
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": QUESTION}]
    assert rows([{"prompt": messages, "response": "B", "label": None}]) == [{"question": QUESTION, "trace": "B"}]


def test_metadata_go_before_the_label():
    [row] = rows([{"prompt": "Q", "response": "B", "label": "x", "metadata": {"reference": {"answer": "y"}}}])
    assert row == {"question": "Q", "reference": {"answer": "y"}, "trace": "B"}


def test_a_sample_and_a_group(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    assert rewarded(sample()) == 1.0
    assert rewarded([sample(), sample("Nothing.")]) == [1.0, 0.0]


def test_with_a_reward_key(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    found = rewarded([sample(), sample("Nothing.")], SimpleNamespace(reward_key="score"))
    assert [each["score"] for each in found] == [each["part/perception"] for each in found] == [1.0, 0.0]


def test_what_the_judge_is_told(monkeypatch, tmp_path):
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        rewarded(sample())
    assert asks[0].trace == RIGHT and [unit.claim for unit in asks[0].units] == [CLAIM]
    assert QUESTION in json.dumps(asks[0].body)


def test_a_failure_gets_the_mean_of_its_group(monkeypatch, tmp_path):
    """Two groups: of the first, 1 and 0 are known; of the second, 0."""
    named(monkeypatch, tmp_path)
    bad = {"units": None}
    group = [sample(), sample("Nothing."), sample(metadata=bad)]
    other = [sample("Nothing.", group_index=1), sample(metadata=bad, group_index=1)]
    assert rewarded([*group, *other]) == [1.0, 0.0, 0.5, 0.0, 0.0]


def test_a_failure_alone_is_not_0_and_has_the_same_names(monkeypatch, tmp_path):
    args = SimpleNamespace(reward_key="reward")
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN))
        good = rewarded(sample(), args)
        server.always = 500
        failed = rewarded(sample("Another film."), args)
    assert list(good) == list(failed)
    assert failed["reward"] == failed["part/settled"] == 0.5 and failed["failed"] == 1.0


def test_the_first_group_fails_as_a_whole(monkeypatch, tmp_path):
    """Later ones get the mean of what was: one number for all, which gives no advantage."""
    named(monkeypatch, tmp_path, max_failure_rate=1.0)
    bad = [sample(metadata={"units": None})] * 2
    with pytest.raises(RewardError, match="all 2 judgements of the first batch failed"):
        asyncio.run(rm(ARGS, bad))
    assert asyncio.run(rm(ARGS, [sample(), sample("Nothing."), sample("Film 3.")])) == [1.0, 0.0, 0.0]
    assert asyncio.run(rm(ARGS, bad)) == [pytest.approx(1 / 3)] * 2


def test_a_policy_for_groups_is_refused_for_samples(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path, on_failure="group_mean")
    assert rewarded([sample()]) == [1.0]
    with pytest.raises(ConfigError, match="this trainer allows: constant, raise"):
        rewarded(sample())


def test_an_answer_is_json():
    batch = build_rewarder("lexical", on_failure="constant").rewards(rows([{"response": "B"}]))
    assert json.dumps(answer(batch)) == "[0.5]"


@pytest.mark.parametrize("many", [in_loops, in_one_loop])
def test_in_any_loop(monkeypatch, tmp_path, many):
    with Server() as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        assert set(many(lambda: rm(ARGS, sample()))) == {1.0}
