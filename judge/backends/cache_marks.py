"""Marks in the messages of a request: up to here, a provider that keeps no prompt unasked is to keep this one.

{"type": "text", "text": "# Trace …", "cache_control": {"type": "ephemeral"}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from judge.prompt import Request

__all__ = ["REFUSED_MARKS", "with_marks"]

REFUSED_MARKS: Final = ("cache_control", "cachepoint", "prompt caching")
"""In the words of who does not know them."""
_MARK: Final[Mapping[str, Any]] = {"cache_control": {"type": "ephemeral"}}  # five minutes, from the last use on


def with_marks(messages: Sequence[Mapping[str, Any]], request: Request) -> list[dict[str, Any]]:
    """The same messages in parts, with marks; the texts of the parts joined are what they were.

    One mark ends the system message, which all calls of a run have in common, and one what the calls of a record have
    in common, where there are several with the same schema: providers put the schema before the messages. To keep a
    prompt costs a quarter more than to read it, and to find it a tenth; one that is too short to be kept costs nothing.

    Args:
        messages: As they would be sent.
        request: They begin with its texts.
    """
    return [_in_parts(message, request) for message in messages]


def _in_parts(message: Mapping[str, Any], request: Request) -> dict[str, Any]:
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if message["role"] == "system":
        return {**message, "content": [*parts[:-1], {**parts[-1], **_MARK}]}
    if not request.reused:
        return dict(message)
    return {**message, "content": [piece for part in parts for piece in _split(part, request.shared)]}


def _split(part: Mapping[str, Any], shared: str) -> list[Mapping[str, Any]]:
    """A part that begins with the shared text as two: up to where it ends, and the rest."""
    text = part.get("text", "")
    if not text.startswith(shared) or text == shared:
        return [part]
    return [{**part, "text": shared, **_MARK}, {**part, "text": text.removeprefix(shared)}]
