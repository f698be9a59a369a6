"""fault × good completion -> the Answer that acts the fault out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import orjson

from judge.testing.faults import is_status
from judge.testing.probes import written
from judge.testing.replies import Answer, Completion, Manner, error, too_many, unauthorized

_Compute: TypeAlias = Callable[[], Completion]

_PAGE = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_REFUSAL = "I'm sorry, but I can't help with that."


def misbehave(fault: str, compute: _Compute, *, retry_after_s: float) -> Answer:
    """Act out one fault.

    A fault on the way (`drip`, `truncated`, `reset_midbody`) and a spoilt reply are computed and paid first;
    an error status, a page or a black hole is not.

    Args:
        fault: One of `faults.KINDS`, or an HTTP status.
        compute: Makes the good completion; called only where the fault comes after it.
        retry_after_s: What a `429` asks for.
    """
    return replace(_acted(fault, compute, retry_after_s), fault=fault)


def _acted(fault: str, compute: _Compute, retry_after_s: float) -> Answer:
    if fault == "429":
        return too_many(retry_after_s)
    if fault in _UNPAID:
        return _UNPAID[fault]()
    if is_status(fault):
        return error(int(fault))
    if fault in _SPOILERS:
        return _SPOILERS[fault](compute()).answer()
    # drip_headers never gets to the end of its head, so no status ever arrives
    manner, status = _ON_THE_WAY[fault]
    return replace(compute().answer(), manner=manner, status=status)


def _wrong_ids(good: Completion) -> Completion:
    """Every unit under a name that nobody asked for."""
    return replace(good, text=orjson.dumps({f"x{name}": value for name, value in _object(good.text).items()}).decode())


def _object(text: str | None) -> Mapping[str, object]:
    """The reply's JSON object; a stand-in with one unit where a script wrote something else."""
    try:
        value = orjson.loads(text or "")
    except ValueError:
        value = None
    return value if isinstance(value, dict) and value else {"u1": {}}


def _cut(good: Completion) -> Completion:
    text = good.text or ""
    return replace(good, text=text[: len(text) // 2], finish_reason="length")


def _no_number(good: Completion) -> Completion:
    """A digit that is likely by no number."""
    said = {"token": good.text, "logprob": None}
    return replace(good, logprobs={"content": [{**said, "top_logprobs": [said]}]})


def _off_label(good: Completion) -> Completion:
    """A word, although it is the digits that are likely: the constraint was ignored."""
    return replace(good, text="Sure")


def _elsewhere(good: Completion) -> Completion:
    """A digit, although six times in ten it would have been a word."""
    tokens = {"The": 0.6, **dict.fromkeys("012", 0.4 / 3)}
    return replace(good, logprobs=written(tokens, top=20))


_UNPAID: dict[str, Callable[[], Answer]] = {
    "401": unauthorized,
    "429_bare": lambda: too_many(None),
    "insufficient_quota": lambda: error(429, _QUOTA, kind="insufficient_quota", code="insufficient_quota"),
    "html": lambda: Answer(body=_PAGE, content_type="text/html"),
    "garbage": lambda: Answer(body=b'{"id":"chatcmpl-0","choices":[{"message":{"content":'),
    "error_object": lambda: replace(error(500, "The engine is not ready."), status=200),
    "black_hole": lambda: Answer(status=None, manner="black_hole"),
    "reset": lambda: Answer(status=None, manner="reset"),
}
_SPOILERS: dict[str, Callable[[Completion], Completion]] = {
    "wrong_ids": _wrong_ids,
    "length": _cut,
    "empty": lambda good: replace(good, text=""),
    "refusal": lambda good: replace(good, text=None, refusal=_REFUSAL),
    "no_logprobs": lambda good: replace(good, logprobs=None),
    "null_logprobs": _no_number,
    "off_label": _off_label,
    "elsewhere": _elsewhere,
    "no_choices": lambda good: replace(good, has_choices=False),
}
_ON_THE_WAY: dict[str, tuple[Manner, int | None]] = {
    "drip": ("drip", 200),
    "drip_headers": ("drip_headers", None),
    "reset_midbody": ("reset_midbody", 200),
    "truncated": ("truncated", 200),
}
