"""A model's name -> its family, as far as names tell.

    hosted_vllm/Qwen/Qwen3-32B                    qwen
    deepseek-ai/DeepSeek-R1-Distill-Llama-8B      deepseek, llama
    azure/my-deployment                           nothing

A judge favours its own kind: a run says so where it judged that.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["families", "same_model"]

# Each stands after no letter or digit and before no letter: `phi` is not in `dolphin`, `llama` not in `ollama`.
_NAMES = {
    "gpt": r"gpt(?!-?(?:j|neox?|sw3)(?![a-z])|4all)|chatgpt",
    "claude": r"claude",
    "gemini": r"gemini|(?:med|tx|code|pali|shield|recurrent)?gemma|medgemini",
    "llama": r"(?:code|tiny|open)?llama",
    "qwen": r"(?:code)?qwen(?:vl|long)?|qwq|qvq",
    "mistral": r"(?:bio)?mistral(?:ai)?|mixtral|magistral|ministral|codestral|devstral|pixtral|voxtral",
    "deepseek": r"deepseek(?:coder|math|moe|vl)?",
    "phi": r"phi",
    "grok": r"grok",
    "glm": r"(?:chat|code)?glm",
    "kimi": r"kimi|moonshot",
    "command": r"command(?=-?(?:r|a|light|nightly|text)(?![a-z]))",
    "nova": r"nova(?=-(?:micro|lite|pro|premier))",
    "yi": r"yi(?=-(?:\d|coder|vl|large|medium|lightning|vision))",
    "internlm": r"internlm|internvl",
    "granite": r"granite",
    "nemotron": r"nemotron",
    "olmo": r"olmo|olmoe",
    "falcon": r"falcon",
    "ernie": r"ernie",
    "hunyuan": r"hunyuan",
    "minimax": r"minimax",
}
_FAMILIES = {family: re.compile(rf"(?<![a-z0-9])(?:{names})(?![a-z])") for family, names in _NAMES.items()}
# Others call theirs `marco-o1` and `huatuogpt-o1`: OpenAI's stand at the beginning.
_REASONERS = re.compile(r"(?:^|[/:]|openai[.-])o[134](?![a-z0-9])")
_DATE = re.compile(r"[-@]\d{4}-?\d{2}-?\d{2}(?!\d)")
_SELLER = re.compile(r"^(?:[a-z]{2,6}\.)?(?:anthropic|meta|amazon|cohere|mistral|deepseek|qwen|openai)\.")
_RELEASE = re.compile(r"-v\d+(?::\d+)?$|-latest$")


@cache
def families(name: str) -> frozenset[str]:
    """The families that a model's name speaks of; a distilled model may have two, an unknown one has none.

    Args:
        name: Of a model, with or without provider and owner, or the path of its folder.

    Examples:
        >>> sorted(families("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B")), sorted(families("dolphin-2.9"))
        (['deepseek', 'qwen'], [])
    """
    whole = _spelt(name)
    return _found_in(whole.rpartition("/")[2]) or _found_in(whole)


def same_model(one: str, other: str) -> bool:
    """Whether two names are one model's: provider, owner, date of a snapshot and spelling aside.

    Examples:
        >>> same_model("openai/gpt-4o", "gpt-4o-2024-08-06"), same_model("gpt-4o", "gpt-4o-mini")
        (True, False)
    """
    return _bare(one) == _bare(other)


def _found_in(text: str) -> frozenset[str]:
    found = {family for family, pattern in _FAMILIES.items() if pattern.search(text)}
    return frozenset(found | {"gpt"} if _REASONERS.search(text) else found)


def _spelt(name: str) -> str:
    return name.strip().rstrip("/").lower().replace("_", "-").replace(" ", "-")


def _bare(name: str) -> str:
    model = _SELLER.sub("", _spelt(name).rpartition("/")[2])
    model = _RELEASE.sub("", _DATE.sub("", _RELEASE.sub("", model)))
    return re.sub(r"[:.]", "-", model)
