"""A unit -> Requests of one token: is it raised, is it right. And for the passage that shows it.

All that is asked of one record has system text and shared text in common, byte for byte, and all that is asked of one
unit its claim too: a server that caches prefixes reads only the last lines anew.

    … </trace-0f3a9c0b12de>              shared
    # Unit … u1 (knowledge): "…"         of the unit
    Question of presence: … 0, 1 or 2:   of the probe
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson
from msgspec.structs import replace

from judge.probe import AskedUnit, Probes
from judge.prompt import JudgeModel, Request, closed_object, one_line, quoted, unit_name
from judge.rubric import Rubric
from judge.template import Templates
from judge.view import images_of, record_values

__all__ = ["LABELS", "ProbePrompt"]

LABELS = ("0", "1", "2")
"""Every answer of a probe. Digits: they are single tokens in every tokenizer."""
_TEMPLATES = ("system", "unit", "presence", "correctness", "evidence", "complaint")
_QUOTE_SCHEMA = orjson.dumps(closed_object({"evidence": {"type": "string"}})).decode()


class ProbePrompt:
    """The templates of one rubric for probes, ready to render.

    Args:
        rubric: Gives guidelines and axis descriptions.

    Raises:
        PromptError: A template is missing or wrong.
    """

    def __init__(self, rubric: Rubric) -> None:
        self.rubric = rubric
        self._templates = Templates("probe", _TEMPLATES)
        self._record = Templates("checklist", ("record",))
        self.system = self._templates.render("system", guidelines=rubric.guidelines.strip())

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record and the rubric's own texts aside."""
        body = [self._templates.sources, self._record.sources, LABELS, _QUOTE_SCHEMA]
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def ask_presence(self, groups: Sequence[Probes], model: JudgeModel, *, samples: int = 1) -> list[Request]:
        """The presence probe of each unit of one record and each sample; units vary slowest.

        Args:
            groups: One unit each, all of one record.
            model: Who is asked.
            samples: Repeats of each.

        Raises:
            PromptError: The templates cannot render this record.
        """
        record = groups[0].record
        views = dict.fromkeys(probes.view for probes in groups)
        shared = {view: self._record.render("record", **record_values(record, view)) for view in views}
        return [
            Request(
                model=model,
                system=self.system,
                shared=shared[probes.view],
                asked=self._question("presence", probes.asked[0], probes.asked[0].unit.presence_question),
                schema="",
                labels=LABELS,
                sample=sample,
                probes=probes,
                images=images_of(record, probes.view),
            )
            for probes in groups
            for sample in range(samples)
        ]

    def ask_correctness(self, presence: Request) -> Request:
        """The correctness probe of the unit that a presence probe was about."""
        (asked,) = presence.probes.asked
        text = self._question("correctness", asked, asked.unit.correctness_question)
        return replace(presence, asked=text, complaint="", ask=0)

    def ask_evidence(self, presence: Request) -> Request:
        """The call for the passage that raises the unit that a presence probe was about: JSON, and no probe."""
        (asked,) = presence.probes.asked
        text = self._question("evidence", asked, None)
        return replace(presence, asked=text, complaint="", ask=0, schema=_QUOTE_SCHEMA, labels=())

    def complain(self, request: Request, faults: Sequence[str]) -> Request:
        """The same request with a complaint; it quotes nothing of the reply, which may carry instructions."""
        return replace(request, complaint=self._templates.render("complaint", faults=list(faults)))

    def _question(self, name: str, asked: AskedUnit, question: str | None) -> str:
        description = one_line(self.rubric.axes[asked.axis].description)
        unit = {"name": unit_name(0), "axis": asked.axis, "claim": quoted(asked.unit.claim)}
        head = self._templates.render("unit", description=description, **unit)
        return head + self._templates.render(name, question=one_line(question or ""))
