"""Verdicts and Scores -> the sums behind them, as a person would write them (contract §2).

    perception_grounding = (2·2/2 + 1·0/2) / (2 + 1) = 0.6667

A line reads as a formula: with * for · and ×, what stands between two = is what stands after them, rounded. The last
number of each line is the score's own, and not computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from judge.axis import RATINGS, Axis, Criteria, Faithfulness, Scale, asked_kind
from judge.criteria import score_criteria
from judge.criterion import Criterion, Scoring, each_family
from judge.score import AxisScore, TraceScore
from judge.tree import good_leaves, score_siblings
from judge.verdict import Verdict

__all__ = ["number", "work_axis", "work_trace"]


def work_axis(axis: str, verdicts: Sequence[Verdict], score: AxisScore, kind: Axis | None = None) -> list[str]:
    """What leads to the score of one axis, a line a number; one line for an axis without a score.

    Args:
        axis: Its name.
        verdicts: Its units in one sample, all of them judged.
        score: Of `score_axis`.
        kind: The axis as the rubric has it; None for a checklist.
    """
    if score.coverage is None:
        return [f"{axis}_score = null, as its units weigh nothing"]
    if isinstance(kind, Scale):
        return [_work_level(axis, verdicts[0], score, kind.anchors)]
    if isinstance(kind, Criteria) and asked_kind(kind) == "rating":
        return [_work_level(axis, verdicts[0], score, RATINGS)]
    if isinstance(kind, Criteria) and kind.scoring == "tree":
        return list(_work_tree(axis, verdicts, kind))
    if isinstance(kind, Criteria):
        return _work_criteria(axis, verdicts, score, kind.scoring)
    if isinstance(kind, Faithfulness):
        return _work_claims(axis, verdicts, score)
    return _work_checklist(axis, verdicts, score)


def _work_level(axis: str, verdict: Verdict, score: AxisScore, levels: Collection[int]) -> str:
    lowest, *_, highest = levels
    formula = f"({_plain(verdict.value or 0)} - {lowest}) / ({highest} - {lowest})".replace("- -", "+ ")
    return _equation(f"{axis}_score", formula, score.score)


def _work_claims(axis: str, verdicts: Sequence[Verdict], score: AxisScore) -> list[str]:
    """Shares of the claims, of which there may be many: counted, not listed."""
    told = {"score": ("SUPPORTED", score.score), "contradicted": ("CONTRADICTED", score.contradicted)}
    counts = [sum(verdict.verdict == said for verdict in verdicts) for said, _ in told.values()]
    return [
        _equation(f"{axis}_{name}", f"{count} / {len(verdicts)}", value)
        for (name, (_, value)), count in zip(told.items(), counts, strict=True)
    ]


def _work_tree(axis: str, verdicts: Sequence[Verdict], tree: Criteria) -> Iterator[str]:
    """From below; what is made of parts that all came to the same came to that too, and has no line."""
    values = good_leaves(verdicts)
    for parent, siblings in reversed([*each_family(tree.criteria)]):
        value = score_siblings(siblings, tree, values) or 0.0
        name = f"{axis}_score" if parent is None else parent.id
        if parent is None or len({values[one.id] for one in siblings}) > 1:
            yield _work_siblings(name, siblings, tree, values, value)
        values[name] = value


def _work_siblings(
    name: str, siblings: Sequence[Criterion], tree: Criteria, values: Mapping[str, float], value: float
) -> str:
    for one in siblings:
        if one.gate and not values[one.id]:
            return f"{name} = 0, as the gate {one.id} leaves no more"
    formula = _mean([tree.worth(one) for one in siblings], [number(values[one.id]) for one in siblings])
    return _equation(name, formula, value)


def _work_criteria(axis: str, verdicts: Sequence[Verdict], score: AxisScore, scoring: Scoring) -> list[str]:
    gains = [verdict for verdict in verdicts if (verdict.points or 0) > 0]
    uncut: Scoring = scoring
    if scoring == "rar_explicit" or (scoring == "weighted" and not gains):
        formula = _share(verdicts, _good)
    elif gains:
        met = [_plain(verdict.points or 0) for verdict in verdicts if verdict.verdict == "MET"]
        formula = f"{_sum(met or ['0'])} / {_sum([_plain(verdict.points or 0) for verdict in gains])}"
        uncut = "healthbench"
    else:
        return [f"{axis}_score = null, as no points are positive"]
    plain = score_criteria([replace(verdict, gate=None) for verdict in verdicts], uncut)
    if plain == score.score:
        return [_equation(f"{axis}_score", formula, score.score)]
    failed = [verdict.unit_id for verdict in verdicts if verdict.gate and not verdict.value]
    why = f"the gate {failed[0]} leaves no more" if failed else "it is cut to [0, 1]"
    return [_equation(f"{axis}_sum", formula, plain), f"{axis}_score = {number(score.score)}, as {why}"]


def _work_checklist(axis: str, verdicts: Sequence[Verdict], score: AxisScore) -> list[str]:
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
    return _mean([verdict.weight for verdict in verdicts], [term(verdict) for verdict in verdicts])


def _mean(weights: Sequence[float], terms: Sequence[str]) -> str:
    above = [_weighed(weight, term) for weight, term in zip(weights, terms, strict=True)]
    if all(weight == 1 for weight in weights):
        return f"{_sum(above)} / {len(weights)}" if len(weights) > 1 else above[0]
    return f"{_sum(above)} / {_sum([_plain(weight) for weight in weights])}"


def _weighed(weight: float, term: str) -> str:
    return term if weight == 1 else f"{_plain(weight)}·{term}"


def _sum(terms: Sequence[str]) -> str:
    return f"({' + '.join(terms)})".replace("+ -", "- ") if len(terms) > 1 else terms[0]


def _grounded(verdict: Verdict) -> str:
    return f"{verdict.presence}/2" if verdict.p_present is None else _plain(verdict.p_present)


def _right(verdict: Verdict) -> str:
    return str(int(verdict.correctness == 1)) if verdict.p_correct is None else _plain(verdict.p_correct)


def _good(verdict: Verdict) -> str:
    return _plain(verdict.value or 0.0)


def _plain(value: float) -> str:
    """The number as it was given, not rounded."""
    return str(value).removesuffix(".0")
