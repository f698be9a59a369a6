"""A tiny random model, made in a second and offline, and a step of a real trainer with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polars as pl

CLAIM = "The left wrist is broken."
UNITS = {"perception": [{"unit_id": "P1", "claim": CLAIM}]}
QUESTIONS = tuple(f"What does film {number} show ?" for number in range(8))
"""All different: the mean of a group is that of a question, and two groups of one question would be one."""
_WORDS = "film bone left right wrist lung heart is broken clear opaque old and of the small The a in no"
_END, _ROLE = "<end>", "<role>"
_TEMPLATE = (
    "{% for m in messages %}<role> {{ m['content'] }} <end> {% endfor %}"
    "{% if add_generation_prompt %}<role> {% endif %}"
)


def offline() -> None:
    """Nothing is fetched, and nothing is reported."""
    os.environ.update(
        {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    )


def make_tokenizer() -> Any:
    """A word is a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = dict.fromkeys([_END, _ROLE, *" ".join(QUESTIONS).split(), *_WORDS.split(), *CLAIM.split()])
    whole = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=_END))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, eos_token=_END, pad_token=_END)
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def make_model(tokenizer: Any, seed: int = 0) -> Any:
    """A Qwen2 with random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), **shape, **heads, **ends))


def dataset(*, chat: bool = False) -> Any:
    """Questions with their units."""
    from datasets import Dataset

    prompts = [[{"role": "user", "content": question}] if chat else question for question in QUESTIONS]
    return Dataset.from_list([{"prompt": prompt, "units": UNITS, "source": "film"} for prompt in prompts])


def arguments(folder: Path, **more: Any) -> dict[str, Any]:
    """Of a run of two steps, each of two groups of four, that writes down every completion."""
    return {
        "output_dir": str(folder),
        "max_steps": 2,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 8,
        "logging_steps": 1,
        "log_completions": True,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "seed": 0,
        **more,
    }


def grpo(reward: Any, folder: Path, *, chat: bool = False, **more: Any) -> Any:
    """A trainer that is ready to go; `reward` may be several."""
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = make_tokenizer()
    return GRPOTrainer(
        model=make_model(tokenizer),
        processing_class=tokenizer,
        reward_funcs=reward,
        train_dataset=dataset(chat=chat),
        args=GRPOConfig(**arguments(folder, **more)),
    )


def completions(folder: Path) -> pl.DataFrame:
    """All that was generated, with its rewards and what judge told of them, in the order of the steps."""
    return pl.concat([pl.read_parquet(path) for path in sorted((folder / "completions").glob("*.parquet"))])


def steps(trainer: Any) -> list[dict[str, float]]:
    """What was logged of each step."""
    return [logged for logged in trainer.state.log_history if "reward" in logged]
