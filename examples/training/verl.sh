#!/usr/bin/env bash
# GRPO with verl 0.9, rewarded by judge. Wants a GPU, a policy, and a judge model that is served somewhere else.
#
# The data set has verl's columns; what the judge has to know beside the completion is in `extra_info`:
#
#   {"data_source": "films", "prompt": [{"role": "user", "content": "Where is the fracture?"}],
#    "reward_model": {"style": "rule", "ground_truth": "In the left wrist."},
#    "extra_info": {"question": "Where is the fracture?",
#                   "units": {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}}}
#
# What to expect: every line of the log has critic/score/mean, the mean reward, and each validation val-aux/films/NAME/…
# with the parts that add up to it: part/perception, part/knowledge, part/rationale, part/answer, …, part/settled (what
# failures were given), and the shares `failed` and `gated`. A step takes no longer than without a judge as long as the
# judge keeps up: verl scores each completion as soon as it is there.
set -euo pipefail
DATA=${DATA:?folder with train.parquet and test.parquet}
POLICY=${POLICY:-Qwen/Qwen3-1.7B}
JUDGE=${JUDGE:-hosted_vllm/Qwen/Qwen3-32B}
JUDGE_API=${JUDGE_API:-http://127.0.0.1:8000/v1}

# Each of the reward.num_workers processes asks by itself: they may have 4 x 32 calls in flight together.
python -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo \
  data.train_files="$DATA/train.parquet" \
  data.val_files="$DATA/test.parquet" \
  data.train_batch_size=64 \
  data.max_prompt_length=1024 \
  data.max_response_length=2048 \
  actor_rollout_ref.model.path="$POLICY" \
  actor_rollout_ref.actor.optim.lr=1e-6 \
  actor_rollout_ref.actor.ppo_mini_batch_size=64 \
  actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4 \
  actor_rollout_ref.rollout.name=vllm \
  actor_rollout_ref.rollout.n=8 \
  actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4 \
  actor_rollout_ref.rollout.gpu_memory_utilization=0.5 \
  reward.num_workers=4 \
  reward.custom_reward_function.path=pkg://judge.rewards.verl \
  reward.custom_reward_function.name=compute_score \
  +reward.custom_reward_function.reward_kwargs.judge="$JUDGE" \
  +reward.custom_reward_function.reward_kwargs.api_base="$JUDGE_API" \
  +reward.custom_reward_function.reward_kwargs.concurrency=32 \
  +reward.custom_reward_function.reward_kwargs.weights="{perception: 1, knowledge: 1, rationale: 2, answer: 1}" \
  +reward.custom_reward_function.reward_kwargs.gates="[answer]" \
  +reward.custom_reward_function.reward_kwargs.on_failure=constant \
  +reward.custom_reward_function.reward_kwargs.constant=0.5 \
  +reward.custom_reward_function.reward_kwargs.max_failure_rate=0.1 \
  +reward.custom_reward_function.reward_kwargs.deadline_s=120 \
  trainer.n_gpus_per_node=1 \
  trainer.nnodes=1 \
  trainer.total_epochs=1 \
  trainer.test_freq=10 \
  "trainer.logger=[console]"
