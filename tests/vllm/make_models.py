"""Tiny chat models with random weights, made in seconds and offline: python make_models.py text|vision FOLDER

They write nonsense, but of the form that is asked for, which is what a client of vLLM can be tested on. The tokenizer
is learnt from the texts of Python's own standard library, so that nothing has to be fetched or kept.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

SEED = 0
VOCABULARY = 4096
SPREAD = 0.2  # of the weights: with the usual 0.02 all tokens of so small a model are equally likely
SIDE, PATCH = 56, 14  # 16 tokens an image
END, PAD = "<|im_end|>", "<|endoftext|>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_text_model(folder: Path, *, hidden: int = 64, layers: int = 2, heads: int = 2, context: int = 8192) -> None:
    """A Qwen2 of this size; 0.3 million parameters as it is, 15 million with hidden=512, layers=6, heads=8."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = make_tokenizer()
    config = Qwen2Config(
        **_shape(tokenizer, hidden, layers, heads, context), tie_word_embeddings=True, initializer_range=SPREAD
    )
    _save(_random(Qwen2ForCausalLM, config), tokenizer, folder)


def make_vision_model(folder: Path) -> None:
    """A LLaVA: a CLIP tower before a Llama; 0.7 million parameters."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = make_tokenizer(image=True)
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    sees = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        projection_dim=64,
        initializer_range=SPREAD,
    )
    writes = LlamaConfig(**_shape(tokenizer, 64, 2, 2, 8192), head_dim=32, initializer_range=SPREAD)
    config = LlavaConfig(
        vision_config=sees,
        text_config=writes,
        image_token_index=image_token,
        image_seq_length=(SIDE // PATCH) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
        initializer_range=SPREAD,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        image_token="<image>",
        num_additional_image_tokens=1,
    )
    _save(_random(LlavaForConditionalGeneration, config), tokenizer, folder)
    processor.save_pretrained(folder)
    _rename_tower(folder / "model.safetensors")


def make_tokenizer(*, image: bool = False) -> Any:
    """Byte-level BPE; a digit is one token, alone and in a choice."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, "<|im_start|>", END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learnt.train_from_iterator(_texts(), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=learnt, eos_token=END, pad_token=PAD)
    tokenizer.chat_template = TEMPLATE
    if image:
        tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
        tokenizer.image_token = "<image>"
    return tokenizer


def _texts() -> list[str]:
    files = sorted(Path(os.__file__).parent.glob("*.py"))[:120]
    return [path.read_text(encoding="utf-8", errors="ignore")[:40_000] for path in files]


def _shape(tokenizer: Any, hidden: int, layers: int, heads: int, context: int) -> dict[str, Any]:
    return {
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 2),
        "max_position_embeddings": context,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _random(kind: Any, config: Any) -> Any:
    import torch

    torch.manual_seed(SEED)
    return kind(config).to(torch.bfloat16).eval()


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # A model's own sampling defaults: an engine that took them would answer otherwise at every ask.
    model.generation_config.update(do_sample=True, temperature=1.5, eos_token_id=tokenizer.eos_token_id)
    model.generation_config.save_pretrained(folder)


def _rename_tower(weights: Path) -> None:
    """The names that published checkpoints have, and that vLLM looks for; newer transformers save shorter ones."""
    from safetensors.torch import load_file, save_file

    short, long = "vision_tower.", "vision_tower.vision_model."
    tensors = load_file(weights)
    renamed = {
        name if name.startswith(long) else name.replace(short, long, 1): tensor for name, tensor in tensors.items()
    }
    save_file(renamed, weights, {"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("text", "vision"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    (make_text_model if given.kind == "text" else make_vision_model)(given.folder)


if __name__ == "__main__":
    main()
