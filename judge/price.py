"""A judge's name -> what its tokens cost, and what its model can take.

The numbers are litellm's own map of models, read as a file: importing litellm takes seconds.

    {"gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
                     "cache_read_input_token_cost": 7.5e-08, "max_input_tokens": 128000, "supports_vision": true}}
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import orjson

from judge.errors import ConfigError

__all__ = ["ModelFacts", "Price", "build_price", "find_facts", "find_price", "has_cache_marks", "parse_price"]

_MAP = "model_prices_and_context_window_backup.json"
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
_MILLION = 1e6
_MARKED = ("anthropic", "azure_ai", "bedrock", "bedrock_converse", "vertex_ai-anthropic_models")
_STORING = 1.25
"""What a prompt token costs that is kept for five minutes, in prices of one that is only read; at all of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What tokens cost, in USD a token.

    Attributes:
        prompt, completion: Of each token sent and written.
        cached: Of a prompt token that the server had already read; None where it costs the same as any other.
        above: Prices of longer prompts: all of a prompt of more than so many tokens costs that. Ascending.
    """

    prompt: float
    completion: float
    cached: float | None = None
    above: tuple[tuple[int, Price], ...] = ()

    def cost_usd(
        self,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cached_tokens: int | None = None,
        stored_tokens: int | None = None,
    ) -> float | None:
        """Cost of one reply; None where a count is missing.

        fresh · prompt + stored · 1.25 · prompt + cached · cached + written · completion

        Args:
            prompt_tokens: All tokens of the prompt, the cached ones among them.
            completion_tokens: Tokens written.
            cached_tokens: Of the prompt; None for none.
            stored_tokens: Of the rest of the prompt, those that the server was told to keep; None for none.
        """
        if prompt_tokens is None or completion_tokens is None:
            return None
        price = self._of(prompt_tokens)
        cached = min(cached_tokens or 0, prompt_tokens)
        stored = min(stored_tokens or 0, prompt_tokens - cached)
        cached_usd = cached * (price.prompt if price.cached is None else price.cached)
        read_usd = (prompt_tokens - cached + (_STORING - 1) * stored) * price.prompt
        return read_usd + cached_usd + completion_tokens * price.completion

    def storing(self) -> Price:
        """The prices where every prompt is kept, all of it: the most that a call may cost."""
        longer = tuple((tokens, price.storing()) for tokens, price in self.above)
        return replace(self, prompt=_STORING * self.prompt, above=longer)

    def _of(self, prompt_tokens: int) -> Price:
        longest = [price for tokens, price in self.above if prompt_tokens > tokens]
        return longest[-1] if longest else self


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of a model; None is unknown.

    Attributes:
        price: What its tokens cost.
        max_input_tokens: The longest prompt that it takes.
        supports_vision: Whether it sees images.
        cache_marks: Its provider keeps the beginning of a prompt where a mark in the request tells it to.
    """

    price: Price | None = None
    max_input_tokens: int | None = None
    supports_vision: bool | None = None
    cache_marks: bool = False


def find_price(judge: str) -> Price | None:
    """What a judge's tokens cost, where litellm's map says so.

    Args:
        judge: `provider/model`, as litellm names it, or `litellm/provider/model`.

    Returns:
        The price; None for a judge that the map does not know, and where litellm is not installed.
    """
    return find_facts(judge).price


def has_cache_marks(judge: str) -> bool:
    """Whether a judge's provider keeps the beginning of a prompt where a mark tells it to; others must not see one.

    Claude's do. Gemini's would keep a prompt by a request of its own, and for money by the hour; all others that keep
    prompts do so unasked.
    """
    return "claude" in judge and find_facts(judge).cache_marks  # else nothing is read


@lru_cache(maxsize=64)
def find_facts(judge: str) -> ModelFacts:
    """All that litellm's map says of a judge's model; nothing where it does not know it, or is not installed."""
    entry = _entry(judge.removeprefix("litellm/"))
    limit, vision = entry.get("max_input_tokens"), entry.get("supports_vision")
    return ModelFacts(
        price=_price(entry),
        max_input_tokens=limit if isinstance(limit, int) else None,
        supports_vision=vision if isinstance(vision, bool) else None,
        cache_marks=_takes_marks(judge, entry),
    )


def build_price(per_million: Sequence[float]) -> Price:
    """A price from USD a million tokens, as providers print it: prompt, completion, and cached prompt if it differs.

    Raises:
        ConfigError: Not two or three numbers, or one that is no amount of money.
    """
    usable = len(per_million) in (2, 3) and all(0 <= usd < math.inf for usd in per_million)
    if not usable:
        raise ConfigError(
            f"the price is {','.join(map(str, per_million))!r}; it must be IN,OUT or IN,OUT,CACHED, each 0 or more.",
            hint="Give USD a million tokens, such as --price 0.15,0.60 or --price 0.15,0.60,0.075",
        )
    prompt, completion, *cached = (usd / _MILLION for usd in per_million)
    return Price(prompt=prompt, completion=completion, cached=cached[0] if cached else None)


def parse_price(text: str) -> Price:
    """A price from the text `IN,OUT[,CACHED]`, in USD a million tokens.

    Raises:
        ConfigError: As `build_price`.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    try:
        return build_price(numbers)
    except ConfigError as exc:
        raise ConfigError(f"the price is {text!r}; it must be IN,OUT or IN,OUT,CACHED.", hint=exc.hint) from None


def _entry(name: str) -> Mapping[str, object]:
    """A model is listed under `provider/model` or, where it is that provider's, under its bare name."""
    models, (provider, _, model) = _read_map(), name.partition("/")
    whole, bare = models.get(name), models.get(model)
    if isinstance(whole, dict):
        return whole
    owner = str(bare.get("litellm_provider")) if isinstance(bare, dict) else ""
    # Such as bedrock_converse of bedrock; a server of one's own may serve any model under another's name.
    ours = owner == provider or owner.startswith((f"{provider}_", f"{provider}-"))
    return bare if isinstance(bare, dict) and ours else {}


def _read_map() -> Mapping[str, object]:
    """All models. Not kept: it is 4,000 of them, and a judge is one."""
    found = find_spec("litellm")  # looks for the package, and runs nothing of it
    for folder in (found and found.submodule_search_locations) or ():
        try:
            models = orjson.loads((Path(folder) / _MAP).read_bytes())
        except (OSError, orjson.JSONDecodeError):  # another version of litellm: prices are unknown
            continue
        if isinstance(models, dict):
            return models
    return {}


def _price(entry: Mapping[str, object]) -> Price | None:
    at = sorted(1000 * int(found[1]) for key in entry if (found := _ABOVE.fullmatch(key)))
    above = [(tokens, _price_at(entry, f"_above_{tokens // 1000}k_tokens")) for tokens in at]
    price = _price_at(entry, "")
    if price is None:
        return None
    known = tuple((tokens, longer) for tokens, longer in above if longer is not None)
    return Price(prompt=price.prompt, completion=price.completion, cached=price.cached, above=known)


def _price_at(entry: Mapping[str, object], length: str) -> Price | None:
    """Prices of prompts of one length; where a longer one has no price of its own, it costs what the others do."""
    prompt, completion, cached = (
        _usd(entry.get(f"{name}{length}", entry.get(name)))
        for name in ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    )
    if prompt is None or completion is None:
        return None
    return Price(prompt=prompt, completion=completion, cached=cached)


def _takes_marks(judge: str, entry: Mapping[str, object]) -> bool:
    known = "claude" in judge and entry.get("litellm_provider") in _MARKED
    return known and entry.get("supports_prompt_caching") is True


def _usd(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
