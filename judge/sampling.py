"""Parameters of a request -> those that a user may set: how a model samples, not what it is asked or how it answers.

--param temperature=0.7     goes into the request as it is
--param best_of=4           is refused: four replies would be paid for, and one is read
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from judge.errors import ConfigError

__all__ = ["refuse_ours"]

_COMMON = "temperature, top_p, max_tokens, seed, and what your server knows"
_OURS: Mapping[str, frozenset[str]] = {
    "it says what is asked": frozenset(
        # vLLM cuts the prompt with the last of them, and says nothing: the judge would see a part of the trace.
        {"model", "messages", "add_generation_prompt", "continue_final_message", "truncate_prompt_tokens"}
    ),
    "one reply a call is paid for and read; --samples repeats a judgement": frozenset(
        {"n", "best_of", "use_beam_search"}
    ),
    "a reply is JSON of a schema of ours": frozenset(
        {
            *("response_format", "response_model"),
            *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
            # vLLM's, then those of SGLang, llama.cpp and Ollama: they would win over our schema, or clash with it.
            *("structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"),
            *("regex", "ebnf", "structural_tag", "grammar", "json_schema", "format"),
        }
    ),
    "a reply is read whole, and only its text": frozenset(
        {
            *("stream", "stream_options", "modalities", "audio", "echo"),
            *("logprobs", "top_logprobs", "prompt_logprobs"),  # probes ask for them
        }
    ),
}


def refuse_ours(params: Mapping[str, JsonValue]) -> None:
    """Refuse parameters that judge sets, or that change what is asked, how often, or the form of the reply.

    Those inside `extra_body` too, which litellm puts beside the others.

    Raises:
        ConfigError: Names the first of them, and why.
    """
    for name in _names(params):
        for why, ours in _OURS.items():
            if name in ours:
                message = f"the parameter {name!r} is set by judge: {why}."
                raise ConfigError(message, hint=f"There are others: {_COMMON}.")


def _names(params: Mapping[str, JsonValue]) -> Iterator[str]:
    yield from params
    inner = params.get("extra_body")
    if isinstance(inner, dict):
        yield from inner
