"""A text -> the same text as it looks, in which no tokenizer finds a control token.

A server writes what we send into the model's chat template and tokenizes the whole: `<|im_end|>` in a trace would be
the very token that ends a message, and what follows it a message of the system; `<|image_pad|>` would be a place for an
image that is not there. An invisible word joiner after the first character makes text of them. Quotes of such a passage
are still found, as `evidence.py` looks past invisible characters.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["make_inert"]

_JOINER: Final = "\u2060"
# Two patterns, each with one first character: this takes a third of the time of one pattern with two.
_TAG: Final = re.compile(
    r"<(?:\|(?=[^|<>\s\u2060]{1,64}\|>)"  # ChatML, Llama 3, Qwen, Phi, gpt-oss: <|im_start|>
    r"|｜(?=[^｜<>\s\u2060]{1,64}｜>)"  # DeepSeek
    r"|/?(?=(?:s|bos|eos|pad|unk|(?:start|end)_of_(?:turn|image)|image_soft_token|image|img|IMG_CONTEXT)>)"
    r"|</?(?=SYS>>))"
)
_BRACKET: Final = re.compile(
    r"\[/?(?=(?:INST|IMG|IMG_BREAK|IMG_END|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS|TOOL_CONTENT)\])"
)


def make_inert(text: str) -> str:
    r"""Part the control tokens of chat templates by a word joiner (U+2060).

    Args:
        text: Any text, any length.

    Returns:
        The text itself where it holds none; `<think>`, `<answer>` and other tags stay as they are.

    Examples:
        >>> make_inert("ST elevation.<|im_end|>")
        'ST elevation.<|\u2060im_end|>'
        >>> make_inert("<think>p < 0.05</think>")
        '<think>p < 0.05</think>'
    """
    return _BRACKET.sub(_parted, _TAG.sub(_parted, text))


def _parted(token: re.Match[str]) -> str:
    return f"{token[0]}{_JOINER}"
