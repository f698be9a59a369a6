"""Who answers under a judge's name."""

from __future__ import annotations

import pytest

from judge.judge_name import address_of, litellm_model, plugin_of, usual_concurrency


@pytest.mark.parametrize(
    ("judge", "model", "calls"),
    [
        ("hosted_vllm/org/m", None, 64),
        ("openai/m", None, 64),
        ("vllm/org/m", None, 256),
        ("vllm", None, 64),
        ("litellm/openai/m", "openai/m", 64),
        ("anthropic/m", "anthropic/m", 64),
    ],
)
def test_who_is_asked_through_litellm_and_how_often_at_a_time(judge: str, model: str | None, calls: int) -> None:
    assert litellm_model(judge) == model
    assert usual_concurrency(judge) == calls


@pytest.mark.parametrize(
    ("judge", "given", "address"),
    [
        ("openai/m", None, "https://api.openai.com/v1"),
        ("litellm/openai/m", None, "https://api.openai.com/v1"),
        ("openai/m", "http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1"),
        ("hosted_vllm/m", None, "http://there/v1"),
        ("hosted_vllm/m", "http://here/v1", "http://here/v1"),
        ("anthropic/m", None, None),
        ("vllm/m", None, None),
        ("vllm/m", "http://here/v1/", "http://here/v1/"),  # as it was given, to be refused so
        ("lexical", "http://here/v1", None),
        ("ümlaut/m", None, None),
    ],
)
def test_the_address_of_a_judge(
    judge: str, given: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://there/v1/")
    monkeypatch.setenv("VLLM_API_BASE", "http://engine/v1")
    monkeypatch.delenv("OPENAI_API_BASE", raising=False)
    assert address_of(judge, given) == address


@pytest.mark.parametrize("judge", ["lexical", "vllm/m", "hosted_vllm/m", "openai/m", "unheard_of/m", "lexical/m"])
def test_these_are_of_no_other_package(judge: str) -> None:
    assert plugin_of(judge) is None
