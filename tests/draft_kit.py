"""What the tests of drafts share: a record, units of it, and a judge that writes them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from run_kit import settings_for, to_lines, traces_of

from judge.draft import DraftReport, draft_file
from judge.testing import Ask, Server

AXES = ("perception", "knowledge", "rationale")
# Letters of its 4 sentences: 23 + 25 + 24 + 29 = 101.
REASONING = (
    "<think>The left lung is wholly dark. The trachea is off to the right. Trapped air raises pressure. "
    "So venous return to the heart falls.</think><answer>C</answer>"
)
RECORD: dict[str, Any] = {
    "id": "r1",
    "question": "What is next?",
    "options": {"A": "Wait", "C": "Decompress"},
    "context": "A film.",
    "reference": {"answer": "C", "reasoning": REASONING},
}
DARK = "The left lung is wholly dark"
TRACHEA = "The trachea is off to the right"
PRESSURE = "Trapped air raises pressure"
RETURN = "venous return to the heart falls"


def make_unit(quote: str, claim: str = "", **changes: Any) -> dict[str, Any]:
    """A unit as a judge writes it."""
    return {
        "source_quote": quote,
        "claim": claim or f"{quote}.",
        "topic": "chest",
        "importance": "core",
        "presence_question": "Does the trace speak of the chest?",
        "correctness_question": "Does the trace agree?",
        **changes,
    }


UNITS: dict[str, list[dict[str, Any]]] = {
    "perception": [make_unit(DARK), make_unit(TRACHEA, importance="supporting")],
    "knowledge": [make_unit(PRESSURE)],
    "rationale": [make_unit(RETURN)],
}


def axis_of(ask: Ask) -> str:
    text = str(ask.body["messages"][-1]["content"])  # type: ignore[index]
    found = re.findall(r"^Write the units of (\w+), and of no other axis\.$", text, re.MULTILINE)
    return str(found[-1])


class Writer:
    """A judge that writes these units: `first` to a first ask, `again` to a re-ask, where that is given."""

    def __init__(self, first: Mapping[str, Any] = UNITS, again: Mapping[str, Any] | None = None) -> None:
        self.first = first
        self.again = first if again is None else again
        self.heard: list[Ask] = []

    def __call__(self, ask: Ask) -> str | Mapping[str, object]:
        self.heard.append(ask)
        reply = (self.again if ask.complaint else self.first)[axis_of(ask)]
        return reply if isinstance(reply, str) else {"units": reply}


def run_draft(
    records: Iterable[dict[str, Any] | str],
    out: Path,
    server: Server | str,
    *,
    overwrite: bool = False,
    limit: int | None = None,
    **changes: Any,
) -> DraftReport:
    """A draft in this process; of a finished one, that no row was lost is checked."""
    traces = traces_of(to_lines(records), out.with_name("records"), limit=limit)
    report = asyncio.run(draft_file(traces, out, settings_for(server, **changes), overwrite=overwrite))
    if report.finished:
        assert report.read == len(report.drafted) + report.kept + report.repeated + report.failed
    return report


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]
