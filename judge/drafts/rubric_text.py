"""Criteria -> the text of a rubric file, with what to look at as comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from judge.drafts.criterion import Criterion, remarks
from judge.drafts.task import IMPORTANCES
from judge.prompt import one_line, quoted
from judge.rubric import as_name

__all__ = ["rubric_text"]

_LONGEST = 200


def rubric_text(criteria: Sequence[Criterion], *, name: str, task: str, judge: str) -> str:
    """A YAML rubric of one axis, `quality`.

    Texts are JSON strings, which YAML reads alike, so that no word of a judge can be YAML.

    Args:
        criteria: At least one.
        name: Of the rubric; what no name may have is left out.
        task: Its first line with a letter becomes the description.
        judge: Judge id, for the comment at the top.
    """
    return "\n".join(_lines(criteria, name, task, judge)) + "\n"


def _lines(criteria: Sequence[Criterion], name: str, task: str, judge: str) -> Iterator[str]:
    about = quoted(_description(task))
    yield f"# Drafted by {one_line(judge)}. Read and edit every line: what a judge wrote is no rubric yet."
    yield f"name: {quoted(as_name(name) or 'draft')}"
    yield from ('version: "0.1"', f"description: {about}", "axes:", "  quality:", "    kind: criteria")
    yield from (f"    description: {about}", "    scoring: weighted")
    yield f"    importance: {{{', '.join(f'{word}: {weight}' for word, weight in IMPORTANCES.items())}}}"
    yield "    criteria:"
    for number, criterion in enumerate(criteria, start=1):
        yield f"      # {_comment(criterion.reason)}"
        yield from (f"      # Look: {remark}" for remark in remarks(criterion))
        yield f"      - id: C{number}"
        yield f"        text: {quoted(one_line(criterion.text))}"
        yield f"        polarity: {criterion.polarity}"
        yield f"        importance: {criterion.importance}"


def _description(task: str) -> str:
    line = next((line for line in task.splitlines() if re.search(r"[^\W\d_]", line)), task)
    return one_line(line.lstrip("# "))[:_LONGEST] or "A task."


def _comment(text: str) -> str:
    """On one line, and without what YAML does not print."""
    return "".join(char for char in one_line(text) if char.isprintable())
