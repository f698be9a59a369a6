"""The probabilities of a probe's labels: how a server is asked for them, and how they are read.

"logprobs": {"content": [{"token": "2", "logprob": -0.2, "top_logprobs": [{"token": " 2", "logprob": -3.1}, …]}]}
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from pydantic import JsonValue

from judge.backend import Reply
from judge.errors import FatalError

__all__ = ["REFUSED", "ProbeForm", "no_logprobs", "with_probabilities", "without_limits"]

_MOST_TOKENS = 20  # of OpenAI and vLLM; others allow fewer
_SOME_TOKENS = 5
_LIMITS = ("max_tokens", "max_completion_tokens")
_SPACE_MARKS = "▁Ġ"  # a leading space, as tokenizers write it
_ROUNDING = 1e-4
REFUSED = ("content_filter", "refusal")


class ProbeForm:
    """How one server is asked for probabilities, as far as its refusals have taught it.

    Args:
        choices: It takes vLLM's `structured_outputs`. Servers that do not know the field are silent about it, so what
            comes back is checked all the same.
    """

    def __init__(self, *, choices: bool) -> None:
        self._choices = choices
        self._top = _MOST_TOKENS

    def fields(self, labels: Sequence[str]) -> dict[str, JsonValue]:
        """What a request for one of these labels has besides its messages, and besides its limit of one token."""
        fields: dict[str, JsonValue] = {"logprobs": True, "top_logprobs": self._top}
        return {**fields, "structured_outputs": {"choice": [*labels]}} if self._choices else fields

    def adapt(self, said: str, sent: Mapping[str, Any]) -> str:
        """Learn from a refusal.

        Args:
            said: The server's words, in lower case.
            sent: The fields that it refused.

        Returns:
            What is done differently from now on, in words for the end of a run; empty where nothing is.
        """
        if self._choices and "structured_outputs" in said and "structured_outputs" in sent:
            self._choices = False
            return "refused structured_outputs; probed without a constraint."
        fewer = _fewer(said, self._top)
        if fewer is None or sent.get("top_logprobs") != self._top:  # another call may have found it out
            return ""
        self._top = fewer
        return f"gives the probabilities of {fewer} tokens at most."


def _fewer(said: str, than: int) -> int | None:
    """The largest number of tokens below `than` that a refusal names."""
    if "logprobs" not in said:
        return None
    named = [number for number in map(int, re.findall(r"\b\d{1,2}\b", said)) if 0 < number < than]
    return max(named, default=_SOME_TOKENS if "top_logprobs" in said and than > _SOME_TOKENS else None)


def without_limits(params: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Parameters without the user's limit of tokens: a probe has its own, which is one."""
    return {name: value for name, value in params.items() if name not in _LIMITS}


def no_logprobs(who: str, said: str = "") -> FatalError:
    """What ends a run by probes at its first call: without probabilities there is nothing to score."""
    hint = "Leave --probe out, or name a server and a model that give them."
    return FatalError(
        f"{who} gives no logprobs, which a probe needs{said and f': {said}'}.", code="no_logprobs", hint=hint
    )


def with_probabilities(reply: Reply, logprobs: object, labels: Sequence[str], who: str) -> Reply:
    """The reply with the probability of each label; with none at all where what the server wrote cannot be used.

    Args:
        reply: To a probe.
        logprobs: As it came with it: those of its first token count.
        labels: Each one token.
        who: Judge or server, for the error.

    Raises:
        FatalError: There are no logprobs; code `no_logprobs`.
    """
    if reply.finish_reason in REFUSED:
        return reply
    if not (isinstance(logprobs, Mapping) and "content" in logprobs):
        if not reply.text:
            return reply  # nothing was said, and so there is nothing to be sure of
        raise no_logprobs(who)
    content = logprobs["content"]
    first = content[0] if isinstance(content, list) and content else None
    return replace(reply, probabilities=_sums(first, labels) if isinstance(first, Mapping) else {})


def _sums(first: Mapping[str, Any], labels: Sequence[str]) -> dict[str, float]:
    """P(label) = Σ exp(logprob) over the tokens that say it: `1`, ` 1`, `▁1`; empty where a number is none."""
    sums = dict.fromkeys(labels, 0.0)
    for token in _tokens(first):
        probability = _probability(token.get("logprob"))
        if probability is None:
            return {}
        said = str(token.get("token")).strip().lstrip(_SPACE_MARKS)
        if said in sums:
            sums[said] += probability
    return {label: min(total, 1.0) for label, total in sums.items()}


def _tokens(first: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The likeliest tokens, and the one that was drawn where it is not among them."""
    top = [token for token in first.get("top_logprobs") or () if isinstance(token, Mapping)]
    yield from top
    if first.get("token") not in [token.get("token") for token in top]:
        yield first


def _probability(logprob: object) -> float | None:
    if not isinstance(logprob, int | float) or isinstance(logprob, bool):
        return None
    if not math.isfinite(logprob) or logprob > _ROUNDING:
        return None
    return min(1.0, math.exp(logprob))  # -9999, of a masked token, is 0
