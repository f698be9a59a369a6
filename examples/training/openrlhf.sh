#!/usr/bin/env bash
# REINFORCE++ with OpenRLHF 0.11, rewarded by judge. Wants a GPU, a policy, and a judge model that is served elsewhere.
#
# A line of the data set; the label is what the judge has to know beside the completion:
#
#   {"input": [{"role": "user", "content": "Where is the fracture?"}],
#    "label": {"question": "Where is the fracture?", "reference": {"answer": "In the left wrist."},
#              "units": {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}}}
#
# What to expect: the log shows `reward` and `score`, and the means of the parts that add up to the reward:
# part/perception, part/knowledge, part/rationale, part/answer, …, part/settled (what failures were given), and the shares
# `failed` and `gated`. "no reward: …" in the log of a worker says why a run ended.
#
# Over HTTP, for one queue and one budget of all workers, serve the same file and name the service instead:
#   --reward.remote_url http://127.0.0.1:8080/v1/reward/openrlhf
set -euo pipefail
DATA=${DATA:?JSON lines, see above}
POLICY=${POLICY:-Qwen/Qwen3-1.7B}
HERE=$(cd "$(dirname "$0")" && pwd)
export JUDGE_REWARD=${JUDGE_REWARD:-$HERE/reward.yaml}

python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path "$POLICY" \
  --data.prompt_dataset "$DATA" \
  --data.input_key input \
  --data.label_key label \
  --data.apply_chat_template \
  --data.max_len 3072 \
  --reward.remote_url "$HERE/openrlhf_reward.py" \
  --algo.advantage.estimator reinforce_baseline \
  --algo.kl.init_coef 1e-3 \
  --rollout.n_samples_per_prompt 8 \
  --rollout.batch_size 64 \
  --rollout.max_new_tokens 2048 \
  --train.batch_size 512 \
  --train.colocate_all \
  --vllm.num_engines 1 \
  --vllm.enable_sleep \
  --ds.enable_sleep \
  --ckpt.output_dir ./checkpoints
