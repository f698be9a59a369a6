"""Reply -> the one JSON object that it is, or why it is none.

Nothing is coerced, repaired or guessed: one code fence and one leading think block are taken off, and that is all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from judge.backend import Reply
from judge.errors import LostInSpaceError, MalformedReplyError, OffMenuError, ReplyError, TruncatedReplyError
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["off_menu", "parse_json_object", "parse_object", "refuse_copy", "refuse_refusal", "unwrapped"]

_FENCE = re.compile(r"\A(```|~~~)[A-Za-z]*[ \t]*\r?\n(?P<body>.*?)\r?\n?\1\Z", re.DOTALL)
_ANSWER_OPENINGS = ("{", "```", "~~~")
_LOST_AFTER = 64
"""White space at the end that no layout of JSON has."""
_REFUSALS = ("content_filter", "refusal")


def parse_object(reply: Reply) -> dict[str, Any]:
    """The one JSON object that a reply is.

    Raises:
        MalformedReplyError, TruncatedReplyError: Not one whole JSON object; the same question may be asked again.
        ReplyError: The judge refused.
    """
    return parse_json_object(unwrapped(reply))


def off_menu(faults: Sequence[str]) -> OffMenuError:
    """An error that lists what was wrong, in our own words only."""
    return OffMenuError(f"{'; '.join(faults)}.", faults=tuple(faults))


def refuse_refusal(reply: Reply) -> None:
    """Raise where the judge refused to answer: asked again, it would refuse again.

    Raises:
        ReplyError: It did.
    """
    if reply.finish_reason in _REFUSALS:
        raise ReplyError("the judge refused to answer.", code="refusal")


def refuse_copy(reply: Reply, trace: str) -> None:
    """Raise where the reply stands in the trace, white space aside: a verdict that the candidate wrote for itself.

    No honest reply does, as its reasons are the judge's own. One that is changed before it is repeated is not known.

    Raises:
        OffMenuError: It does.
    """
    if "{" in trace and "".join(unwrapped(reply).split()) in "".join(trace.split()):
        raise off_menu(["the reply is copied from the trace, and the verdicts must be your own"])


def unwrapped(reply: Reply) -> str:
    """The text without one leading think block and one outer code fence; nothing cleverer."""
    refuse_refusal(reply)
    if reply.finish_reason == "length":
        raise (LostInSpaceError if _is_lost(reply.text) else TruncatedReplyError)(_truncation(reply))
    text = _after_thinking(reply.text.strip())
    if not text:
        raise MalformedReplyError("the reply is empty.", code="empty")
    fenced = _FENCE.match(text)
    return fenced["body"].strip() if fenced else text


def _after_thinking(text: str) -> str:
    """Without a leading think block. Some chat templates write its opening tag, so that only the closing one comes."""
    if text.startswith(_ANSWER_OPENINGS):  # an answer may quote the tags of the trace
        return text
    thought, closed, answer = text.partition("</think>")
    if not closed and thought.startswith("<think>"):
        raise TruncatedReplyError("the reply ends inside its <think> block.", hint="Raise --param max_tokens.")
    leading = "<think>" not in thought.removeprefix("<think>")
    return answer.strip() if closed and leading else text


def _is_lost(text: str) -> bool:
    return len(text) - len(text.rstrip()) >= _LOST_AFTER


def _truncation(reply: Reply) -> str:
    spaces = sum(map(str.isspace, reply.text))
    share = f"; {100 * spaces // len(reply.text)} % of it is white space" if reply.text else ""
    return f"the reply was cut at the token limit after {len(reply.text)} characters{share}. Raise --param max_tokens."


def parse_json_object(text: str) -> dict[str, Any]:
    """The one JSON object that a text is.

    Raises:
        MalformedReplyError: It is something else.
    """
    try:
        value = parse_json(text)
    except StrictJsonError as exc:
        code = exc.code if exc.code == "duplicate_key" else None
        raise MalformedReplyError(f"the reply {exc}.", code=code) from exc
    if not isinstance(value, dict):
        raise MalformedReplyError(f"the reply is a JSON {type(value).__name__}, not an object.")
    return value
