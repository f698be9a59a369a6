"""A trace -> the Requests that take it apart into claims; claims -> the Requests that check them against the record.

Who takes a trace apart sees nothing that it could be measured by, and who checks the claims does not see the trace: the
one cannot bend claims towards a reference, and the other cannot take a trace's word for them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, get_args

import orjson
from msgspec import structs
from pydantic import JsonValue

from judge.inert import make_inert
from judge.probe import AskedUnit, Probes
from judge.prompt import JudgeModel, Request, closed_object, one_line, quoted, reply_schema, unit_name
from judge.record import Record
from judge.rubric import Rubric
from judge.template import Templates
from judge.view import Part, View, images_of, record_values, shown_trace

__all__ = ["ClaimPrompt", "portions", "sources"]

_TEMPLATES = ("split_system", "split", "check_system", "sources", "check", "complaint")
_NO_SOURCE: Final = {"image", "context", "reference"}
_PORTION = 6000
"""Characters of a trace that are taken apart in one call: a list of claims is longer than the text that makes them."""
_BARE_ANSWER = re.compile(r"<answer>\s*\S{0,11}\s*</answer>")
"""A letter or a number alone: no sentence that could be checked, and too short a quote to be found."""
_ENDS = (r"\n\s*\n", r"\n", r"[.!?;]\s+", r"\s+")
"""Where a text may be cut, best first."""


class ClaimPrompt:
    """The templates of faithfulness, for one rubric.

    Args:
        rubric: Gives guidelines and axis descriptions.
        evidence: Whether the judge is asked for passages of the sources.

    Raises:
        PromptError: A template is missing or wrong.
    """

    def __init__(self, rubric: Rubric, *, evidence: bool = True) -> None:
        self.rubric = rubric
        self.evidence = evidence
        self._templates = Templates("faithfulness", _TEMPLATES)
        self._record = Templates("checklist", ("record",))
        self._split = self._templates.render("split_system")
        self._check = self._templates.render("check_system", evidence=evidence, guidelines=rubric.guidelines.strip())

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record and the rubric's own texts aside."""
        forms = [claims_schema(("",)), reply_schema(1, evidence=self.evidence, kind="faithfulness")]
        body = [self._templates.sources, self._record.sources, self.evidence, _PORTION, forms]
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def ask_claims(self, probes: Probes, model: JudgeModel) -> list[Request]:
        """What takes a trace apart: a request a portion of it, none where it is empty.

        Args:
            probes: The axes that ask about the trace's claims.
            model: Who is asked.

        Raises:
            PromptError: The templates cannot render this record.
        """
        record, view = probes.record, _without_sources(probes.view)
        axes = [(asked.axis, one_line(asked.unit.claim)) for asked in probes.asked]
        return [
            Request(
                model=model,
                system=self._split,
                shared=self._record.render("record", **record_values(record, view, trace=portion)),
                asked=self._templates.render("split", axes=axes),
                schema=claims_schema(tuple(axis for axis, _ in axes)),
                sample=0,
                probes=structs.replace(probes, portion=portion),
            )
            for portion in portions(_BARE_ANSWER.sub("\n", shown_trace(record, view)))
        ]

    def ask_checks(self, groups: Sequence[Probes], model: JudgeModel, *, samples: int = 1) -> list[Request]:
        """What checks claims: one request for each group of one record and view, and each sample.

        Raises:
            PromptError: The templates cannot render this record.
        """
        record, view = groups[0].record, groups[0].view
        shown = {**record_values(record, view), "tag": ""}
        points = [quoted(point) for point in _points(record, view)]
        shared = self._record.render("record", **shown) + self._templates.render("sources", units=points)
        return [
            Request(
                model=model,
                system=self._check,
                shared=shared,
                asked=self._render_claims(probes.asked),
                schema=reply_schema(len(probes.asked), evidence=self.evidence, kind="faithfulness"),
                sample=sample,
                probes=probes,
                images=images_of(record, view),
            )
            for probes in groups
            for sample in range(samples)
        ]

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The same request with a complaint; it quotes nothing of the reply."""
        return structs.replace(request, complaint=self._templates.render("complaint", faults=list(faults)))

    def _render_claims(self, asked: Sequence[AskedUnit]) -> str:
        claims = [
            (unit_name(index), each.axis, quoted(make_inert(each.unit.claim))) for index, each in enumerate(asked)
        ]
        return self._templates.render("check", claims=claims)


def sources(record: Record, view: View) -> str:
    """The texts that a claim may be supported by: what its check shows, options aside."""
    values = record_values(record, view)
    told = [values[name] for name in ("question", "context", "reasoning", "answer")]
    return "\n\n".join(str(text) for text in (*told, *_points(record, view)) if text)


@lru_cache
def claims_schema(axes: tuple[str, ...]) -> str:
    """JSON Schema of a list of claims, as text. The quote comes first: who claims first quotes what it claimed."""
    text: JsonValue = {"type": "string"}
    claim = closed_object({"quote": text, "claim": text, "axis": {"type": "string", "enum": [*axes]}})
    return orjson.dumps(closed_object({"claims": {"type": "array", "items": claim}})).decode()


def portions(text: str) -> list[str]:
    """A text in pieces that can be taken apart in one call each, cut where a paragraph or else a sentence ends."""
    pieces = []
    while len(text) > _PORTION:
        end = _cut(text)
        pieces.append(text[:end].strip())
        text = text[end:]
    return [piece for piece in (*pieces, text.strip()) if piece]


def _cut(text: str) -> int:
    """Where the first piece ends: in its second half, so that no piece is tiny."""
    for end in _ENDS:
        found = [match.end() for match in re.finditer(end, text[:_PORTION]) if match.end() > _PORTION // 2]
        if found:
            return found[-1]
    return _PORTION


def _without_sources(view: View) -> View:
    """The question, its options and the trace, as far as they are shown at all."""
    return tuple(part for part in view or get_args(Part) if part not in _NO_SOURCE)


def _points(record: Record, view: View) -> list[str]:
    """The record's units: the reference in pieces. A criterion is about traces, and says nothing of the case."""
    if view is not None and "reference" not in view:
        return []
    units = [unit for units in record.units.values() for unit in units]
    return [unit.claim for unit in units if unit.points is None and unit.polarity is None]
