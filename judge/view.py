"""A record, and what an axis lets a judge see of it -> the values of the prompt's first part, and its images.

view: [question, options, context, trace.reasoning]      no image and no reference; of the trace what stands in <think>

An axis without a view shows everything. The trace is always shown: whole, unless the view names a part of it.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from judge.image import Image
from judge.record import Record, Reference

__all__ = ["Part", "View", "images_of", "record_values", "shown_trace"]

Part: TypeAlias = Literal[
    "image", "question", "options", "context", "reference", "trace", "trace.reasoning", "trace.answer"
]
View: TypeAlias = tuple[Part, ...] | None
"""What is shown; None for everything."""

_THINK, _THOUGHT = "<think>", "</think>"


def images_of(record: Record, view: View) -> tuple[Image, ...]:
    """The images that are shown."""
    return record.images if view is None or "image" in view else ()


def record_values(record: Record, view: View = None, *, trace: str | None = None) -> dict[str, object]:
    """What `record.j2` shows of a record: all that its calls with this view have in common.

    Args:
        record: The record.
        view: What is shown of it.
        trace: Shown as the trace, in place of all that the view shows of it.
    """
    trace = shown_trace(record, view) if trace is None else trace
    reference = record.reference if _shows("reference", view) else Reference()
    return {
        "images": len(images_of(record, view)),
        "question": (record.question or "") if _shows("question", view) else "",
        "options": list((record.options or {}).items()) if _shows("options", view) else [],
        "context": (record.context or "") if _shows("context", view) else "",
        "reasoning": reference.reasoning or "",
        "answer": reference.answer or "",
        "trace": trace,
        "tag": hashlib.sha256(trace.encode()).hexdigest()[:12],
    }


def _shows(part: Part, view: View) -> bool:
    return view is None or part in view


def shown_trace(record: Record, view: View) -> str:
    """The parts of a trace that the view names, where it has them; a trace without `</think>` is both of them."""
    trace = record.trace
    if view is None or "trace" in view:
        return trace
    thinking, closed, answer = trace.rpartition(_THOUGHT)
    if not closed:
        return trace
    parts = {"trace.reasoning": thinking.replace(_THINK, "").strip(), "trace.answer": answer.strip()}
    named = [text for part, text in parts.items() if part in view]
    return "\n\n".join(named) if named else trace
