"""A tiny language model with random weights learns to say what a rubric asks for: GRPO of TRL, on a CPU, in seconds.

    python examples/training/grpo_trl.py [--seed 0] [--steps 80]

Nothing is fetched: model and tokenizer are made here. The judge is `lexical`, which compares words; for a real run,
name a judge model in its place: make_reward("hosted_vllm/MODEL", api_base=…).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from statistics import fmean
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, ProgressCallback, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

from judge.rewards.trl import make_reward

FILMS = {
    "What does the film of the wrist show ?": {
        "perception": ["The radius is broken"],
        "knowledge": ["A cast holds the bone"],
    },
    "What does the film of the chest show ?": {
        "perception": ["The lung is opaque"],
        "knowledge": ["Pneumonia needs an antibiotic"],
    },
}
"""Question -> what a good answer says, by the axes of the rubric `pkr`."""
OTHER_WORDS = "heart skull tumour knee left right normal small large shadow surgery rest water aspirin old new of in ."
COLUMNS = ("reward", "perception", "knowledge", "failed")
END = "<end>"


def train(seed: int, steps: int) -> list[dict[str, float]]:
    """What TRL logged of each step."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # so small a model takes ten times as long where two cores have to wait for each other
    tokenizer = make_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=make_model(tokenizer),
            processing_class=tokenizer,
            reward_funcs=make_reward("lexical", rubric="pkr"),
            train_dataset=Dataset.from_list([row(question, units) for question, units in FILMS.items()] * 8),
            args=GRPOConfig(
                output_dir=folder,
                seed=seed,
                max_steps=steps,
                learning_rate=2e-3,
                lr_scheduler_type="constant",
                per_device_train_batch_size=64,
                num_generations=32,
                max_completion_length=12,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                bf16=False,
            ),
        )
        trainer.remove_callback(ProgressCallback)
        trainer.train()
    return [step for step in trainer.state.log_history if "judge/reward" in step]


def row(question: str, units: dict[str, list[str]]) -> dict[str, Any]:
    """A line of the data set: what the policy is asked, and what its answer is judged by."""
    numbered = {
        axis: [{"unit_id": f"{axis[0].upper()}{n}", "claim": claim} for n, claim in enumerate(claims, start=1)]
        for axis, claims in units.items()
    }
    return {"prompt": question, "units": numbered}


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A word is a token."""
    texts = [*FILMS, *(claim for units in FILMS.values() for claims in units.values() for claim in claims), OTHER_WORDS]
    words = dict.fromkeys([END, *" ".join(texts).split()])
    whole = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token=END))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=whole, eos_token=END, pad_token=END)


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Random weights."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=80)
    logged = train(**vars(parser.parse_args()))
    print("steps  ", *(f"{name:>10}" for name in COLUMNS))
    for start in range(0, len(logged), 10):
        told = logged[start : start + 10]
        means = [fmean(step[f"judge/{name}"] for step in told) for name in COLUMNS]
        print(f"{start + 1:>3}-{start + len(told):<3}", *(f"{mean:10.2f}" for mean in means))


if __name__ == "__main__":
    main()
