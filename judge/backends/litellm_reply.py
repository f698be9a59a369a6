"""What litellm gives back -> Reply."""

from __future__ import annotations

from typing import Any

from judge.backend import Reply
from judge.backends.bounds import as_count, as_text
from judge.errors import TransientError

__all__ = ["read_reply", "stored_tokens"]


def read_reply(response: Any, attempts: int) -> Reply:
    """A completion as a Reply; None stands for a prompt that the provider's filter refused."""
    if response is None:
        return Reply(text="", finish_reason="content_filter", attempts=attempts)
    if not response.choices:
        raise TransientError("the reply has no choices.", code="bad_response")
    message, usage = response.choices[0].message, getattr(response, "usage", None)
    said = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
    return Reply(
        text=as_text(message.tool_calls[0].function.arguments if message.tool_calls else message.content) or "",
        model=as_text(response.model) or None,
        finish_reason="refusal" if said else as_text(response.choices[0].finish_reason),
        attempts=attempts,
        **(_usage(response, usage) if usage is not None else {}),
    )


def _usage(response: Any, usage: Any) -> dict[str, Any]:
    details = getattr(usage, "prompt_tokens_details", None)
    said = (usage.prompt_tokens, usage.completion_tokens, getattr(details, "cached_tokens", None))
    stored = getattr(details, "cache_creation_tokens", None)
    if not any(said):  # litellm writes 0 where the provider said nothing
        return {}
    prompt, completion, cached = map(as_count, said)
    # litellm's cost is of what was said: where that can be no count, neither is its cost one.
    cost = response._hidden_params.get("response_cost")  # noqa: SLF001 - where litellm puts it
    cost = cost if (prompt, completion, cached, as_count(stored)) == (*said, stored) else None
    return {"prompt_tokens": prompt, "completion_tokens": completion, "cached_tokens": cached, "cost_usd": cost}


def stored_tokens(response: Any) -> int | None:
    """Prompt tokens that the provider kept for later calls, as it was told to; None where it does not say."""
    details = getattr(getattr(response, "usage", None), "prompt_tokens_details", None)
    return as_count(getattr(details, "cache_creation_tokens", None))
