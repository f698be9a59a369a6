"""A probe's Reply -> the likeliest answer, and what is to be expected of it.

    {"0": 0.05, "1": 0.15, "2": 0.80}  ->  presence 2, p_present 0.15/2 + 0.80 = 0.875
    {"1": 0.1, "3": 0.6, "5": 0.3}     ->  level 3, value 0.1·1 + 0.6·3 + 0.3·5 = 3.4

Whatever is no distribution over the labels is an error and never a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from judge.backend import Reply
from judge.errors import MalformedReplyError, OffMenuError, ReplyError
from judge.probe_prompt import LABELS
from judge.unwrapping import refuse_refusal

__all__ = ["read_correctness", "read_level", "read_presence"]

_LEAST_ON_LABELS = 0.5
_ROUNDING = 1e-3
"""Probabilities are rounded logarithms, of several tokens at times: they may sum to a little more than 1."""


def read_presence(reply: Reply) -> tuple[int, float]:
    """Read the reply to a presence probe.

    Returns:
        The likeliest presence (0, 1, 2; of equals the lower), and p_present = Σ P(p)·p/2, in [0, 1].

    Raises:
        ReplyError: It cannot be used; see `_read`.
    """
    shares = _read(reply, LABELS)
    return _likeliest(shares), sum(share * level / 2 for level, share in enumerate(shares))


def read_correctness(reply: Reply) -> tuple[int, float]:
    """Read the reply to a correctness probe.

    Returns:
        The likeliest correctness (-1, 0, 1; of equals the lower), and p_correct = P(right), in [0, 1].

    Raises:
        ReplyError: It cannot be used; see `_read`.
    """
    shares = _read(reply, LABELS)
    return _likeliest(shares) - 1, shares[-1]


def read_level(reply: Reply, labels: Sequence[str]) -> tuple[int, float]:
    """Read the reply to a level probe.

        E = Σ P(v)·v / Σ P(v)        over the levels v

    Args:
        reply: With the probability of each label.
        labels: The levels, the lowest first.

    Returns:
        The likeliest level (of equals the lower), and the expectation E, between the lowest and the highest level.

    Raises:
        ReplyError: It cannot be used; see `_read`.

    Source:
        G-Eval, arXiv 2303.16634, which does not divide: there, what is not on a level pulls the score towards 0.
    """
    shares, levels = _read(reply, labels), [int(label) for label in labels]
    expected = math.fsum(share * level for share, level in zip(shares, levels, strict=True))
    # Rounded shares may sum to a hair more than 1.
    return levels[_likeliest(shares)], min(max(expected, levels[0]), levels[-1])


def _read(reply: Reply, labels: Sequence[str]) -> list[float]:
    """The share of each label in what is on labels at all.

    Raises:
        MalformedReplyError: Nothing was said, or the probabilities are none; the same question may be asked again.
        OffMenuError: What was said is no label.
        ReplyError: The judge refused; or (`low_probability`) less than half of the probability is on the labels, which
            another ask would not change.
    """
    refuse_refusal(reply)
    said = reply.text.strip()
    if not said:
        hint = "A model that thinks before it answers cannot be probed."
        raise MalformedReplyError("the reply is empty.", code="empty", hint=hint)
    digits = ", ".join(labels)
    if said not in labels:
        fault = f"it must be one digit: {digits}"
        raise OffMenuError(f"the reply is not one of the digits {digits}.", faults=(fault,))
    known = _probabilities(reply.probabilities or {}, labels)
    total = math.fsum(known)
    if total < _LEAST_ON_LABELS:
        raise ReplyError(f"only {total:.0%} of the probability is on the digits {digits}.", code="low_probability")
    return [one / total for one in known]


def _probabilities(told: Mapping[str, float], labels: Sequence[str]) -> list[float]:
    """One for each label, in their order."""
    known = [told.get(label, math.nan) for label in labels]
    if not all(0 <= one <= 1 + _ROUNDING for one in known) or sum(known) > 1 + _ROUNDING:
        raise MalformedReplyError("the reply's probabilities are none of numbers from 0 to 1.", code="bad_logprobs")
    return known


def _likeliest(shares: Sequence[float]) -> int:
    return max(range(len(shares)), key=shares.__getitem__)  # the first of equals: the lower
