"""Which parameters are the user's, and which would spoil what judge counts on: each by what it does."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from run_kit import completion, http, make_request, scripted, settings_for

from judge.connect import connect
from judge.errors import ConfigError
from judge.sampling import refuse_ours

BASE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("why", "names"),
    [
        (
            "it says what is asked",
            "model messages add_generation_prompt continue_final_message truncate_prompt_tokens",
        ),
        ("one reply a call is paid for and read; --samples repeats a judgement", "n best_of use_beam_search"),
        (
            "a reply is JSON of a schema of ours",
            (
                "response_format response_model tools tool_choice parallel_tool_calls functions function_call "
                "structured_outputs guided_json guided_regex guided_choice guided_grammar "
                "regex ebnf structural_tag grammar json_schema format"
            ),
        ),
        (
            "a reply is read whole, and only its text",
            "stream stream_options modalities audio echo logprobs top_logprobs prompt_logprobs",
        ),
    ],
)
def test_what_changes_the_question_or_the_form_of_the_answer_is_refused(why: str, names: str) -> None:
    for name in names.split():
        said = re.escape(f"the parameter {name!r} is set by judge: {why}. There are others: temperature, top_p,")
        for params in ({name: 1}, {"temperature": 0, "extra_body": {"top_k": 1, name: 1}}):
            with pytest.raises(ConfigError, match=said):
                settings_for(BASE, params=params)


SAMPLING: dict[str, Any] = {
    "temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "max_tokens": 9, "seed": 3, "stop": ["</s>"],
    "presence_penalty": 0.5, "repetition_penalty": 1.1, "logit_bias": {"1": 2}, "user": "me", "service_tier": "flex",
    "reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False}, "priority": 1,
}  # fmt: skip


def test_what_says_how_a_model_samples_is_sent_as_it_is() -> None:
    refuse_ours(SAMPLING)

    async def ask() -> dict[str, Any]:
        async with scripted(lambda *_: http(200, completion())) as (base, heard):
            settings = settings_for(base, params=SAMPLING)
            async with connect(settings) as connection:
                await connection.asker.judge(make_request().probes.record)
            return heard[0].body

    body = asyncio.run(ask())
    assert {name: body.get(name) for name in SAMPLING} == SAMPLING


def test_a_value_that_only_holds_such_a_name_is_fine() -> None:
    refuse_ours({"user": "n", "metadata": {"tools": "none"}, "extra_body": "n"})
