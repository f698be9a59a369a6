"""A probe -> how likely each token is, as a server with logprobs tells it.

    {"0": 0.1, "1": 0.2, "2": 0.7}   what a script says of a probe: tokens and their probabilities
    "Sure."                          or a text, which then is all but certain

The digits that may answer stand at the end of a probe, a line each: `2: it clearly raises it`.

With vLLM's `structured_outputs` only the choices are left, and what is left sums to 1; a masked token has -9999.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from hashlib import blake2b

from judge.testing.ask import Ask, as_list, last_user_text, lookup
from judge.testing.overlap import find

MASKED = -9999.0
_CERTAIN = 0.999
_LISTED = re.compile(r"^(\d): (.*)$", re.MULTILINE)


def digits_of(ask: Ask) -> dict[str, str]:
    """The digits that may answer a probe, and what each stands for; the lowest first."""
    return dict(_LISTED.findall(last_user_text(ask.body).rpartition("\nQuestion of ")[2]))


def digit_of(ask: Ask) -> str:
    """The honest answer to a probe, by word overlap; of a scale the level whose words the trace has most of."""
    if ask.question == "level":
        levels = digits_of(ask)
        return max(levels, key=lambda level: find(ask.trace, levels[level]).overlap)  # the first of equals: the lower
    found = find(ask.trace, ask.units[0].claim if ask.units else "")
    if ask.question == "presence":
        return str(found.presence)
    return str((found.correctness or 0) + 1)


def soft(ask: Ask, digit: str) -> dict[str, float]:
    """The digits with their probabilities: this one with 0.55 to 0.95, as the ask has it, and the others alike."""
    share = int.from_bytes(blake2b(ask.key.encode(), digest_size=8).digest()) / 2**64
    most, digits = 0.55 + 0.4 * share, digits_of(ask)
    return {label: most if label == digit else (1 - most) / (len(digits) - 1) for label in digits}


def certain(text: str, ask: Ask) -> dict[str, float]:
    """A text's first token, all but certain, and the digits with what is left."""
    token, digits = text[:4] if not text[:1].isdigit() else text[:1], digits_of(ask)
    return {token: _CERTAIN} | {label: (1 - _CERTAIN) / len(digits) for label in digits if label != token}


def constrained(tokens: Mapping[str, float], body: Mapping[str, object]) -> dict[str, float]:
    """What a grammar leaves of a distribution: the choices of `structured_outputs`, if the request has any."""
    choices = [choice for choice in as_list(lookup(body, "structured_outputs", "choice")) if isinstance(choice, str)]
    if not choices:
        return dict(tokens)
    kept = {choice: sum(p for token, p in tokens.items() if token.strip() == choice) for choice in choices}
    total = sum(kept.values())
    shares = {choice: p / total if total else 1 / len(kept) for choice, p in kept.items()}
    return {**shares, **dict.fromkeys(tokens.keys() - kept.keys(), 0.0)}


def written(tokens: Mapping[str, float], *, top: int) -> dict[str, object]:
    """`logprobs` of a choice of one token: the likeliest, and as many of the others as are asked for."""
    ranked = sorted(tokens, key=lambda token: -tokens[token])
    entries = [{"token": token, "logprob": _log(tokens[token]), "bytes": [*token.encode()]} for token in ranked]
    return {"content": [{**entries[0], "top_logprobs": entries[:top]}]}


def _log(p: float) -> float:
    return math.log(p) if p > 0 else MASKED
