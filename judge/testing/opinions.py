"""What is asked × a trace -> Opinion: what an honest judge says, and what flatters; both by the kind of what is asked.

checklist   honest: as the closest sentence has it                      flattering: raised and right
criteria    MET where the closest sentence says it                      MET where that is good, UNMET where it is bad
scale       the level by how much of the reference the trace says       the highest level
preference  the trace that says more of the reference                   the first
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from judge.testing.ask import Ask
from judge.testing.overlap import closest, find, share_said
from judge.testing.preferences import prefer
from judge.testing.units import AskedUnit, UnitKind

_Answer: TypeAlias = Mapping[str, object]
_HALF = 0.5


class Opinion(NamedTuple):
    """What a judge thinks of one unit, criterion or scale.

    Args:
        answer: The fields by which its kind is answered, in their order.
        evidence: An exact quote; None where no passage shows it.
    """

    answer: _Answer
    evidence: str | None
    reason: str


def honest(ask: Ask, unit: AskedUnit) -> Opinion:
    """By the words that the trace has; a pure function of the record, the trace and what is asked."""
    return _HONEST[unit.kind](ask, unit)


def flattering(unit: AskedUnit) -> _Answer:
    """What a trace would like to be said."""
    return _FLATTERING[unit.kind](unit)


def written(ask: Ask, opinion: Opinion) -> dict[str, object]:
    """As it stands in a reply."""
    verdict = {"reason": opinion.reason, **opinion.answer}
    return {"evidence": opinion.evidence, **verdict} if ask.with_evidence else verdict


def _raised(ask: Ask, unit: AskedUnit) -> Opinion:
    found = find(ask.trace, unit.claim)
    reason = f"{found.overlap:.0%} of the claim's words are in the closest sentence."
    return Opinion({"presence": found.presence, "correctness": found.correctness}, found.evidence, reason)


def _met(ask: Ask, unit: AskedUnit) -> Opinion:
    """Whether it is so; whether that is good or bad is another question."""
    found = find(ask.trace, unit.claim)
    met = found.overlap >= _HALF and found.correctness == 1
    reason = f"{found.overlap:.0%} of the criterion's words are in the closest sentence."
    return Opinion({"verdict": "MET" if met else "UNMET"}, found.evidence if met else None, reason)


def _placed(ask: Ask, unit: AskedUnit) -> Opinion:
    """The shares of the levels are equal: of four, the second is from 25 % to 50 %."""
    wanted = ask.shown.get("Reference") or " ".join(ask.shown.values())
    share, levels = share_said(ask.trace, wanted), list(unit.levels)
    level = levels[min(int(share * len(levels)), len(levels) - 1)] if levels else 0
    reason = f"The trace has {share:.0%} of the words of the reference, or of the question where there is none."
    return Opinion({"value": level}, closest(ask.trace, wanted), reason)


def _preferred(ask: Ask) -> Opinion:
    better, evidence, reason = prefer(ask)
    return Opinion({"preferred": better}, evidence, reason)


_HONEST: Mapping[UnitKind, Callable[[Ask, AskedUnit], Opinion]] = {
    "checklist": _raised,
    "criteria": _met,
    "scale": _placed,
    "preference": lambda ask, _: _preferred(ask),
}
_FLATTERING: Mapping[UnitKind, Callable[[AskedUnit], _Answer]] = {
    "checklist": lambda _: {"presence": 2, "correctness": 1},
    "criteria": lambda unit: {"verdict": "UNMET" if unit.bad else "MET"},
    "scale": lambda unit: {"value": max(unit.levels, default=0)},
    "preference": lambda _: {"preferred": "A"},
}
