"""litellm and the OpenAI-compatible backend agree: same server, prompt and seed, same verdicts and the same cost."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from run_kit import make_records

from judge import Judge, Run
from judge.errors import ConfigError
from judge.judge_name import litellm_model
from judge.settings import Settings
from judge.testing import Server

needs_litellm = pytest.mark.skipif(
    find_spec("litellm") is None or find_spec("instructor") is None,
    reason="litellm and instructor are not installed: pip install 'rationale-judge[remote]'",
)
DIRECT = "openai/gpt-4o-mini"
COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "finish_reason", "attempts", "answered_by", "failure")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody-looks-at-it")


def scored(name: str, **options: Any) -> Run:
    """One call after the other, so that the server's prefix cache has the same hits both times."""
    with Server(script="sloppy", seed=5) as server:
        judge = Judge(name, api_base=server.api_base, concurrency=1, params={"seed": 7}, **options)
        with judge:
            run = judge.score(make_records(12, units=(1, 2, 3)))
        assert server.ledger.paid == len(run.calls)
        return run


@needs_litellm
@pytest.mark.parametrize(
    ("price", "a_million"),  # fresh, written, cached
    [(None, (0.15, 0.60, 0.075)), ((0.3, 1.2), (0.3, 1.2, 0.3)), ((0.3, 1.2, 0.01), (0.3, 1.2, 0.01))],
    ids=["litellm's", "given", "with cached"],
)
def test_both_ways_to_a_server_give_the_same_verdicts_and_the_same_bill(
    price: tuple[float, ...] | None, a_million: tuple[float, float, float]
) -> None:
    # Requests are the same but for the name of the judge, which is in no text and so not on the wire.
    ours, theirs = (scored(name, price=price, granularity="trace") for name in (DIRECT, f"litellm/{DIRECT}"))
    assert ours.verdicts.drop("judge", "call_id").equals(theirs.verdicts.drop("judge", "call_id"), null_equal=True)
    assert ours.scores.drop("judge").equals(theirs.scores.drop("judge"), null_equal=True)
    assert ours.scores["trace_score"].null_count() == 0
    assert ours.scores["judge"][0] != theirs.scores["judge"][0]
    assert ours.calls.select(COUNTS).equals(theirs.calls.select(COUNTS), null_equal=True)
    assert ours.calls["cached_tokens"].sum() > 0
    assert ours.calls["cost_usd"].null_count() == 0
    differences = (ours.calls["cost_usd"] - theirs.calls["cost_usd"]).abs()
    assert differences.max() <= 1e-12  # type: ignore[operator]
    read, written, cached = (ours.calls[name] for name in ("prompt_tokens", "completion_tokens", "cached_tokens"))
    usd = ((read - cached) * a_million[0] + written * a_million[1] + cached * a_million[2]) / 1e6
    assert (usd - ours.calls["cost_usd"]).abs().max() <= 1e-12  # type: ignore[operator]


@pytest.mark.parametrize(
    ("judge", "through"),
    [
        ("openai/gpt-4o-mini", None),
        ("hosted_vllm/org/m", None),
        ("litellm/openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("litellm/hosted_vllm/org/m", "hosted_vllm/org/m"),
        ("anthropic/claude", "anthropic/claude"),
        ("litellm/anthropic/claude", "anthropic/claude"),
    ],
)
def test_litellm_is_asked_where_its_name_stands_first(judge: str, through: str | None) -> None:
    assert litellm_model(judge) == through


def test_it_is_another_judge_at_the_same_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://127.0.0.1:8000/v1/")
    rubric = Judge("lexical")._settings.rubric
    direct, forced = (Settings(judge=name, rubric=rubric) for name in ("hosted_vllm/m", "litellm/hosted_vllm/m"))
    assert direct.api_base == forced.api_base == "http://127.0.0.1:8000/v1"
    assert direct.labels.judge != forced.labels.judge


@pytest.mark.parametrize("name", ["litellm", "litellm/", "litellm/openai", "litellm//m"])
def test_half_a_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no judge is called"):
        Judge(name)
