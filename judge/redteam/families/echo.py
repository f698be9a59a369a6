"""Traces that give back what the record holds: question, context, options, the rubric's texts, the reference.

The question alone answers nothing. The reference given back is right, and no judge can tell from one trace where it
comes from; `judge.redteam.flags` tells by the overlap that it is given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final

from judge.redteam.attack import Attack, Family, Target

__all__ = ["FAMILY", "echoes"]


def echoes(target: Target) -> Iterator[tuple[str, str]]:
    """Name and text of what a trace could give back, as far as the record has it."""
    fields = target.fields
    reference: Mapping[str, Any] = fields.get("reference") or {}
    options: Mapping[str, Any] = fields.get("options") or {}
    texts = {
        "question": fields.get("question"),
        "context": fields.get("context"),
        "options": "\n".join(f"{key}. {text}" for key, text in options.items()),
        "rubric": "\n".join(target.wanted),
        "reference": reference.get("reasoning"),
    }
    for name, text in texts.items():
        if isinstance(text, str) and text.strip():
            yield name, text


def _make(target: Target, _: Random) -> Iterator[Attack]:
    for name, text in echoes(target):
        yield Attack(name=name, fields=target.with_trace(text))


FAMILY: Final = Family(
    name="echo", about="gives back question, context, rubric or reference", aim="limit", make=_make, replaces=True
)
