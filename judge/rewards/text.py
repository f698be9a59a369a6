"""What a trainer has of a prompt and a completion -> plain text, and the trace that is judged.

A trace may be text or a list of messages (`record.py` joins those). Here is what trainers do to text besides: special
tokens that are left at its end, the prompt in front of it, images among the parts of a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

__all__ = ["as_image", "question_of", "without_prompt", "without_special_tokens"]

_SYSTEM: Final = ("system", "developer")
_SPECIAL: Final = re.compile(
    r"(?:\s*(?:<\|[a-z_0-9]{2,24}\|>|</s>|<s>|<eos>|<pad>|<bos>|<end_of_turn>|<｜[^｜<>]{2,40}｜>|\[PAD\]))+\s*\Z"
)
# How chat templates write what the user says: ChatML, Llama 3, Gemma, Mistral, DeepSeek.
_USER_TURN: Final = re.compile(
    r"""(?s)<\|im_start\|>user\n(.*?)<\|im_end\|>
    |<\|start_header_id\|>user<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>
    |<start_of_turn>user\n(.*?)<end_of_turn>
    |\[INST\](.*?)\[/INST\]
    |<｜User｜>(.*?)<｜Assistant｜>""",
    re.VERBOSE,
)
_END: Final = 64
"""Characters of a prompt's end that it is known by: what a template adds at the end of each turn is shorter."""
_LEAST_END: Final = 16


def question_of(prompt: object) -> str | None:
    """What was asked: a text, or a conversation up to the last turn of the user, without what the system was told.

    One message is as it is, several have who says them in front. Of the text that a chat template has made of a
    conversation, what the user says.
    """
    if isinstance(prompt, str):
        turns = ["".join(turn).strip() for turn in _USER_TURN.findall(prompt)]
        return "\n\n".join(turns) or without_special_tokens(prompt).strip() or None
    said = [(message["role"], _text(message.get("content"))) for message in _asked(prompt)]
    named = [f"{role}: {text}" if len(said) > 1 else text for role, text in said if text]
    return "\n\n".join(named) or None


def without_prompt(query: str, prompt: str) -> str | None:
    """A completion, of which a trainer gives only the whole: prompt and completion together.

    The prompt may have been tokenized and decoded: shortened at its start, an image's place widened, a blank lost. What
    counts then is its end, at the first place where it is found: a candidate that repeats it hides nothing. None where
    it is nowhere: prompt and completion cannot be told apart.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    end = prompt.lstrip()[-_END:]
    return query.split(end, 1)[1] if len(end) >= _LEAST_END and end in query else None


def without_special_tokens(text: str) -> str:
    """Without the tokens of a chat template that end it; those within are the candidate's own words."""
    return _SPECIAL.sub("", text)


def as_image(given: Any) -> Any:
    """An image as a record takes it: a picture in memory becomes its PNG; what is none is left as it is."""
    if isinstance(given, list | tuple):
        return [as_image(one) for one in given]
    if not hasattr(given, "save"):
        return given
    written = BytesIO()
    given.save(written, "PNG", compress_level=1)  # it is read once, and by us; to press it takes six times as long
    return {"bytes": written.getvalue(), "path": None}


def _asked(prompt: object) -> list[Mapping[str, Any]]:
    given = prompt if isinstance(prompt, Sequence) else ()
    messages = [one for one in given if isinstance(one, Mapping) and one.get("role") not in (None, *_SYSTEM)]
    last = max((place for place, one in enumerate(messages) if one["role"] == "user"), default=-1)
    return messages[: last + 1]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content.strip()
    parts = content if isinstance(content, Sequence) else ()
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "\n".join(text.strip() for text in texts if isinstance(text, str))
