"""Verdicts of many judges -> one Verdict, and the scores of a trace from such verdicts (contract §2).

Per unit and sample, over the judges that have a verdict on it:

    majority   the value that more judges give than any other; two values that share the most are a split
    mean       the mean
    median     the value in the middle, of an even number the mean of the two in the middle; of yes and no, half and
               half is a split

A split has no verdict, and says so. A unit that too few judges have a verdict on has none either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from msgspec import Struct

from judge.axis import AskedKind, Axis, Faithfulness
from judge.score import AxisScore, TraceScore, mean_of_samples, score_axis, score_of_axes
from judge.verdict import Verdict

__all__ = [
    "FEW_JUDGES",
    "REDUCERS",
    "SPLIT",
    "Reducer",
    "Together",
    "outcome_of",
    "reduce_verdicts",
    "score_together",
    "usual_least",
]

Reducer: TypeAlias = Literal["majority", "mean", "median"]
REDUCERS: Final[tuple[Reducer, ...]] = get_args(Reducer)
SPLIT: Final = "split"
"""Why a unit has no verdict: as many judges say one thing as another."""
FEW_JUDGES: Final = "few_judges"
"""Why a unit, or a whole axis, has none: too few judges have a verdict on it."""
_Value = TypeVar("_Value", bound=Hashable)
_Fields: TypeAlias = dict[str, Any] | None
_HALF = 0.5
_OUTCOMES: Final = {1: "right", 0: "unclear", -1: "wrong"}
_SAME = ("axis", "unit_id", "claim", "importance", "weight", "kind", "points", "polarity", "gate", "sample")


class Together(Struct, frozen=True, kw_only=True, gc=False):
    """What a panel says of one trace.

    Attributes:
        verdicts: One for each unit and sample. The claims of a trace are each judge's own, so they have none.
        judges: How many judges each of them comes from, and what share of those say what most of them say.
        scores: None where no judge has a verdict.
    """

    verdicts: tuple[Verdict, ...]
    judges: tuple[tuple[int, float | None], ...]
    scores: TraceScore | None


def usual_least(judges: int) -> int:
    """How many of the judges must have a verdict where nobody says how many: more than half."""
    return judges // 2 + 1


def outcome_of(verdict: Verdict) -> str | None:
    """What one verdict comes to, in a word: `absent`, `right`, `wrong`, `unclear`; `MET`, `UNMET`; a level.

    None where there is no verdict.
    """
    if not verdict.judged:
        return None
    if verdict.kind == "checklist":
        return _OUTCOMES[verdict.correctness or 0] if verdict.presence else "absent"
    return verdict.verdict if verdict.level is None else str(verdict.level)


def reduce_verdicts(verdicts: Sequence[Verdict], reducer: Reducer, *, least: int) -> Verdict:
    """One verdict from those of the judges on one unit in one sample.

    Of a checklist, with J the judges that have a verdict, and R those of them with p ≥ 1:

        majority     p = most frequent p over J        c = 1 where most of R say [c = 1]
        mean, median p_present = reduced p / 2         p_correct = reduced [c = 1] over R
                     raised where the reduced p ≥ ½

    Args:
        verdicts: One a judge, in any order, the failed ones too; at least one.
        reducer: See above. Probabilities of probes are reduced in place of p / 2 and [c = 1]; a majority is of what is
            likeliest. A gate holds or does not: it is always decided by the majority.
        least: Judges that must have a verdict, at least 1.

    Returns:
        Without evidence, which is in the judges' own verdicts; `reason` counts their outcomes. With `failure`
        `few_judges` or `split` where there is no verdict.
    """
    votes = [one for one in verdicts if one.judged]
    about = {name: getattr(verdicts[0], name) for name in _SAME} | {"estimator": verdicts[0].estimator}
    if len(votes) < least:
        return Verdict(**about, reason=_tally(votes), failure=FEW_JUDGES)
    found = _REDUCED[verdicts[0].kind](votes, reducer)
    told = {"failure": SPLIT} if found is None else found
    return Verdict(**{**about, "reason": _tally(votes), **told})


def score_together(
    judges: Sequence[Sequence[Verdict]],
    reducer: Reducer,
    *,
    least: int,
    min_coverage: float = 1.0,
    axes: Mapping[str, Axis],
) -> Together:
    """Reduce the verdicts of several judges on one trace, and score the trace from them.

    Samples are reduced one by one, and the scores are the mean of theirs. Of a faithfulness axis, where each judge
    found its own claims, the axis scores are reduced: the median of them for `median`, else the mean.

    Args:
        judges: The verdicts of each judge on this trace: all units and samples, the failed ones too.
        reducer: As of `reduce_verdicts`.
        least: As of `reduce_verdicts`, and for the axis scores.
        min_coverage: In [0, 1]; as of `score_axis`, counted over the panel's own verdicts.
        axes: As the rubric has them.
    """
    samples = sorted({one.sample for verdicts in judges for one in verdicts})
    verdicts: list[Verdict] = []
    shares: list[tuple[int, float | None]] = []
    scores: list[TraceScore] = []
    for sample in samples:
        mine = [[one for one in verdicts if one.sample == sample] for verdicts in judges]
        asked = _by_unit(mine, axes)
        reduced = [reduce_verdicts(votes, reducer, least=least) for votes in asked]
        verdicts += reduced
        shares += [_share(votes) for votes in asked]
        scores.append(score_of_axes(_axes(reduced, mine, reducer, least, min_coverage, axes), reduced))
    whole = mean_of_samples(scores) if scores else None
    return Together(verdicts=tuple(verdicts), judges=tuple(shares), scores=whole)


def _by_unit(judges: Sequence[Sequence[Verdict]], axes: Mapping[str, Axis]) -> list[list[Verdict]]:
    units: dict[tuple[str, str], list[Verdict]] = {}
    for one in (one for verdicts in judges for one in verdicts):
        if not isinstance(axes.get(one.axis), Faithfulness):
            units.setdefault((one.axis, one.unit_id), []).append(one)
    return list(units.values())


def _share(verdicts: Iterable[Verdict]) -> tuple[int, float | None]:
    outcomes = Counter(outcome for one in verdicts if (outcome := outcome_of(one)) is not None)
    votes = outcomes.total()
    return votes, max(outcomes.values()) / votes if votes else None


def _axes(
    reduced: Sequence[Verdict],
    judges: Sequence[Sequence[Verdict]],
    reducer: Reducer,
    least: int,
    min_coverage: float,
    axes: Mapping[str, Axis],
) -> dict[str, AxisScore]:
    found: dict[str, AxisScore] = {}
    for name, axis in axes.items():
        if isinstance(axis, Faithfulness):
            own = [[one for one in verdicts if one.axis == name] for verdicts in judges]
            scored = [score_axis(claims, min_coverage=min_coverage, axis=axis) for claims in own if claims]
            found |= {name: _reduce_axis(scored, reducer, least)} if scored else {}
        elif units := [one for one in reduced if one.axis == name]:
            found[name] = score_axis(units, min_coverage=min_coverage, axis=axis)
    return found


def _reduce_axis(scores: Sequence[AxisScore], reducer: Reducer, least: int) -> AxisScore:
    """Of each judge's score on its own claims."""
    enough = sum(one.score is not None for one in scores) >= least
    told = {name: _middle([getattr(one, name) for one in scores], reducer) for name in AxisScore.__struct_fields__}
    return AxisScore(**(told if enough else {**told, "score": None, "contradicted": None}))


def _middle(values: Iterable[float | None], reducer: Reducer) -> float | None:
    known = [value for value in values if value is not None]
    return float((median if reducer == "median" else fmean)(known)) if known else None


def _reduce_checklist(votes: Sequence[Verdict], reducer: Reducer) -> _Fields:
    soft = reducer != "majority"
    presence = _presence([one.presence or 0 for one in votes], reducer)
    if presence is None:
        return None
    fields: dict[str, Any] = {"presence": presence}
    if soft:
        fields["p_present"] = _middle([_grounded(one) for one in votes], reducer)
    if presence == 0:
        return fields
    raised = [one for one in votes if one.presence]
    right = _yes([_right(one) if soft else float(one.correctness == 1) for one in raised], reducer)
    if right is None:
        return None
    return fields | {"correctness": _correctness(raised)} | ({"p_correct": right} if soft else {})


def _presence(given: Sequence[int], reducer: Reducer) -> int | None:
    if reducer == "majority":
        return _most(given)
    middle = _middle(given, reducer)
    assert middle is not None
    return math.floor(middle + _HALF)


def _grounded(one: Verdict) -> float:
    return (one.presence or 0) / 2 if one.p_present is None else one.p_present


def _right(one: Verdict) -> float:
    return float(one.correctness == 1) if one.p_correct is None else one.p_correct


def _correctness(raised: Sequence[Verdict]) -> int:
    """1 where more judges than not say so, 0 where half of them do; else what more of the others say: -1, or 0."""
    counts = Counter(one.correctness for one in raised)
    others = counts[0] + counts[-1]
    if counts[1] >= others:
        return int(counts[1] > others)
    return -1 if counts[-1] > counts[0] else 0


def _reduce_criterion(votes: Sequence[Verdict], reducer: Reducer) -> _Fields:
    """Whether it holds, and whether its good side does: the same but for a trace that says nothing."""
    how: Reducer = "majority" if votes[0].gate else reducer
    met = _yes([float(one.verdict == "MET") for one in votes], how)
    value = _yes([one.value or 0.0 for one in votes], how)
    if met is None or value is None:
        return None
    return {"value": value, "verdict": None if met == _HALF else "MET" if met > _HALF else "UNMET"}


def _reduce_level(votes: Sequence[Verdict], reducer: Reducer) -> _Fields:
    if reducer == "majority":
        level = _most([one.level for one in votes])
        estimator = {"estimator": "level"} if votes[0].kind == "scale" else {}
        return None if level is None else {"value": float(level), "level": level, **estimator}
    value = _middle([one.value for one in votes], reducer)
    assert value is not None
    return {"value": value, "level": int(value) if value.is_integer() else None}


_REDUCED: Mapping[AskedKind, Callable[[Sequence[Verdict], Reducer], _Fields]] = {
    "checklist": _reduce_checklist,
    "criteria": _reduce_criterion,
    "scale": _reduce_level,
    "rating": _reduce_level,
}


def _most(values: Sequence[_Value]) -> _Value | None:
    """The most frequent value; None where two are."""
    first, *rest = Counter(values).most_common(2)
    return None if rest and rest[0][1] == first[1] else first[0]


def _yes(values: Sequence[float], reducer: Reducer) -> float | None:
    """How much of a yes there is, in [0, 1]; None where it is a split."""
    if reducer == "mean":
        return fmean(values)
    return _most(values) if {*values} <= {0.0, 1.0} else median(values)


def _tally(votes: Sequence[Verdict]) -> str | None:
    """Such as `2 right, 1 absent`, whatever the order of the judges."""
    counts = Counter(outcome for one in votes if (outcome := outcome_of(one)) is not None)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {outcome}" for outcome, count in ordered) or None
