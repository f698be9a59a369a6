"""Verdicts and Scores -> the sums behind them, as a person would write them (contract §2, checklist).

    perception_grounding = (2·2/2 + 1·0/2) / (2 + 1) = 0.6667

A line reads as a formula: with * for · and ×, what stands between two = is what stands after them, rounded. The last
number of each line is the score's own, and not computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from judge.score import AxisScore, TraceScore
from judge.verdict import Verdict

__all__ = ["number", "work_axis", "work_trace"]


def work_axis(axis: str, verdicts: Sequence[Verdict], score: AxisScore) -> list[str]:
    """Grounding, correctness and score of one axis, a line each; one line for an axis without a score.

    Args:
        axis: Its name.
        verdicts: Its units in one sample, all of them judged.
        score: Of `score_axis`.
    """
    if score.grounding is None:
        return [f"{axis}_score = null, as its units weigh nothing"]
    lines = [_equation(f"{axis}_grounding", _share(verdicts, _grounded), score.grounding)]
    if score.correctness is None:
        return [*lines, f"{axis}_correctness = null, as no unit is raised", f"{axis}_score = {number(score.score)}"]
    raised = [verdict for verdict in verdicts if verdict.presence]
    product = f"{number(score.grounding)} × {number(score.correctness)}"
    return [
        *lines,
        _equation(f"{axis}_correctness", _share(raised, _right), score.correctness),
        _equation(f"{axis}_score", product, score.score),
    ]


def work_trace(score: TraceScore) -> str:
    """The mean of the axes, in one line."""
    axes: Mapping[str, float] = {name: axis.score for name, axis in score.axes.items() if axis.score is not None}
    if not axes:
        return "trace_score = null, as no axis has a score"
    if len(axes) == 1:
        return f"trace_score = {number(score.score)}"
    mean = f"({' + '.join(map(number, axes.values()))}) / {len(axes)}"
    return _equation("trace_score", mean, score.score)


def number(value: float | None) -> str:
    """At most four digits after the point; `null` for None."""
    return "null" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")


def _equation(name: str, formula: str, value: float | None) -> str:
    """One that needs no sum is told once."""
    return f"{name} = {formula}" + f" = {number(value)}" * (formula != number(value))


def _share(verdicts: Sequence[Verdict], term: Callable[[Verdict], str]) -> str:
    """`Σ w·term / Σ w`, without what is only there for a formula: a weight of 1, a sum of one."""
    above = [_weighed(verdict.weight, term(verdict)) for verdict in verdicts]
    if all(verdict.weight == 1 for verdict in verdicts):
        return f"{_sum(above)} / {len(verdicts)}" if len(verdicts) > 1 else above[0]
    return f"{_sum(above)} / {_sum([_plain(verdict.weight) for verdict in verdicts])}"


def _weighed(weight: float, term: str) -> str:
    return term if weight == 1 else f"{_plain(weight)}·{term}"


def _sum(terms: Sequence[str]) -> str:
    return f"({' + '.join(terms)})" if len(terms) > 1 else terms[0]


def _grounded(verdict: Verdict) -> str:
    return f"{verdict.presence}/2" if verdict.p_present is None else _plain(verdict.p_present)


def _right(verdict: Verdict) -> str:
    return str(int(verdict.correctness == 1)) if verdict.p_correct is None else _plain(verdict.p_correct)


def _plain(value: float) -> str:
    """The number as it was given, not rounded."""
    return str(value).removesuffix(".0")
