"""verl's own reward loop asks for our rewards: its configuration, its workers (Ray actors), and how it gathers them."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest
from shared_kit import DOWN, QUESTION, RIGHT, UNITS, asked_of

from judge.testing import Server

pytest.importorskip("verl", reason="verl is not installed: tests/trainers/requirements-others.txt")
pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]

SCRIPT = Path(__file__).parents[2] / "examples" / "training" / "verl.sh"
SAID = [RIGHT, "Nothing to be seen.", "Another film."]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """A folder with the tokenizer of a policy."""
    from tokens_kit import make_tokenizer

    folder = tmp_path_factory.mktemp("policy")
    make_tokenizer(*SAID).save_pretrained(folder)
    return folder


@pytest.fixture
def cluster():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def settings_of_script():
    """What the example gives to verl, one `name=value` each."""
    text = re.sub(r"\\\n", " ", SCRIPT.read_text(encoding="utf-8"))
    line = next(line for line in text.splitlines() if line.startswith("python -m verl"))
    filled = (
        line.replace("$DATA", "data").replace("$POLICY", "policy").replace("$JUDGE_API", "x").replace("$JUDGE", "y")
    )
    return shlex.split(filled)[3:]


def configured(policy, *settings):
    """verl's own configuration, of the example's settings and then these."""
    from hydra import compose, initialize_config_module

    own = {setting.lstrip("+").split("=", 1)[0] for setting in settings}
    kept = [given for given in settings_of_script() if given.lstrip("+").split("=", 1)[0] not in own]
    place = f"actor_rollout_ref.model.path={policy}"
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=[*(one for one in kept if "model.path" not in one), place, *settings])


def options(**given):
    """Settings that give these options to the reward function."""
    at = "+reward.custom_reward_function.reward_kwargs"
    return [f"{at}.{name}={value}" for name, value in given.items()]


def data_of(policy, infos, said=SAID):
    """What verl has after its rollouts: tokens, padded at their ends, and the columns of the data set."""
    import numpy as np
    import torch
    from transformers import AutoTokenizer
    from verl import DataProto

    tokenizer = AutoTokenizer.from_pretrained(policy)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] for text in said]
    most = max(map(len, ids))
    padded = [one + [tokenizer.pad_token_id] * (most - len(one)) for one in ids]
    mask = [[1, 1] + [1] * len(one) + [0] * (most - len(one)) for one in ids]
    columns = {
        "data_source": ["films"] * len(said),
        "reward_model": [{"ground_truth": "left"}] * len(said),
        "extra_info": infos,
        "__num_turns__": [2] * len(said),
    }
    return DataProto.from_dict(
        tensors={
            "prompts": torch.zeros((len(said), 2), dtype=torch.long),
            "responses": torch.tensor(padded),
            "attention_mask": torch.tensor(mask),
        },
        non_tensors={name: np.array(values, dtype=object) for name, values in columns.items()},
    )


def info(**more):
    return {"question": QUESTION, "units": UNITS, **more}


def test_the_example_is_a_configuration_of_verl(policy):
    config = configured(policy)
    given = config.reward.custom_reward_function.reward_kwargs
    assert config.reward.custom_reward_function.path == "pkg://judge.rewards.verl"
    assert given.weights.rationale == 2 and [*given.gates] == ["answer"] and given.on_failure == "constant"


def test_verl_finds_an_async_function(policy):
    """verl 0.9 asks `inspect.iscoroutinefunction` of what it has made of ours."""
    import inspect

    from verl.trainer.ppo.reward import get_custom_reward_fn

    assert inspect.iscoroutinefunction(get_custom_reward_fn(configured(policy)))


@pytest.mark.parametrize("manager", ["naive", "dapo", "gdpo"])
def test_a_worker_of_the_reward_loop(policy, manager):
    """What cannot be judged has the same names as the others, and numbers all through: verl goes by the first."""
    from verl.experimental.reward_loop.reward_loop import RewardLoopWorker

    with Server() as server:
        given = options(judge="hosted_vllm/m", api_base=server.api_base, gates="[]", weights="{perception: 1}")
        config = configured(policy, *given, f"reward.reward_manager.name={manager}")

        async def found():
            return await RewardLoopWorker(config, None).compute_score_batch(data_of(policy, [info(), info(), {}]))

        results = asyncio.run(found())
        assert server.ledger.requests == 2
    assert [one["reward_score"] for one in results] == [1.0, 0.0, 0.5]
    first, *others = [one["reward_extra_info"] for one in results]
    assert all(list(other) == list(first) for other in others)
    assert all(isinstance(value, float) for one in (first, *others) for value in one.values())


def test_equal_completions_in_one_worker_are_judged_once(policy):
    from verl.experimental.reward_loop.reward_loop import RewardLoopWorker

    with Server(latency_ms=100) as server:
        config = configured(policy, *options(**asked_of(server), gates="[]", weights="{perception: 1}"))
        data = data_of(policy, [info(index=at) for at in range(16)], [RIGHT] * 16)

        async def found():
            return await RewardLoopWorker(config, None).compute_score_batch(data)

        assert {one["reward_score"] for one in asyncio.run(found())} == {1.0}
        assert server.ledger.requests == 1


def test_actors_of_ray(policy, cluster):
    """`RewardLoopManager` shares the batch out to its workers, and makes columns of what comes back."""
    from verl.experimental.reward_loop.reward_loop import RewardLoopManager

    with Server() as server:
        given = options(**asked_of(server), gates="[]", weights="{perception: 1}")
        manager = RewardLoopManager(configured(policy, *given, "reward.num_workers=2"))
        data = data_of(policy, [info(), info(), {}])
        scored = manager.compute_rm_score(data)
        assert scored.batch["rm_scores"].sum(dim=1).tolist() == [1.0, 0.0, 0.5]
        assert scored.non_tensor_batch["failed"].tolist() == [0.0, 0.0, 1.0]
        assert scored.non_tensor_batch["part/settled"].dtype == float


def test_a_judge_that_is_down_ends_the_run_and_names_the_reason(policy, cluster):
    """Twenty failures of twenty: verl gets the error, through Ray."""
    from verl.experimental.reward_loop.reward_loop import RewardLoopManager

    with Server(always=500) as server:
        given = options(**asked_of(server, **DOWN), gates="[]", weights="{perception: 1}")
        manager = RewardLoopManager(configured(policy, *given, "reward.num_workers=1"))
        data = data_of(policy, [info(question=f"Film {at}?") for at in range(20)], [RIGHT] * 20)
        with pytest.raises(Exception, match=r"(?s)20 of the last 20 judgements failed"):
            manager.compute_rm_score(data)
