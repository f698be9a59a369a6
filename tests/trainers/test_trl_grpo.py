"""Real steps of TRL (GRPO, RLOO, online DPO) whose reward is judge: what they log, and what they do when it fails."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from trainers_kit import (
    CLAIM,
    QUESTIONS,
    UNITS,
    arguments,
    completions,
    dataset,
    grpo,
    make_model,
    make_tokenizer,
    steps,
)

from judge import Judge
from judge.content import has_content
from judge.errors import RewardError
from judge.rewards.trl import make_reward, make_sync_reward
from judge.testing import Server

pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]  # the warnings are of TRL's own code
ROOT = Path(__file__).parents[2]


def again(table: pl.DataFrame) -> list[float]:
    """The same completions, judged one by one by the library."""
    judge = Judge("lexical")
    texts = [text if isinstance(text, str) else text[0]["content"] for text in table["completion"].to_list()]
    return [judge.score([{"trace": text, "units": UNITS}]).scores["trace_score"].item() for text in texts]


@pytest.mark.parametrize("chat", [False, True], ids=["text", "conversation"])
def test_every_completion_gets_its_own_reward(tmp_path, chat):
    trainer = grpo(make_reward("lexical"), tmp_path, chat=chat)
    trainer.train()
    table = completions(tmp_path)
    assert table.height == 16
    assert table["judge_reward"].to_list() == pytest.approx(again(table))
    assert table["judge/perception"].to_list() == table["judge_reward"].to_list()
    assert table["judge/why"].to_list() == ["ok"] * 16
    assert len(set(table["judge_reward"].to_list())) > 1  # else equal rewards would prove nothing


def test_what_is_logged(tmp_path):
    trainer = grpo(make_reward("lexical"), tmp_path)
    trainer.train()
    table = completions(tmp_path)
    for number, step in enumerate(steps(trainer), start=1):
        of_step = table.filter(pl.col("step") == number)
        assert step["judge/reward"] == pytest.approx(of_step["judge_reward"].mean())
        assert step["rewards/judge_reward/mean"] == pytest.approx(step["judge/reward"])
        assert step["judge/perception"] == pytest.approx(step["judge/reward"])
        assert step["judge/failed"] == step["judge/gated"] == 0.0
        assert {"judge/zero_variance", "judge/contentless", "judge/identical", "judge/jump"} <= step.keys()


def test_against_a_server(tmp_path, server):
    trainer = grpo(make_reward("hosted_vllm/m", api_base=server.api_base), tmp_path)
    trainer.train()
    table = completions(tmp_path)
    asked = {(prompt, text) for prompt, text in table.select("prompt", "completion").rows() if has_content(text)}
    assert server.ledger.requests == len(asked)
    assert steps(trainer)[0]["judge/failed"] == 0.0


def test_beside_another_reward(tmp_path):
    def short(completions, **_):
        return [-0.01 * len(text) for text in completions]

    trainer = grpo([make_reward("lexical"), short], tmp_path)
    trainer.train()
    table = completions(tmp_path)
    assert table["judge_reward"].to_list() == pytest.approx(again(table))
    step = steps(trainer)[0]
    assert step["reward"] == pytest.approx(step["judge/reward"] + step["rewards/short/mean"], abs=1e-5)


def test_what_a_gate_stops_is_not_asked(tmp_path, server):
    reward = make_reward("hosted_vllm/m", api_base=server.api_base, gates=["format"], gated=-1.0)
    trainer = grpo(reward, tmp_path)
    trainer.train()
    assert server.ledger.requests == 0
    assert completions(tmp_path)["judge/why"].to_list() == ["format"] * 16
    assert steps(trainer)[0]["judge/gated"] == 1.0
    assert steps(trainer)[0]["reward"] == -1.0


# Where judging fails

FAILS = "wrist"
"""Enough completions of a random model have this word, and enough have not."""


@pytest.mark.parametrize("on_failure", ["group_mean", "none"])
def test_a_sample_that_fails_moves_nothing(tmp_path, on_failure):
    with Server(always="empty", only=FAILS) as server:
        options = {"on_failure": on_failure, "max_failure_rate": 1.0}
        trainer = grpo(make_reward("hosted_vllm/m", api_base=server.api_base, **options), tmp_path)
        trainer.train()
    table = completions(tmp_path)
    failed = table.filter(pl.col("judge/why") == "empty")
    assert 0 < failed.height < 16
    assert all(FAILS in text for text in failed["completion"])
    assert failed["advantage"].to_list() == pytest.approx([0.0] * failed.height, abs=1e-5)
    assert failed["judge_reward"].is_null().all() == (on_failure == "none")
    others = table.filter(pl.col("judge/why") == "ok")["advantage"].to_list()
    assert any(abs(advantage) > 0.1 for advantage in others)
    assert steps(trainer)[0]["judge/failed"] > 0


def weights(trainer):
    return {name: value.detach().clone() for name, value in trainer.model.named_parameters()}


def test_a_step_that_fails_as_a_whole_teaches_nothing_where_that_is_allowed(tmp_path):
    with Server(script="stubborn") as server:
        options = {"on_failure": "none", "max_failure_rate": 1.0}
        trainer = grpo(make_reward("hosted_vllm/m", api_base=server.api_base, **options), tmp_path)
        before = weights(trainer)
        trainer.train()
    assert all(before[name].equal(value) for name, value in weights(trainer).items())
    assert all(step["judge/failed"] > 0.8 for step in steps(trainer))  # what says nothing is not asked about


def test_weights_would_move_otherwise(tmp_path):
    trainer = grpo(make_reward("lexical"), tmp_path)
    before = weights(trainer)
    trainer.train()
    assert not all(before[name].equal(value) for name, value in weights(trainer).items())


def test_a_first_step_that_fails_as_a_whole_ends_training_with_the_reason(tmp_path):
    with Server(script="stubborn") as server, pytest.raises(RewardError, match=r"all 8 judgements .*not_json \(8\)"):
        grpo(make_reward("hosted_vllm/m", api_base=server.api_base), tmp_path).train()


def test_an_outage_ends_training(tmp_path):
    """It began well; then its provider is away, and a fifth of the last samples is soon reached."""
    with Server() as server:
        reward = make_reward("hosted_vllm/m", api_base=server.api_base, max_retries=0)
        trainer = grpo(reward, tmp_path, max_steps=40, learning_rate=0.0)
        trainer.add_callback(after(2, lambda: setattr(server, "always", 500)))
        with pytest.raises(RewardError, match=r"8 of the last 24 judgements failed, more than max_f"):
            trainer.train()
    assert trainer.state.global_step == 2


def after(step, do):
    from transformers import TrainerCallback

    class After(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == step:
                do()

    return After()


# Other trainers, and other ways in


def test_rloo(tmp_path):
    from trl import RLOOConfig, RLOOTrainer

    tokenizer = make_tokenizer()
    trainer = RLOOTrainer(
        model=make_model(tokenizer),
        processing_class=tokenizer,
        reward_funcs=make_reward("lexical"),
        train_dataset=dataset(),
        args=RLOOConfig(**arguments(tmp_path, beta=0.0)),
    )
    trainer.train()
    for step in steps(trainer):
        assert step["judge/failed"] == 0.0
        assert step["rewards/judge_reward/mean"] == pytest.approx(step["judge/reward"])
        assert step["judge/reward"] > 0


def test_online_dpo_awaits_nothing(tmp_path):
    from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

    tokenizer = make_tokenizer()
    own = {"num_generations", "max_completion_length", "log_completions"}
    given = {name: value for name, value in arguments(tmp_path).items() if name not in own}
    trainer = OnlineDPOTrainer(
        model=make_model(tokenizer),
        processing_class=tokenizer,
        reward_funcs=make_sync_reward("lexical"),
        train_dataset=dataset(),
        args=OnlineDPOConfig(**given, max_new_tokens=8),
    )
    trainer.train()
    assert trainer.state.global_step == 2


def test_async_grpo_scores_groups_in_a_process_of_its_own(server):
    """The scoring of its real worker, one group at a time; what generates would need a server with a GPU."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    reward = make_reward("hosted_vllm/m", api_base=server.api_base)
    child = context.Process(target=score_groups, args=(reward, results))
    child.start()
    assert results.get(timeout=120) == [[(1.0, 1.0), (0.0, -1.0)]] * 3
    child.join()
    assert child.exitcode == 0
    results.close()
    results.join_thread()


def score_groups(reward, results):
    from accelerate import PartialState
    from trl.experimental.async_grpo.async_rollout_worker import RolloutGroup, TrainingSequence, _AsyncRolloutLoop
    from trl.trainer.utils import get_callable_name, is_async_callable

    PartialState(cpu=True)  # TRL logs through it
    assert is_async_callable(reward)
    own = {"reward_funcs": [reward], "reward_func_names": [get_callable_name(reward)], "_env_reward_types": []}
    loop = SimpleNamespace(**own, _provides_rollout_reward=False)
    row = TrainingSequence(input_ids=[1, 2], completion_mask=[0, 1], old_log_probs=[0.0, 0.0], rollout_id=0)
    group = RolloutGroup(
        prompts=[[{"role": "user", "content": QUESTIONS[0]}]] * 2,
        reward_kwargs={"units": [UNITS] * 2},
        completions=[[{"role": "assistant", "content": text}] for text in (CLAIM, "The lungs are clear.")],
        completions_ids=[[2]] * 2,
        completions_sequences=[[row]] * 2,
        tool_call_counts=[0, 0],
        tool_failure_counts=[0, 0],
        model_version=0,
        group_id=0,
        env_rewards=[None, None],
        rollout_rewards=[None, None],
    )

    async def score():
        return [await _AsyncRolloutLoop._score_group(loop, group) for _ in range(3)]

    names = [[*one.metrics][-1] for samples in asyncio.run(score()) for one in samples]
    assert set(names) == {"rewards/judge_reward"}
    results.put(
        [[(one.metrics["reward"], round(one.advantage, 3)) for one in samples] for samples in asyncio.run(score())]
    )


def test_the_command_of_trl_finds_it_by_its_path(tmp_path):
    model, data, out = tmp_path / "model", tmp_path / "data", tmp_path / "out"
    tokenizer = make_tokenizer()
    make_model(tokenizer).save_pretrained(model)
    tokenizer.save_pretrained(model)
    data.mkdir()
    dataset().to_json(data / "train.jsonl")
    (tmp_path / "reward.yaml").write_text("judge: lexical\nround_to: 0.25\n")
    given = {"model_name_or_path": model, "dataset_name": data, **arguments(out)}
    words = ["--reward_funcs", "judge.rewards.trl.reward"]
    words += [word for name, value in given.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "JUDGE_REWARD": str(tmp_path / "reward.yaml"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "trl.scripts.grpo", *words]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    table = completions(out)
    assert table["reward"].to_list() == pytest.approx([round(value / 0.25) * 0.25 for value in again(table)])
