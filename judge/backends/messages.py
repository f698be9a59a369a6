"""Request -> the messages of a chat completion, as every server of the OpenAI kind reads them."""

from __future__ import annotations

from pydantic import JsonValue

from judge.prompt import Request

__all__ = ["chat_messages"]


def chat_messages(request: Request) -> list[dict[str, JsonValue]]:
    """The system message and the user message; images come first, as data URLs, and are never fetched by a server."""
    return [{"role": "system", "content": request.system}, {"role": "user", "content": _content(request)}]


def _content(request: Request) -> JsonValue:
    if not request.images:
        return request.user  # some servers know no parts
    images: list[JsonValue] = [{"type": "image_url", "image_url": {"url": image.data_url}} for image in request.images]
    return [*images, {"type": "text", "text": request.user}]
