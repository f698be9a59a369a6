"""Two traces of a question -> Requests: which is better, axis by axis, with one of the two shown first.

A judge is never told whose traces they are: they are A and B by where they stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import orjson
from msgspec import structs

from judge.preference import OVERALL
from judge.probe import MAX_UNITS_PER_CALL, AskedUnit, Granularity, Probes, batches
from judge.prompt import JudgeModel, Request, one_line, reply_schema, unit_name
from judge.record import Record, Unit
from judge.rubric import Rubric
from judge.template import Templates
from judge.view import View, images_of, record_values, shown_text

__all__ = ["PairPrompt"]

_TEMPLATES = ("system", "traces", "questions", "complaint")
_WHOLE: Final = "Which trace is better as a whole, everything taken together?"


class PairPrompt:
    """The templates of preferences, for one rubric.

    Args:
        rubric: Gives guidelines and axes.
        evidence: Whether the judge is asked for quotes.

    Attributes:
        asked: What is asked about, by axis: those of the rubric, and the traces as a whole.

    Raises:
        PromptError: A template is missing or wrong.
    """

    def __init__(self, rubric: Rubric, *, evidence: bool = True) -> None:
        self.evidence = evidence
        axes: dict[str, tuple[str, View]] = {
            name: (axis.description, axis.view) for name, axis in rubric.preferences.items()
        }
        axes.setdefault(OVERALL, (_WHOLE, None))
        self.asked = {name: _question(name, *told) for name, told in axes.items()}
        self._templates = Templates("preference", _TEMPLATES)
        self._record = Templates("checklist", ("record",))
        self._system = self._templates.render("system", evidence=evidence, guidelines=rubric.guidelines.strip())

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the records and the rubric's own texts aside."""
        form = reply_schema(1, evidence=self.evidence, kind="preference")
        body = [self._templates.sources, self._record.sources, self.evidence, MAX_UNITS_PER_CALL, _WHOLE, form]
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    @property
    def shows_images(self) -> bool:
        """Whether anything is judged by the question's images."""
        return any(one.view is None or "image" in one.view for one in self.asked.values())

    def build_requests(
        self,
        question: Record,
        traces: tuple[str, str],
        model: JudgeModel,
        *,
        granularity: Granularity = "axis",
        axes: Collection[str],
    ) -> list[Request]:
        """All calls of one order.

        Args:
            question: What both traces answer, with its images.
            traces: In the order in which they are shown.
            model: Who is asked.
            granularity: `trace` asks about all axes together, the others about one axis a call.
            axes: Those that are asked about.

        Raises:
            PromptError: The templates cannot render this record.
        """
        asked = [one for name, one in self.asked.items() if name in axes]
        shared = {
            view: self._render_shared(question, traces, view) for view in dict.fromkeys(one.view for one in asked)
        }
        return [
            Request(
                model=model,
                system=self._system,
                shared=shared[group[0].view],
                asked=self._render_questions(group),
                schema=reply_schema(len(group), evidence=self.evidence, kind="preference"),
                sample=0,
                probes=Probes(record=question, asked=group),
                images=images_of(question, group[0].view),
            )
            for group in _groups(asked, granularity)
        ]

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The same request with a complaint; it quotes nothing of the reply, which may carry instructions."""
        return structs.replace(request, complaint=self._templates.render("complaint", faults=list(faults)))

    def _render_shared(self, question: Record, traces: tuple[str, str], view: View) -> str:
        """The question, and each trace in a fence of its own hash, which no text can close."""
        shown = [shown_text(trace, view) for trace in traces]
        fenced = [
            (name, hashlib.sha256(trace.encode()).hexdigest()[:12], trace)
            for name, trace in zip("AB", shown, strict=True)
        ]
        before = self._record.render("record", **{**record_values(question, view), "tag": ""})
        return before + self._templates.render("traces", traces=fenced)

    def _render_questions(self, group: Sequence[AskedUnit]) -> str:
        questions = [(unit_name(place), one.axis, one_line(one.unit.claim)) for place, one in enumerate(group)]
        return self._templates.render("questions", questions=questions)


def _question(axis: str, description: str, view: View) -> AskedUnit:
    unit = Unit(unit_id="preference", claim=description)
    return AskedUnit(axis=axis, unit=unit, weight=1.0, kind="preference", view=view)


def _groups(asked: Sequence[AskedUnit], granularity: Granularity) -> Iterator[tuple[AskedUnit, ...]]:
    """Those that share a call: of one view, as all of a call see the same."""
    if granularity != "trace":
        yield from ((one,) for one in asked)
        return
    for view in dict.fromkeys(one.view for one in asked):
        yield from batches([one for one in asked if one.view == view], MAX_UNITS_PER_CALL)
