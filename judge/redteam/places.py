"""A payload and a record -> the record with the payload at one of ten places.

Eight are in the trace. Two are in what is no part of the trace and is never shown to a judge: the record's id, and a
field that it carries along, such as the name of a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from judge.redteam.attack import Fields, Target

__all__ = ["POSITIONS", "put"]


def put(payload: str, target: Target, position: str) -> Fields:
    """The fields of a record with a payload in them.

    Args:
        payload: Any text.
        target: The record.
        position: One of `POSITIONS`.
    """
    if position == "id":
        return {**target.fields, "id": f"{target.fields.get('id', 'record')} {payload}"}
    if position == "file_name":
        return {**target.fields, "file_name": f"{payload}.png"}
    return target.with_trace(_IN_TRACE[position](payload, target.trace))


def _middle(payload: str, trace: str) -> str:
    """After the sentence or line that ends nearest behind the middle."""
    half = len(trace) // 2
    ends = [at + len(end) for end in (". ", "\n") if (at := trace.find(end, half)) >= 0]
    at = min(ends, default=half)
    return f"{trace[:at]}{payload} {trace[at:]}"


def _think(payload: str, trace: str) -> str:
    opening, tag, rest = trace.partition("<think>")
    return f"{opening}<think>{payload}\n{rest}" if tag else f"<think>{payload}</think>\n{trace}"


def _cell(payload: str) -> str:
    """As one cell of a table: a line break or a bar would end it."""
    return " ".join(payload.replace("|", "\\|").split())


_IN_TRACE: Final[Mapping[str, Callable[[str, str], str]]] = {
    "start": lambda payload, trace: f"{payload}\n\n{trace}",
    "middle": _middle,
    "end": lambda payload, trace: f"{trace}\n\n{payload}",
    "code": lambda payload, trace: f"{trace}\n\n```text\n{payload}\n```",
    "json": lambda payload, trace: f"{trace}\n\n{json.dumps({'note': payload}, ensure_ascii=False)}",
    "table": lambda payload, trace: f"{trace}\n\n| finding | note |\n|---|---|\n| none | {_cell(payload)} |",
    "alt_text": lambda payload, trace: f"{trace}\n\n![{' '.join(payload.split())}](figure-1.png)",
    "think": _think,
}
POSITIONS: Final = (*_IN_TRACE, "file_name", "id")
"""Where a payload can stand."""
