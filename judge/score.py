"""Verdicts -> Scores: arithmetic only (contract §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum
from statistics import stdev
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from judge.axis import Axis, Criteria, Kind, Scale, asked_kind
from judge.criteria import as_best, as_worst, rating_share, score_criteria
from judge.tree import score_tree
from judge.verdict import Verdict

__all__ = [
    "MEASURES",
    "TRACE_MEASURES",
    "AxisScore",
    "TraceScore",
    "columns_of",
    "mean_of_samples",
    "score_axis",
    "score_of_axes",
    "score_trace",
]

MEASURES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "checklist": ("grounding", "correctness", "score"),
    "criteria": ("score",),
    "scale": ("score",),
    "faithfulness": ("score", "contradicted"),
}
"""What is measured of an axis of each kind: names of `AxisScore`, of columns, and of means in the summary."""
TRACE_MEASURES: Final = ("grounding", "correctness", "score")
"""What is measured of a trace; the first two over its checklists."""
_OF_EVERY_KIND = ("coverage", "score_low", "score_high", "score_sd")
_LEAST = 0.5  # of a raised unit: presence 1
_LEAST_PROBED = 0.25  # P(1) a hair above P(0), and P(2) = 0
CHECKLISTS: Final[Mapping[str, Axis]] = MappingProxyType({})
_ROUNDING = 1e-12  # one of four units of weight 0.1 is a little less than 0.25 of their weight


class AxisScore(Struct, frozen=True, kw_only=True, gc=False):
    """One axis of one trace; all values in [0, 1] or None, but for the scores of `healthbench`, which may be below 0.

    Attributes:
        grounding: Of a checklist: how much of the reference the trace raised.
        correctness: Of a checklist: the share of the raised units that are right; None when none is raised.
        score: Of a checklist grounding × correctness, 0 when no unit is raised.
        coverage: Weight judged / weight asked; None when the units weigh nothing.
        score_low, score_high: The score if every unjudged unit turned out at its worst, at its best.
        score_sd: Standard deviation over samples; None below two.
        contradicted: Of a trace's claims: the share that the sources contradict; None of other kinds.
    """

    score: float | None = None
    coverage: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    score_sd: float | None = None
    grounding: float | None = None
    correctness: float | None = None
    contradicted: float | None = None


class TraceScore(Struct, frozen=True, kw_only=True, gc=False):
    """All axes of one trace.

    Attributes:
        axes: The axes that have units, by name.
        grounding, correctness, score: Means over the axes that have them; None when an axis is below the coverage.
        score_sd: Standard deviation of the trace score over complete samples; None below two.
        samples: Complete samples behind the trace score.
        units_asked, units_judged: Counted over all samples.
    """

    axes: dict[str, AxisScore]
    grounding: float | None
    correctness: float | None
    score: float | None
    score_sd: float | None
    samples: int
    units_asked: int
    units_judged: int


def columns_of(kind: Kind) -> tuple[str, ...]:
    """What the tables tell of an axis of this kind, in the order of their columns: names of `AxisScore`."""
    return MEASURES[kind] + _OF_EVERY_KIND


def score_axis(verdicts: Iterable[Verdict], *, min_coverage: float = 1.0, axis: Axis | None = None) -> AxisScore:
    """Score one axis in one sample.

    Args:
        verdicts: All units of the axis, the failed ones too.
        min_coverage: Below this share of judged weight the values are None.
        axis: As the rubric has it; None for a checklist.
    """
    units = list(verdicts)
    if not _weight(units):
        return AxisScore()
    if axis is None or axis.kind == "checklist":  # most are, and pydantic's own look at a type takes longer
        return _score_checklist(units, min_coverage)
    if isinstance(axis, Scale):
        return _score_level(units[0], axis.share)
    if isinstance(axis, Criteria) and asked_kind(axis) == "rating":
        return _score_level(units[0], rating_share)
    if isinstance(axis, Criteria):
        return _score_criteria(units, min_coverage, axis)
    return _score_claims(units, min_coverage)


def _score_criteria(criteria: Sequence[Verdict], min_coverage: float, axis: Criteria) -> AxisScore:
    judged = [one for one in criteria if one.judged]
    coverage = _weight(judged) / _weight(criteria)
    complete = bool(judged) and coverage >= min_coverage - _ROUNDING
    unsure = any(one.gate and not one.judged for one in criteria)
    return AxisScore(
        score=_sum_up(judged, axis) if complete and not unsure else None,
        coverage=coverage,
        score_low=_sum_up(as_worst(criteria), axis),
        score_high=_sum_up(as_best(criteria), axis),
    )


def _sum_up(judged: Sequence[Verdict], axis: Criteria) -> float | None:
    return score_tree(judged, axis) if axis.scoring == "tree" else score_criteria(judged, axis.scoring)


def _score_level(level: Verdict, share: Callable[[float], float]) -> AxisScore:
    """One level or rating: known, or anywhere between the lowest and the highest."""
    score = None if level.value is None else share(level.value)
    low, high = (0.0, 1.0) if score is None else (score, score)
    return AxisScore(score=score, coverage=float(score is not None), score_low=low, score_high=high)


def _score_claims(claims: Sequence[Verdict], min_coverage: float) -> AxisScore:
    """Supported / claims, and contradicted / claims, of the claims that are judged; all weigh the same."""
    judged = [claim for claim in claims if claim.judged]
    supported = sum(claim.verdict == "SUPPORTED" for claim in judged)
    coverage = len(judged) / len(claims)
    complete = bool(judged) and coverage >= min_coverage - _ROUNDING
    return AxisScore(
        score=supported / len(judged) if complete else None,
        coverage=coverage,
        score_low=supported / len(claims),
        score_high=(supported + len(claims) - len(judged)) / len(claims),
        contradicted=sum(claim.verdict == "CONTRADICTED" for claim in judged) / len(judged) if complete else None,
    )


def _weight(verdicts: Sequence[Verdict]) -> float:
    return sum([one.weight for one in verdicts])


def _score_checklist(units: Sequence[Verdict], min_coverage: float) -> AxisScore:
    """A checklist's sums (contract §2).

        grounding   = Σ w·p/2 / Σ w                     over the judged units
        correctness = Σ_{p≥1} w·[c = 1] / Σ_{p≥1} w
        score       = grounding × correctness           0 when no unit is raised

    Of probes, with p_present in place of p/2 and p_correct in place of [c = 1]; which units are raised is as likeliest.

    Source:
        OpenMedReason-Bench, arXiv 2606.12169. Units of unequal weight and unjudged units are ours.
    """
    judged = [unit for unit in units if unit.judged]
    sums = _Sums.of(judged)
    score = sums.score()
    # Not the difference of the two sums: beside a unit that weighs a thousand times as much, it would be rounded.
    missing = 0.0 if len(judged) == len(units) else _weight([unit for unit in units if not unit.judged])
    coverage = sums.weight / _weight(units)
    complete = sums.weight > 0 and coverage >= min_coverage - _ROUNDING
    return AxisScore(
        grounding=sums.presence / sums.weight if complete else None,
        correctness=sums.right / sums.raised if complete and sums.raised else None,
        score=score if complete else None,
        coverage=coverage,
        score_low=sums.with_missing(missing, presence=sums.least_raised, right=0.0).score() if missing else score,
        score_high=sums.with_missing(missing, presence=1.0, right=1.0).score() if missing else score,
    )


def score_trace(
    verdicts: Sequence[Verdict], *, min_coverage: float = 1.0, axes: Mapping[str, Axis] = CHECKLISTS
) -> TraceScore:
    """Score one trace: per sample first, then the mean of the complete samples.

    Args:
        verdicts: Every unit of every axis and sample.
        min_coverage: In [0, 1]; see `score_axis`.
        axes: As the rubric has them; those that are not named are checklists.
    """
    samples = [
        _score_sample([verdict for verdict in verdicts if verdict.sample == sample], min_coverage, axes)
        for sample in sorted({verdict.sample for verdict in verdicts})
    ]
    return samples[0] if len(samples) == 1 else mean_of_samples(samples)


def mean_of_samples(samples: Sequence[TraceScore]) -> TraceScore:
    """The means over the samples that are complete, each of them as `score_of_axes` gives it."""
    complete = [sample for sample in samples if sample.score is not None]
    scores = [sample.score for sample in complete if sample.score is not None]
    return TraceScore(
        axes=_merge_axes(samples),
        grounding=_mean(sample.grounding for sample in complete),
        correctness=_mean(sample.correctness for sample in complete),
        score=_mean(scores),
        score_sd=_spread(scores),
        samples=len(complete),
        units_asked=sum(sample.units_asked for sample in samples),
        units_judged=sum(sample.units_judged for sample in samples),
    )


class _Sums(Struct, frozen=True, gc=False):
    """Weight judged, Σ w·p/2, weight raised, weight raised and right, and the least that a raised unit can ground."""

    weight: float
    presence: float
    raised: float
    right: float
    least_raised: float

    @classmethod
    def of(cls, judged: Sequence[Verdict]) -> _Sums:
        soft = len([unit for unit in judged if unit.p_present is not None])
        assert soft in (0, len(judged)), "verdicts of probes and of other calls are never mixed"
        weight = presence = raised = right = 0.0
        for unit in judged:
            weight += unit.weight
            presence += unit.weight * _grounded(unit)
            if unit.presence:
                raised += unit.weight
                right += unit.weight * _right(unit)
        return cls(weight, presence, raised, right, _LEAST_PROBED if soft else _LEAST)

    def score(self) -> float:
        return self.presence / self.weight * self.right / self.raised if self.raised else 0.0

    def with_missing(self, weight: float, *, presence: float, right: float) -> _Sums:
        """As if units of this weight were all raised.

        Worst is a unit that is only just raised, and wrong: it adds to the raised weight as much as any other would,
        and least to grounding. To leave it out is never worse: no raised unit grounds less than it does, so their
        mean cannot rise by it.
        """
        return _Sums(
            self.weight + weight,
            self.presence + presence * weight,
            self.raised + weight,
            self.right + right * weight,
            self.least_raised,
        )


def _grounded(unit: Verdict) -> float:
    return (unit.presence or 0) / 2 if unit.p_present is None else unit.p_present


def _right(unit: Verdict) -> float:
    return float(unit.correctness == 1) if unit.p_correct is None else unit.p_correct


def _score_sample(verdicts: Sequence[Verdict], min_coverage: float, axes: Mapping[str, Axis]) -> TraceScore:
    of_axes: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        of_axes.setdefault(verdict.axis, []).append(verdict)
    scored = {
        name: score_axis(units, min_coverage=min_coverage, axis=axes.get(name)) for name, units in of_axes.items()
    }
    return score_of_axes(scored, verdicts)


def score_of_axes(scored: dict[str, AxisScore], verdicts: Sequence[Verdict]) -> TraceScore:
    """One trace in one sample: the means over its axes.

    Args:
        scored: Axis by axis; one whose units weigh nothing has no coverage, and is skipped.
        verdicts: Behind them; they are only counted.
    """
    weighted = [axis for axis in scored.values() if axis.coverage is not None]
    complete = bool(weighted) and all(axis.score is not None for axis in weighted)
    return TraceScore(
        axes=scored,
        grounding=_mean(axis.grounding for axis in weighted) if complete else None,
        correctness=_mean(axis.correctness for axis in weighted) if complete else None,
        score=_mean(axis.score for axis in weighted) if complete else None,
        score_sd=None,
        samples=int(complete),
        units_asked=len(verdicts),
        units_judged=sum(verdict.judged for verdict in verdicts),
    )


def _merge_axes(samples: Sequence[TraceScore]) -> dict[str, AxisScore]:
    names = dict.fromkeys(name for sample in samples for name in sample.axes)
    return {name: _merge_axis([sample.axes[name] for sample in samples if name in sample.axes]) for name in names}


def _merge_axis(samples: Sequence[AxisScore]) -> AxisScore:
    if len(samples) == 1:
        return samples[0]
    return AxisScore(
        grounding=_mean(sample.grounding for sample in samples),
        correctness=_mean(sample.correctness for sample in samples),
        score=_mean(sample.score for sample in samples),
        coverage=_mean(sample.coverage for sample in samples),
        score_low=_mean(sample.score_low for sample in samples),
        score_high=_mean(sample.score_high for sample in samples),
        score_sd=_spread([sample.score for sample in samples if sample.score is not None]),
        contradicted=_mean(sample.contradicted for sample in samples),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None


def _spread(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None
