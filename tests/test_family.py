"""Names of models, both ways: the families they speak of, and those that they only seem to."""

from __future__ import annotations

import pytest

from judge.cautions.family import families, same_model

NAMES = {
    "gpt": [
        *(
            "openai/gpt-5-mini",
            "azure/gpt-4o-2024-08-06",
            "gpt4o",
            "chatgpt-4o-latest",
            "gpt-oss-120b",
            "GPT-3.5 turbo",
        ),
        *("o1", "openai/o3-mini", "o4-mini-2025-04-16", "litellm/openai/o1-preview", "ft:gpt-4o-mini:org::id", "gpt2"),
        *("openai/openai.o3", "ft:o4-mini:org"),
    ],
    "claude": ["anthropic/claude-sonnet-4-5", "bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0", "Claude 3 Opus"],
    "gemini": ["gemini/gemini-2.5-pro", "vertex_ai/gemini-1.5-flash", "google/gemma-3-27b-it", "google/medgemma-27b"],
    "llama": [
        *("meta-llama/Llama-3.1-8B-Instruct", "fireworks_ai/accounts/fireworks/models/llama-v3p1-405b", "llama2"),
        *("codellama:13b", "TinyLlama-1.1B", "ollama/llama3.2", "/models/llama-sft/checkpoint-500/"),
    ],
    "qwen": ["hosted_vllm/Qwen/Qwen3-32B", "QwQ-32B", "Qwen/QVQ-72B-Preview", "qwen2.5-vl-7b", "dashscope/qwen-plus"],
    "mistral": [
        *("mistral/mistral-large-latest", "mistralai/Mixtral-8x7B", "magistral-medium", "Ministral-8B", "codestral"),
        *("cognitivecomputations/dolphin-2.5-mixtral-8x7b", "BioMistral-7B", "pixtral-12b"),
    ],
    "deepseek": ["deepseek/deepseek-chat", "deepseek-ai/DeepSeek-V3", "DeepSeekMath-7B"],
    "phi": ["microsoft/phi-4", "Phi-3.5-mini-instruct", "phi3:mini"],
    "grok": ["xai/grok-3", "grok3"],
    "glm": ["zai/glm-4.5", "THUDM/chatglm3-6b", "GLM-4V"],
    "kimi": ["moonshotai/Kimi-K2-Instruct", "moonshot/moonshot-v1-8k"],
    "command": ["cohere/command-r-plus", "CohereForAI/c4ai-command-r-v01", "command-a-03-2025", "command_r"],
    "nova": ["bedrock/amazon.nova-pro-v1:0", "nova-lite"],
    "yi": ["01-ai/Yi-34B", "Yi-1.5-9B-Chat", "yi-large"],
    "internlm": ["internlm/internlm2_5-7b-chat", "OpenGVLab/InternVL2-8B"],
}
NOBODYS = [
    *("dolphin", "dolphin-2.9", "sapphire-7b", "Phind-v2", "delphi", "foo1", "marco-o1", "HuatuoGPT-o1-7B", "turbo1"),
    *("BioGPT", "minigpt-4", "EleutherAI/gpt-j-6b", "gpt-neox-20b", "gpt-neo-2.7b", "gpt4all-13b", "openai/my-model"),
    *("ollama/my-own", "llamafile/any", "groq/any", "grokking-net", "supernova", "sambanova/any", "novita/any", "nova"),
    *(
        "tongyi",
        "yi",
        "yinyang-7b",
        "commander-7b",
        "command-line-net",
        "lexical",
        "any",
        "m",
        "",
        "azure/my-deployment",
    ),
    *(
        "cedar-70b",
        "willow-8b",
        "atlas-7b",
        "birch-13b",
        "claudette",
        "enigma-gem",
        "gemmary",
        "internal-vl",
        "o1x",
        "go3",
    ),
    *("aglm", "kimino", "qwerty", "mistralian-x", "philosopher-7b", "o2", "no4"),
]


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in NAMES.items() for name in names])
def test_a_name_tells_its_family_and_no_other(family: str, name: str) -> None:
    assert families(name) == {family}


@pytest.mark.parametrize("name", NOBODYS)
def test_no_false_alarm(name: str) -> None:
    assert families(name) == frozenset()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", {"deepseek", "qwen"}),
        ("deepseek-r1-distill-llama-70b", {"deepseek", "llama"}),
        ("nvidia/Llama-3.1-Nemotron-70B", {"llama", "nemotron"}),
        ("llama-lab/Qwen3-8B", {"qwen"}),  # the name of the model counts, and its owner's only where it says nothing
    ],
)
def test_a_name_may_speak_of_two(name: str, expected: set[str]) -> None:
    assert families(name) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("openai/gpt-5-mini", "gpt-5-mini"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
        ("hosted_vllm/Qwen/Qwen3-32B", "qwen3-32b"),
        ("hosted_vllm/Qwen/Qwen3-32B", "Qwen/Qwen3-32B/"),
        ("ollama/qwen3:32b", "Qwen3-32B"),
        ("anthropic/claude-3-5-sonnet-latest", "claude-3.5-sonnet-20240620"),
        ("bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet"),
    ],
)
def test_one_model_by_two_names(one: str, other: str) -> None:
    assert same_model(one, other)
    assert same_model(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-5", "gpt-5-mini"),
        ("Qwen3-32B", "Qwen3-32B-Instruct"),
        ("Qwen3-32B", "Qwen3-3B"),
        ("llama-3.1-8b", "llama-3.2-8b"),
        ("ft:gpt-4o-mini:org::id", "gpt-4o-mini"),
        ("m", "n"),
    ],
)
def test_two_models_by_like_names(one: str, other: str) -> None:
    assert not same_model(one, other)
    assert not same_model(other, one)
