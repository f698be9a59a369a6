"""The judge's words -> Verdicts: the evidence is verified, and what breaks the rule is a failure.

A unit that was not raised has no correctness and no evidence, whatever was said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from judge.axis import AskedKind
from judge.evidence import Found, TraceText
from judge.probe import AskedUnit
from judge.record import Polarity
from judge.words import (
    ClaimWords,
    CriterionReply,
    Met,
    PlainCriterionReply,
    PlainScaleReply,
    ScaleReply,
    Support,
    UnitWords,
    Words,
)

__all__ = [
    "Estimator",
    "EvidenceRule",
    "Verdict",
    "about_unit",
    "contentless_verdict",
    "failed_verdict",
    "lack_of_evidence",
    "verify",
    "verify_claim",
    "verify_quote",
]

EvidenceRule = Literal["required", "flag", "none"]
Estimator = Literal["expectation", "level"]
"""What the value of a scale is: what is expected of its levels' probabilities, or the level that the judge stated."""


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """A checked answer for one unit or criterion and one sample, or the reason why there is none.

    Attributes:
        kind: Of the axis, or `rating`: which of the values below say what was found.
        claim: Of the unit, or the text of the criterion.
        weight: What it counts in coverage, at least 0: the unit's weight, the size of the criterion's points, or the
            share that a leaf has in its tree.
        presence: 0 not raised, 1 partly or implied, 2 clearly raised; None when there is no verdict.
        correctness: -1 wrong, 0 unclear, 1 right; None where presence is 0 or None.
        verdict: Of a criterion: whether it holds. Of a claim: what the sources say of it. None where there is none.
        value: Of a criterion: 1 where its good side holds, else 0. Of a claim: 1 where it is supported, else 0. Of a
            scale: the level, or the expectation over its levels, as `estimator` says. Of all criteria together: the
            rating.
        level: Of a scale: the level that was stated, or the likeliest; of a rating: the same as `value`.
        estimator: Of a scale, failed ones too; the same in every verdict of a run.
        points: Of a criterion: what it is worth where it holds; in a tree, what it weighs among its siblings.
        polarity: Of a criterion: whether it is good that it holds.
        gate: Of a criterion: if its good side does not hold, the axis scores 0 at most; in a tree, its parent.
        p_present: Of a probe: the expectation of presence / 2, in [0, 1]. Known of some units that failed later.
        p_correct: Of a probe of a raised unit: the probability that it is right, in [0, 1].
        evidence: The passage of the trace; the judge's own words where they were not found.
        evidence_start, evidence_end: Half-open offsets in code points of the trace.
        evidence_found: How it was found, or `no`; None where there is nothing to find.
        source: Of a claim: the passage of question, context or reference that decides it, or the judge's own words.
        source_found: How that was found, or `no`; None where there is nothing to find.
        failure: Why there is no verdict, as a short word.
        call_id: The call that gave it; None where nothing was asked.
    """

    axis: str
    unit_id: str
    claim: str
    importance: str | None
    weight: float
    kind: AskedKind = "checklist"
    sample: int = 0
    presence: int | None = None
    correctness: int | None = None
    verdict: Met | Support | None = None
    value: float | None = None
    level: int | None = None
    estimator: Estimator | None = None
    points: float | None = None
    polarity: Polarity | None = None
    gate: bool | None = None
    p_present: float | None = None
    p_correct: float | None = None
    evidence: str | None = None
    evidence_start: int | None = None
    evidence_end: int | None = None
    evidence_found: Found | Literal["no"] | None = None
    source: str | None = None
    source_found: Found | Literal["no"] | None = None
    reason: str | None = None
    failure: str | None = None
    call_id: str | None = None

    @property
    def judged(self) -> bool:
        """Presence is known, and correctness too where the unit was raised; or whether the criterion holds."""
        return self.failure is None and (self.presence is not None or self.value is not None)


def verify(
    replied: Words,
    asked: AskedUnit,
    trace: TraceText,
    rule: EvidenceRule,
    *,
    sample: int = 0,
    call_id: str | None = None,
) -> Verdict:
    """Check one unit's words against the trace.

    Args:
        replied: In the declared form.
        asked: The unit or criterion.
        trace: The candidate's text.
        rule: `required` makes a presence without found evidence a failure, `flag` only marks it, `none` looks at none.
            A criterion may hold, and a level fit, without a passage that shows it ("does not mention …"): there,
            only evidence that is given has to be found.
        sample: Index of the repeat.
        call_id: The call that gave the words.

    Returns:
        A verdict; `failure` is set to `evidence_missing` or `evidence_not_found` where the rule is broken, and to
        `cannot_assess` where the judge cannot say whether a criterion holds.
    """
    about = about_unit(asked, sample, call_id)
    if not isinstance(replied, UnitWords):
        return _verify_without_need(replied, asked, trace, rule, about)
    if replied.presence == 0:  # whatever else was said of a unit that was not raised says nothing
        return Verdict(**about, presence=0, reason=replied.reason)
    quote = getattr(replied, "evidence", None) if rule != "none" else None
    found = {"evidence": None, "evidence_found": None} if rule == "none" else verify_quote(quote, trace)
    if rule == "required" and found["evidence_found"] == "no":
        return Verdict(**about, **found, reason=replied.reason, failure=lack_of_evidence(quote))
    return Verdict(**about, **found, presence=replied.presence, correctness=replied.correctness, reason=replied.reason)


def _verify_without_need(
    replied: CriterionReply | PlainCriterionReply | ScaleReply | PlainScaleReply,
    asked: AskedUnit,
    trace: TraceText,
    rule: EvidenceRule,
    about: dict[str, Any],
) -> Verdict:
    quote = getattr(replied, "evidence", None) if rule != "none" else None
    about |= {"reason": replied.reason, **(verify_quote(quote, trace) if quote else {})}
    if rule == "required" and about.get("evidence_found") == "no":
        return Verdict(**about, failure=lack_of_evidence(quote))
    if isinstance(replied, ScaleReply | PlainScaleReply):
        return Verdict(**about, value=float(replied.value), level=replied.value)
    if replied.verdict == "CANNOT_ASSESS" and not asked.unmet_if_unclear:
        return Verdict(**about, verdict=replied.verdict, failure="cannot_assess")
    return Verdict(**about, verdict=replied.verdict, value=_value(replied.verdict, asked))


def verify_claim(
    replied: ClaimWords,
    asked: AskedUnit,
    evidence: Mapping[str, Any],
    sources: TraceText,
    rule: EvidenceRule,
    *,
    seen: bool = False,
    sample: int = 0,
    call_id: str | None = None,
) -> Verdict:
    """Check the words on one claim against what it may be supported by.

    Args:
        replied: In the declared form.
        asked: The claim.
        evidence: The fields of a verdict for the passage of the trace that makes the claim.
        sources: Question, context and reference.
        rule: `required` makes a claim that is said to be supported or contradicted, without a passage that is in the
            sources, a failure; `flag` only marks it; `none` looks at no passage.
        seen: Images were shown, which can decide as well, and have no passages.
        sample: Index of the repeat.
        call_id: The call that gave the words.
    """
    decided = replied.verdict != "NOT_FOUND" and rule != "none"
    quote = getattr(replied, "source", None) if decided else None
    about = {**about_unit(asked, sample, call_id), **evidence, "reason": replied.reason}
    if decided and (quote or not seen):
        found = verify_quote(quote, sources)
        about |= {"source": found["evidence"], "source_found": found["evidence_found"]}
    if rule == "required" and about.get("source_found") == "no":
        return Verdict(**about, failure="source_not_found" if quote else "source_missing")
    return Verdict(**about, verdict=replied.verdict, value=float(replied.verdict == "SUPPORTED"))


def _value(verdict: Met, asked: AskedUnit) -> float:
    """1 where the good side of a criterion holds, else 0."""
    return float((verdict == "MET") == (asked.polarity == "positive"))


def verify_quote(quote: str | None, trace: TraceText) -> dict[str, Any]:
    """The evidence fields of a verdict for what the judge quotes: the passage of the trace, else its own words."""
    span = trace.find(quote) if quote else None
    if span is None:
        return {"evidence": quote, "evidence_found": "no"}
    text = trace.text[span.start : span.end]
    return {"evidence": text, "evidence_start": span.start, "evidence_end": span.end, "evidence_found": span.found}


def failed_verdict(asked: AskedUnit, *, sample: int, failure: str, call_id: str | None) -> Verdict:
    """A unit without a verdict, and why."""
    return Verdict(**about_unit(asked, sample, call_id), failure=failure)


def contentless_verdict(asked: AskedUnit, *, sample: int, probed: bool = False) -> Verdict:
    """Presence 0 without a call: the trace says nothing at all.

    Of a criterion: it does not hold, and neither does its good side, as saying nothing is no way to do well; of a
    scale, the lowest level, and of criteria that are rated together, the lowest rating.
    """
    about = about_unit(asked, sample, probed=probed) | {"reason": "no_content"}
    if asked.levels:
        lowest = min(asked.levels)
        return Verdict(**about, value=float(lowest), level=lowest)
    if asked.kind == "criteria":
        return Verdict(**about, verdict="UNMET", value=0.0)
    return Verdict(**about, presence=0, p_present=0.0 if probed else None)


def about_unit(asked: AskedUnit, sample: int, call_id: str | None = None, *, probed: bool = False) -> dict[str, Any]:
    """The fields of a verdict that are known before anything is asked."""
    unit = asked.unit
    estimator: Estimator = "expectation" if probed else "level"
    return {
        "axis": asked.axis,
        "unit_id": unit.unit_id,
        "claim": unit.claim,
        "importance": unit.importance,
        "weight": asked.weight,
        "kind": asked.kind,
        "points": asked.points,
        "polarity": asked.polarity,
        "gate": asked.gate,
        "estimator": estimator if asked.kind == "scale" else None,
        "sample": sample,
        "call_id": call_id,
    }


def lack_of_evidence(quote: str | None) -> str:
    """Why a quote that was not found is a failure, as a short word."""
    return "evidence_not_found" if quote else "evidence_missing"
