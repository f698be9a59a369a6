"""A unit -> Requests of one token: is it raised, is it right. And for the passage that shows it. A scale -> its level.

All that is asked of one record about units has system text and shared text in common, byte for byte, and so has all
that is asked about scales; all that is asked of one unit has its claim too: a server that caches prefixes reads only
the last lines anew.

    … </trace-0f3a9c0b12de>              shared
    # Unit … u1 (knowledge): "…"         of the unit
    Question of presence: … 0, 1 or 2:   of the probe

The labels of a scale are its levels themselves, which have to be digits then. Letters in their place would be another
question than the one that is asked in writing, and judges prefer some letters whatever they stand for (arXiv
2309.03882).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson
from msgspec.structs import replace

from judge.axis import Scale
from judge.errors import ConfigError
from judge.probe import AskedUnit, Probes
from judge.prompt import JudgeModel, Request, closed_object, one_line, quoted, unit_name
from judge.rubric import Rubric
from judge.template import Templates
from judge.view import images_of, record_values

__all__ = ["LABELS", "ProbePrompt", "refuse_unprobed"]

LABELS = ("0", "1", "2")
"""Every answer of a unit's probe. Digits: they are single tokens in every tokenizer."""
_DIGITS = range(10)
_PROBED = ("checklist", "scale")
_TEMPLATES = ("system", "unit", "presence", "correctness", "evidence", "complaint")
_OF_SCALES = ("scale_system", "level")
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
        self._of_scales = Templates("probe", _OF_SCALES)
        guidelines = rubric.guidelines.strip()
        self.system = {
            "checklist": self._templates.render("system", guidelines=guidelines),
            "scale": self._of_scales.render("scale_system", guidelines=guidelines),
        }

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that the judge is told, the record and the rubric's own texts aside."""
        body = [self._templates.sources, self._record.sources, LABELS, _QUOTE_SCHEMA]
        body += [self._of_scales.sources] * ("scale" in self.rubric.kinds)  # judges of before have none
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def ask_first(self, groups: Sequence[Probes], model: JudgeModel, *, samples: int = 1) -> list[Request]:
        """The presence probe of each unit, and the level probe of each scale, of one record and each sample.

        Args:
            groups: One unit or scale each, all of one record; they vary slowest.
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
                system=self.system[probes.kind],
                shared=shared[probes.view],
                asked=self._first_question(probes.asked[0]),
                schema="",
                labels=_labels(probes.asked[0]),
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

    def _first_question(self, asked: AskedUnit) -> str:
        if asked.kind != "scale":
            return self._question("presence", asked, asked.unit.presence_question)
        *lower, highest = _labels(asked)
        return self._of_scales.render(
            "level",
            name=unit_name(0),
            axis=asked.axis,
            description=quoted(one_line(asked.unit.claim)),
            levels=[(level, one_line(anchor)) for level, anchor in asked.levels.items()],
            choice=f"{', '.join(lower)} or {highest}",
        )

    def _question(self, name: str, asked: AskedUnit, question: str | None) -> str:
        description = one_line(self.rubric.axes[asked.axis].description)
        unit = {"name": unit_name(0), "axis": asked.axis, "claim": quoted(asked.unit.claim)}
        head = self._templates.render("unit", description=description, **unit)
        return head + self._templates.render(name, question=one_line(question or ""))


def refuse_unprobed(rubric: Rubric) -> None:
    """Raise where an axis cannot be asked about by one token.

    Raises:
        ConfigError: Says which, and what to do.
    """
    others = [f"{name} ({axis.kind})" for name, axis in rubric.scored.items() if axis.kind not in _PROBED]
    if others:
        what = f"the rubric {rubric.name!r} has axes of other kinds: {', '.join(others)}"
        raise ConfigError(f"only checklists and scales can be probed, and {what}.", hint="Leave --probe out.")
    for name, axis in rubric.scored.items():
        long = [str(level) for level in axis.anchors if level not in _DIGITS] if isinstance(axis, Scale) else []
        if long:
            raise ConfigError(
                f"a probe's answer is one digit, and the scale {name!r} has levels that are none: {', '.join(long)}.",
                hint="Number its levels from 0 to 9: scores stay as they are where all levels move by the same number. "
                "Or leave --probe out.",
            )


def _labels(asked: AskedUnit) -> tuple[str, ...]:
    """What may be answered, the lowest first."""
    return tuple(map(str, asked.levels)) if asked.kind == "scale" else LABELS
