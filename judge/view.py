"""A record, and what an axis lets a judge see of it -> the values of the prompt's first part, and its images.

view: [question, options, context, trace.reasoning]      no image and no reference; of the trace what stands in <think>

An axis without a view shows everything. The trace is always shown: whole, unless the view names a part of it.
"""

from __future__ import annotations

import hashlib
from itertools import accumulate
from typing import Literal, NamedTuple, TypeAlias

from judge.image import Image
from judge.inert import make_inert
from judge.record import Record, Reference

__all__ = ["Part", "Piece", "View", "images_of", "record_values", "shown_parts", "shown_text", "shown_trace"]

Part: TypeAlias = Literal[
    "image", "question", "options", "context", "reference", "trace", "trace.reasoning", "trace.answer"
]
View: TypeAlias = tuple[Part, ...] | None
"""What is shown; None for everything."""

_THINK, _THOUGHT = "<think>", "</think>"


class Piece(NamedTuple):
    """Part of a trace, and where it stands in the whole, in code points."""

    start: int
    text: str


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
    trace = make_inert(shown_trace(record, view) if trace is None else trace)
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


def shown_parts(trace: str, view: View) -> list[list[Piece]]:
    """What is shown of a trace, with a blank line between two parts; the pieces of a part have nothing between them.

    They are the parts that the view names, where the trace has them: one without `</think>` is both of them.
    """
    whole = [[Piece(0, trace)]]
    if view is None or "trace" in view:
        return whole
    thinking, closed, answer = trace.rpartition(_THOUGHT)
    parts = {"trace.reasoning": _thoughts(thinking), "trace.answer": [Piece(len(thinking + closed), answer)]}
    named = [_trimmed(pieces) for part, pieces in parts.items() if part in view]
    return named if closed and named else whole


def _thoughts(thinking: str) -> list[Piece]:
    """What stands between the tags that open a thought."""
    texts = thinking.split(_THINK)
    starts = accumulate((len(text) + len(_THINK) for text in texts), initial=0)
    return [Piece(start, text) for start, text in zip(starts, texts, strict=False)]


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """Without white space at either end."""
    saying = [index for index, piece in enumerate(pieces) if piece.text.strip()]
    if not saying:
        return []
    first, *rest = pieces[saying[0] : saying[-1] + 1]
    text = first.text.lstrip()
    kept = [Piece(first.start + len(first.text) - len(text), text), *rest]
    return [*kept[:-1], Piece(kept[-1].start, kept[-1].text.rstrip())]


def _shows(part: Part, view: View) -> bool:
    return view is None or part in view


def shown_trace(record: Record, view: View) -> str:
    """What is shown of a record's trace, as one text."""
    return shown_text(record.trace, view)


def shown_text(trace: str, view: View) -> str:
    """What is shown of a trace, as one text."""
    return "\n\n".join("".join(piece.text for piece in part) for part in shown_parts(trace, view))
