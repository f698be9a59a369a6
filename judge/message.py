"""Chat messages -> the text of a trace.

[{"role": "user", "content": "What is it?"}, {"role": "assistant", "reasoning": "Opaque …", "content": "An effusion."}]
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue, SkipValidation, TypeAdapter

__all__ = ["Message", "trace_text"]

_NOT_THE_CANDIDATE = {"system", "developer", "user"}


class Message(BaseModel):
    """One chat message of a trace; only its text is read, not the calls of tools.

    The reasoning has two names: vLLM and OpenRouter now write `reasoning`, others `reasoning_content`, some both.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    role: str = "assistant"
    content: str | list[dict[str, JsonValue]] | None = None
    reasoning_content: str | None = None
    reasoning: SkipValidation[JsonValue] = None

    def text(self) -> str:
        """The reasoning and then the text parts, joined by blank lines."""
        parts = [self.content] if isinstance(self.content, str) else _text_parts(self.content or [])
        newer = self.reasoning if isinstance(self.reasoning, str) else None
        return "\n\n".join(part for part in (self.reasoning_content or newer, *parts) if part)


_MESSAGES = TypeAdapter(list[Message])


def trace_text(trace: object) -> object:
    """What the candidate says in chat messages, joined by blank lines; what is no list comes back as it is.

    Raises:
        pydantic.ValidationError: One of them is no message.
    """
    if not isinstance(trace, list):
        return trace
    messages = _MESSAGES.validate_python(trace)
    texts = [message.text() for message in messages if message.role not in _NOT_THE_CANDIDATE]
    return "\n\n".join(text for text in texts if text)


def _text_parts(parts: list[dict[str, JsonValue]]) -> list[str]:
    """Text, and what a model thought where that is a part of its own."""
    return [text for part in parts for key in ("thinking", "text") if isinstance(text := part.get(key), str)]
