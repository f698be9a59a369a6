"""The sums that are shown are those that are computed: every line is evaluated as it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.arithmetic import number, work_axis, work_trace
from judge.axis import Criteria, Scale
from judge.criterion import Scoring
from judge.score import score_axis, score_trace
from judge.verdict import Verdict

_WEIGHTS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 3.5, 1 / 3])
_HARD = st.tuples(st.sampled_from([(0, None), (1, -1), (1, 0), (1, 1), (2, -1), (2, 0), (2, 1)]), _WEIGHTS)


def verdict(presence: int, correctness: int | None = None, *, weight: float = 1.0, axis: str = "seen", **more: float):
    about = {"axis": axis, "unit_id": "U", "claim": "c", "importance": None, "weight": weight}
    return Verdict(**about, presence=presence, correctness=correctness, **more)


def worked(*verdicts: Verdict) -> list[str]:
    return work_axis("seen", verdicts, score_axis(verdicts))


def value_of(formula: str) -> float:
    assert set(formula) <= set("0123456789.()+-/·× "), formula
    return float(eval(formula.replace("·", "*").replace("×", "*")))


def check(line: str, score: float | None) -> None:
    """`name = formula = number`: the number is the score's, and the formula comes to it."""
    *formulas, last = line.split(" = ")[1:]
    assert last == number(score)
    # Scores in a formula have four digits: a product or a mean of them is off by 0.0001 at most, and is rounded again.
    assert all(value_of(formula) == pytest.approx(score, abs=1.6e-4) for formula in formulas)


def test_as_a_person_would_write_it() -> None:
    assert worked(verdict(2, 1), verdict(2, -1), verdict(0)) == [
        "seen_grounding = (2/2 + 2/2 + 0/2) / 3 = 0.6667",
        "seen_correctness = (1 + 0) / 2 = 0.5",
        "seen_score = 0.6667 × 0.5 = 0.3333",
    ]


def test_weights_stand_where_they_count() -> None:
    # (2·1/2 + 0.5·2/2 + 1·2/2) / 3.5 = 2.5 / 3.5; right are 0.5 and 1 of 3.5; 0.7143 · 0.4286 = 0.3061
    assert worked(verdict(1, -1, weight=2.0), verdict(2, 1, weight=0.5), verdict(2, 1)) == [
        "seen_grounding = (2·1/2 + 0.5·2/2 + 2/2) / (2 + 0.5 + 1) = 0.7143",
        "seen_correctness = (2·0 + 0.5·1 + 1) / (2 + 0.5 + 1) = 0.4286",
        "seen_score = 0.7143 × 0.4286 = 0.3061",
    ]


def test_one_unit_needs_no_sum() -> None:
    assert worked(verdict(1, 1))[0] == "seen_grounding = 1/2 = 0.5"
    assert worked(verdict(1, 1, weight=3.0))[0] == "seen_grounding = 3·1/2 / 3 = 0.5"


def test_probabilities_stand_in_their_place() -> None:
    soft = [verdict(2, 1, p_present=0.95, p_correct=0.9), verdict(0, p_present=0.1, weight=2.0)]
    # (0.95 + 0.2) / 3 = 0.3833; · 0.9 = 0.345
    assert worked(*soft) == [
        "seen_grounding = (0.95 + 2·0.1) / (1 + 2) = 0.3833",
        "seen_correctness = 0.9",
        "seen_score = 0.3833 × 0.9 = 0.345",
    ]


def test_what_is_null_says_why() -> None:
    assert worked(verdict(0), verdict(0))[1:] == ["seen_correctness = null, as no unit is raised", "seen_score = 0"]
    assert worked(verdict(2, 1, weight=0.0)) == ["seen_score = null, as its units weigh nothing"]
    weightless = [verdict(2, 1, weight=0.0)]
    assert work_trace(score_trace(weightless)) == "trace_score = null, as no axis has a score"


def test_an_axis_that_weighs_nothing_is_in_no_mean() -> None:
    verdicts = [verdict(2, 1), verdict(1, 1, axis="known"), verdict(2, 1, axis="empty", weight=0.0)]
    assert work_trace(score_trace(verdicts)) == "trace_score = (1 + 0.5) / 2 = 0.75"
    assert work_trace(score_trace(verdicts[:1])) == "trace_score = 1"


def criterion(points: float, verdict: str, *, polarity: str = "positive", gate: bool = False) -> Verdict:
    value = float((verdict == "MET") == (polarity == "positive"))
    about = {"axis": "safe", "unit_id": f"c{points:g}", "claim": "c", "importance": None, "weight": abs(points)}
    return Verdict(**about, kind="criteria", verdict=verdict, value=value, points=points, polarity=polarity, gate=gate)


def judged(scoring: Scoring, *verdicts: Verdict) -> list[str]:
    axis = Criteria(kind="criteria", description="d", scoring=scoring)
    return work_axis("safe", verdicts, score_axis(verdicts, axis=axis), axis)


def test_a_level_is_a_share_of_the_way() -> None:
    levels = [{"level": level, "anchor": "a"} for level in (-1, 1, 4)]
    scale = Scale.model_validate({"kind": "scale", "description": "d", "levels": levels})
    about = {"axis": "a", "unit_id": "level", "claim": "d", "importance": None, "weight": 1.0}
    fair = Verdict(**about, kind="scale", value=1.0)
    assert work_axis("a", [fair], score_axis([fair], axis=scale), scale) == ["a_score = (1 + 1) / (4 + 1) = 0.4"]


def test_points_that_are_met_stand_over_those_that_can_be_gained() -> None:
    verdicts = [criterion(5, "MET"), criterion(2, "UNMET"), criterion(-3, "MET", polarity="negative")]
    # (5 - 3) / 7 and, of the weights 5, 2 and 3, the good side of the first holds.
    assert judged("healthbench", *verdicts) == ["safe_score = (5 - 3) / (5 + 2) = 0.2857"]
    assert judged("weighted", *verdicts) == ["safe_score = (5 - 3) / (5 + 2) = 0.2857"]
    assert judged("rar_explicit", *verdicts) == ["safe_score = (5·1 + 2·0 + 3·0) / (5 + 2 + 3) = 0.5"]


def test_what_a_cut_or_a_gate_leaves_is_told_with_the_sum() -> None:
    bad = criterion(-3, "MET", polarity="negative")
    assert judged("weighted", criterion(2, "UNMET"), bad) == [
        "safe_sum = -3 / 2 = -1.5",
        "safe_score = 0, as it is cut to [0, 1]",
    ]
    assert judged("healthbench", criterion(2, "UNMET"), bad) == ["safe_score = -3 / 2 = -1.5"]
    assert judged("weighted", criterion(2, "MET"), criterion(4, "UNMET", gate=True)) == [
        *("safe_sum = 2 / (2 + 4) = 0.3333", "safe_score = 0, as the gate c4 leaves no more")
    ]


def test_criteria_that_can_gain_nothing() -> None:
    bad, avoided = (criterion(-3, verdict, polarity="negative") for verdict in ("MET", "UNMET"))
    assert judged("healthbench", bad) == ["safe_score = null, as no points are positive"]
    # Only negative ones: the share of the weight whose good side holds.
    assert judged("weighted", bad, avoided) == ["safe_score = (3·0 + 3·1) / (3 + 3) = 0.5"]
    assert judged("healthbench", criterion(2, "UNMET")) == ["safe_score = 0 / 2 = 0"]


_CRITERION = st.builds(
    lambda points, verdict, gate: criterion(
        points, verdict, polarity="positive" if points >= 0 else "negative", gate=gate
    ),
    st.sampled_from([-5.0, -1.0, -0.3, 0.0, 0.7, 1.0, 4.0]),
    st.sampled_from(["MET", "UNMET"]),
    st.booleans(),
)


@given(st.lists(_CRITERION, min_size=1, max_size=5), st.sampled_from(["weighted", "healthbench", "rar_explicit"]))
def test_every_line_of_criteria_comes_to_its_number(verdicts: list[Verdict], scoring: Scoring) -> None:
    axis = Criteria(kind="criteria", description="d", scoring=scoring)
    score = score_axis(verdicts, axis=axis)
    lines = work_axis("safe", verdicts, score, axis)
    told = lines[-1].split(", as ")[0].split(" = ")[-1]
    assert told == number(score.score)
    if len(parts := lines[0].split(" = ")) == 3:
        assert value_of(parts[1]) == pytest.approx(float(parts[2]), abs=6e-5)


@given(st.lists(_HARD, min_size=1, max_size=6))
def test_every_line_comes_to_its_score(units: list[tuple[tuple[int, int | None], float]]) -> None:
    verdicts = [verdict(*said, weight=weight) for said, weight in units]
    score = score_axis(verdicts)
    lines = [line for line in work_axis("seen", verdicts, score) if "null" not in line]
    for line in lines:
        check(line, getattr(score, line.split(" = ")[0].removeprefix("seen_")))
    assert len(lines) == sum(value is not None for value in (score.grounding, score.correctness, score.score))


@given(st.lists(st.lists(_HARD, min_size=1, max_size=2), min_size=1, max_size=4))
def test_the_mean_comes_to_the_score_of_the_trace(axes: list[list[tuple[tuple[int, int | None], float]]]) -> None:
    verdicts = [
        verdict(*said, weight=weight, axis=f"a{place}") for place, units in enumerate(axes) for said, weight in units
    ]
    score = score_trace(verdicts)
    if score.score is not None:
        check(work_trace(score), score.score)
