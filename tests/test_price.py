"""A judge's name -> its price: litellm's own numbers, without litellm."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from judge import price as price_module
from judge.errors import ConfigError
from judge.price import ModelFacts, Price, build_price, find_facts, find_price, has_cache_marks, parse_price

needs_litellm = pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")
MINI = Price(prompt=0.15e-6, completion=0.6e-6, cached=0.075e-6)


def test_cost_is_tokens_times_price() -> None:
    # 60 fresh at 0.15, 40 cached at 0.075, 20 written at 0.6 dollars a million: 9 + 3 + 12 = 24 millionths
    assert MINI.cost_usd(100, 20, 40) == pytest.approx(24e-6, abs=1e-18)
    assert MINI.cost_usd(100, 20) == pytest.approx(27e-6, abs=1e-18)
    # without a price of their own, cached tokens cost as all others
    assert Price(prompt=0.15e-6, completion=0.6e-6).cost_usd(100, 20, 40) == pytest.approx(27e-6, abs=1e-18)
    assert MINI.cost_usd(10, 0, 99) == pytest.approx(10 * 0.075e-6, abs=1e-18)  # a server that says more than there are
    assert MINI.cost_usd(None, 20) is None
    assert MINI.cost_usd(100, None) is None


def test_what_is_kept_costs_a_quarter_more() -> None:
    # 10 fresh at 0.15, 50 kept at 0.1875, 40 found at 0.075, 20 written at 0.6: 1.5 + 9.375 + 3 + 12 millionths
    assert MINI.cost_usd(100, 20, 40, 50) == pytest.approx(25.875e-6, abs=1e-18)
    assert MINI.cost_usd(100, 20, 40, 99) == pytest.approx((60 * 0.1875 + 3 + 12) * 1e-6, abs=1e-18)
    # The most that a prompt may cost: all of it kept.
    assert MINI.storing().cost_usd(100, 20) == MINI.cost_usd(100, 20, 0, 100)
    longer = Price(prompt=1.0, completion=2.0, above=((100, Price(prompt=4.0, completion=4.0)),)).storing()
    assert longer.cost_usd(101, 1) == 101 * 5 + 4


@needs_litellm
def test_keeping_costs_the_same_for_all_who_are_told_to() -> None:
    marked = [entry for name, entry in price_module._read_map().items() if price_module._takes_marks(name, entry)]
    ratios = {round(entry["cache_creation_input_token_cost"] / entry["input_cost_per_token"], 9) for entry in marked}
    assert (ratios, len(marked) > 100) == ({1.25}, True)


@needs_litellm
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic/claude-sonnet-4-5", True),
        ("litellm/bedrock/anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("vertex_ai/claude-sonnet-4-5", True),
        ("hosted_vllm/claude-sonnet-4-5", False),  # another server, under its name
        ("openai/claude-sonnet-4-5", False),
        ("gemini/gemini-2.5-flash", False),
        ("anthropic/claude-of-tomorrow", False),
    ],
)
def test_who_is_told_what_to_keep(name: str, *, expected: bool) -> None:
    assert has_cache_marks(name) == expected


def test_a_long_prompt_costs_the_price_of_long_prompts() -> None:
    price = Price(prompt=1.0, completion=2.0, above=((100, Price(prompt=3.0, completion=4.0)),))
    assert price.cost_usd(100, 1) == 102
    assert price.cost_usd(101, 1) == 307  # all of it, not only what is above


def test_a_price_is_read_as_providers_print_it() -> None:
    assert parse_price("0.15,0.60,0.075") == build_price([0.15, 0.6, 0.075])
    assert parse_price("0.15, 0.60") == Price(prompt=0.15 / 1e6, completion=0.6 / 1e6)
    assert parse_price("0,0").cost_usd(5, 5) == 0


@pytest.mark.parametrize("text", ["", "1", "1,2,3,4", "1,x", "-1,2", "nan,1", "1,inf", "1;2"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"the price is .* it must be IN,OUT or IN,OUT,CACHED.* --price 0\.15,0\.60"):
        parse_price(text)


@needs_litellm
@pytest.mark.parametrize("name", ["openai/gpt-4o-mini", "litellm/openai/gpt-4o-mini", "azure/gpt-4o-mini"])
def test_a_name_is_found_as_litellm_finds_it(name: str) -> None:
    found = find_price(name)
    assert found is not None
    assert found.prompt > 0 and found.completion > found.prompt
    assert found.cached is not None and found.cached < found.prompt


@needs_litellm
def test_what_is_known_of_a_model() -> None:
    facts = find_facts("openai/gpt-4o-mini")
    assert (facts.max_input_tokens, facts.supports_vision) == (128_000, True)
    assert facts.price == MINI
    assert find_facts("gemini/gemini-2.5-flash").price is not None


@needs_litellm
@pytest.mark.parametrize(
    "name", ["hosted_vllm/gpt-4o-mini", "openai/nobody-knows-me", "anthropic/gpt-4o-mini", "lexical"]
)
def test_another_provider_may_serve_anything_under_a_known_name(name: str) -> None:
    assert find_facts(name) == ModelFacts()


@needs_litellm
def test_litellm_itself_is_never_imported() -> None:
    code = """
import sys
from judge.price import find_price
assert find_price("openai/gpt-4o-mini")
print("litellm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


@needs_litellm
def test_every_price_of_the_map_is_litellms_own() -> None:
    """Names, thresholds and cached tokens, against litellm's arithmetic, in a process of its own as it is slow."""
    code = """
import os; os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
from judge.price import find_price
import litellm
from litellm.types.utils import PromptTokensDetailsWrapper, Usage
for name in ("openai/gpt-4o-mini", "openai/o3", "openai/gpt-5.4", "gemini/gemini-2.5-pro", "deepseek/deepseek-chat",
             "anthropic/claude-sonnet-4-5", "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0"):
    price = find_price(name)
    assert price is not None, name
    for prompt, written, cached in ((1000, 200, 0), (1000, 200, 640), (300_000, 5000, 0), (300_000, 5000, 4096)):
        usage = Usage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written,
                      prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=cached))
        theirs = sum(litellm.cost_per_token(model=name, usage_object=usage))
        ours = price.cost_usd(prompt, written, cached)
        assert abs(ours - theirs) < 1e-12, (name, prompt, cached, ours, theirs)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class _Found:
    def __init__(self, folder: Path) -> None:
        self.submodule_search_locations = [str(folder)]


@pytest.mark.parametrize("content", [None, b"not json", b"[]", b'{"m": 5, "p/x": {"input_cost_per_token": "dear"}}'])
def test_another_litellm_means_unknown_prices(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / price_module._MAP).write_bytes(content)
    monkeypatch.setattr(price_module, "find_spec", lambda _: _Found(tmp_path))
    assert find_facts.__wrapped__("p/x") == ModelFacts()
    assert find_facts.__wrapped__("p/m") == ModelFacts()
    monkeypatch.setattr(price_module, "find_spec", lambda _: None)
    assert find_facts.__wrapped__("p/x") == ModelFacts()


def test_a_threshold_of_the_map_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"input_cost_per_token": 1, "output_cost_per_token": 2, "input_cost_per_token_above_200k_tokens": 3}
    (tmp_path / price_module._MAP).write_bytes(orjson.dumps({"p/x": entry}))
    monkeypatch.setattr(price_module, "find_spec", lambda _: _Found(tmp_path))
    found = find_facts.__wrapped__("p/x").price
    assert found == Price(prompt=1, completion=2, above=((200_000, Price(prompt=3, completion=2)),))
