"""messages -> token counts: four characters a token, and a prefix cache in blocks as a vLLM server has."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

from judge.testing.ask import as_list, lookup

_CHARS_PER_TOKEN = 4
_BLOCK = 256
# A long load test must not grow without end: forgetting everything now and then only costs a few hits.
_MOST_BLOCKS = 200_000


def count_tokens(text: str) -> int:
    """The estimate used throughout: characters // 4."""
    return len(text) // _CHARS_PER_TOKEN


def prompt_text(body: Mapping[str, object]) -> str:
    """All messages as one text, an image as a short mark of its content."""
    return "\n".join(_message(message) for message in as_list(body.get("messages")))


class PrefixCache:
    """Says how many tokens of a prompt an earlier prompt began with, in blocks of 64 tokens.

    A prompt is known once it is answered: prompts that are computed at the same time find nothing of each other.
    """

    def __init__(self) -> None:
        self._blocks: set[int] = set()

    def learn(self, text: str) -> None:
        """Know this prompt from now on."""
        if len(self._blocks) > _MOST_BLOCKS:
            self._blocks.clear()
        self._blocks.update(_chain(text))

    def find(self, text: str) -> int:
        """Tokens that are known."""
        chain = _chain(text)
        known = next((at for at, block in enumerate(chain) if block not in self._blocks), len(chain))
        return known * _BLOCK // _CHARS_PER_TOKEN


def _chain(text: str) -> list[int]:
    """One hash for each whole block, over all that comes before it too."""
    hashes, last = [], 0
    for start in range(0, len(text) - _BLOCK + 1, _BLOCK):
        last = hash((last, text[start : start + _BLOCK]))
        hashes.append(last)
    return hashes


def _message(message: object) -> str:
    content = lookup(message, "content")
    told = content if isinstance(content, str) else "\n".join(_part(part) for part in as_list(content))
    return f"{lookup(message, 'role')}: {told}"


def _part(part: object) -> str:
    url = lookup(part, "image_url", "url")
    return f"<image {crc32(url.encode()):08x}>" if isinstance(url, str) else str(lookup(part, "text") or "")
