"""A request for units of a reference -> units: a sentence each, dealt to the axes in turn.

It writes no rubric. It gives `judge rubric draft` something to check: every quote stands in the reference.

    <reference-0f3a9c0b12de>
    The trachea is off to the right. Trapped air raises pressure.
    </reference-0f3a9c0b12de>
    # Axes

    perception: What is seen.
    knowledge: Facts.

    Write the units of knowledge, and of no other axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from judge.testing.ask import as_list, last_user_text, lookup
from judge.testing.overlap import sentences

_REFERENCE = re.compile(r"<reference-([0-9a-f]{12})>\n(.*?)\n</reference-\1>", re.DOTALL)
_ANSWER = re.compile(r"<answer>.*?</answer>", re.DOTALL)
_AXES = re.compile(r"^# Axes\n\n((?:\w+: .*\n)+)", re.MULTILINE)
_ASKED = re.compile(r"^Write the units of (\w+), and of no other axis\.$", re.MULTILINE)
_UNIT = ("response_format", "json_schema", "schema", "properties", "units", "items", "properties")


def write_units(body: Mapping[str, object]) -> Mapping[str, object] | None:
    """The reply to a request for units; None for any other request."""
    text = last_user_text(body)
    reference, axes, asked = _REFERENCE.search(text), _AXES.search(text), _ASKED.findall(text)
    if not (reference and axes and asked):
        return None
    names = re.findall(r"^(\w+): ", axes[1], re.MULTILINE)
    said = [sentence.text for sentence in sentences(_ANSWER.sub("\n", reference[2]))]
    mine = said[names.index(asked[-1]) :: len(names)] if asked[-1] in names else []
    return {"units": [dict(_unit(sentence, body)) for sentence in mine]}


def _unit(sentence: str, body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    topic = max(re.findall(r"\w+", sentence), key=len, default=sentence).lower()
    importances = as_list(lookup(body, *_UNIT, "importance", "enum"))
    yield from (("source_quote", sentence), ("claim", sentence), ("topic", topic))
    if importances:
        yield "importance", str(importances[0])
    yield "presence_question", f"Does the trace speak of this: {topic}?"
    yield "correctness_question", f"Does the trace agree that: {sentence}"
