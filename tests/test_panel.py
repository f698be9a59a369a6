"""Verdicts of many judges -> one: every expected number is worked out in the comment beside it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from judge.axis import Axis, Criteria, Faithfulness, Scale
from judge.panel import REDUCERS, Reducer, outcome_of, reduce_verdicts, score_together, usual_least
from judge.rubric import load_rubric
from judge.score import score_trace
from judge.verdict import Verdict

PKR = load_rubric("pkr").axes


def unit(presence: int | None, correctness: int | None = None, **changes: Any) -> Verdict:
    failure = "timeout" if presence is None else None
    fields = {"axis": "perception", "unit_id": "P1", "claim": "c", "importance": None, "weight": 1.0}
    return Verdict(**{**fields, "presence": presence, "correctness": correctness, "failure": failure, **changes})


def criterion(met: bool | None, *, polarity: str = "positive", **changes: Any) -> Verdict:
    """The good side of a negative one is that it does not hold."""
    said = (
        {} if met is None else {"verdict": "MET" if met else "UNMET", "value": float(met == (polarity == "positive"))}
    )
    failure = "cannot_assess" if met is None else None
    told = {"kind": "criteria", "points": 1.0, "polarity": polarity, "failure": failure}
    return unit(None, **{**told, **said, **changes})


def level(value: float, **changes: Any) -> Verdict:
    told = {"kind": "scale", "estimator": "level", "failure": None, "value": float(value), "level": int(value)}
    return unit(None, **{**told, **changes})


def reduced(*votes: Verdict, reducer: Reducer = "majority", least: int = 1) -> Verdict:
    found = [reduce_verdicts(order, reducer, least=least) for order in permutations(votes)]
    assert all(one == found[0] for one in found), "the order of judges counts"
    return found[0]


@pytest.mark.parametrize(
    ("votes", "presence", "correctness"),
    [
        ([(2, 1), (2, 1), (0, None)], 2, 1),
        ([(2, 1), (1, 1), (1, -1)], 1, 1),  # [c = 1] of all three that raised it: 2 of 3
        ([(0, None), (0, None), (2, 1)], 0, None),
        ([(2, -1), (2, 0), (2, -1)], 2, -1),
        ([(2, -1), (2, 0), (2, 0)], 2, 0),
        ([(2, -1), (2, 0), (2, 1)], 2, 0),  # not right; wrong and unclear share the rest, so unclear
        ([(2, 1), (2, 1), (1, -1), (0, None), (0, None)], None, None),  # 2 and 0 share the most
        ([(2, 1), (2, -1)], None, None),  # p is 2, and [c = 1] is an even split
        ([(2, 1), (1, 1)], None, None),
        ([(0, None), (1, 1), (2, 1)], None, None),
    ],
)
def test_a_majority_of_units(
    votes: list[tuple[int, int | None]], presence: int | None, correctness: int | None
) -> None:
    found = reduced(*(unit(*vote) for vote in votes))
    assert (found.presence, found.correctness) == (presence, correctness)
    assert found.failure == (None if presence is not None else "split")
    assert (found.p_present, found.p_correct, found.evidence) == (None, None, None)


@pytest.mark.parametrize(
    ("reducer", "votes", "expected"),
    [
        # mean p = 4/3, nearest 1; p_present 2/3; of the two that raised it both are right
        ("mean", [(2, 1), (2, 1), (0, None)], (1, 1, 2 / 3, 1.0)),
        ("mean", [(2, 1), (2, -1)], (2, 0, 1.0, 0.5)),  # one right, one wrong: half
        ("mean", [(0, None), (1, 1)], (1, 1, 0.25, 1.0)),  # mean p = ½ counts as raised
        ("mean", [(0, None), (0, None), (1, 1)], (0, None, 1 / 6, None)),  # mean p = 1/3 does not
        ("median", [(0, None), (2, 1), (2, -1)], None),  # p = 2, and [c = 1] is half and half
        ("median", [(0, None), (1, 1), (2, 1)], (1, 1, 0.5, 1.0)),
        ("median", [(0, None), (0, None), (2, 1)], (0, None, 0.0, None)),
        ("median", [(0, None), (2, 1)], (1, 1, 0.5, 1.0)),  # the mean of the two in the middle
    ],
)
def test_means_and_medians_of_units(reducer: Reducer, votes: list[tuple[int, int | None]], expected: Any) -> None:
    found = reduced(*(unit(*vote) for vote in votes), reducer=reducer)
    if expected is None:
        assert (found.failure, found.presence, found.p_present) == ("split", None, None)
        return
    assert (found.presence, found.correctness) == expected[:2]
    assert (found.p_present, found.p_correct) == pytest.approx(expected[2:])


def test_probabilities_of_probes_are_reduced_in_their_place() -> None:
    """p_present (0.9 + 0.5 + 0.1)/3 = 0.5; raised by two: p_correct (0.8 + 0.4)/2 = 0.6. Median: 0.5, (0.8 + 0.4)/2."""
    votes = [
        unit(2, 1, p_present=0.9, p_correct=0.8),
        unit(1, 1, p_present=0.5, p_correct=0.4),
        unit(0, None, p_present=0.1),
    ]
    for reducer in ("mean", "median"):
        found = reduced(*votes, reducer=reducer)
        assert (found.presence, found.correctness) == (1, 1)
        assert (found.p_present, found.p_correct) == (pytest.approx(0.5), pytest.approx(0.6))
    assert reduced(*votes).failure == "split"  # 0, 1 and 2, once each: a majority is of what is likeliest


def test_a_judge_without_a_verdict_has_no_vote() -> None:
    votes = unit(2, 1), unit(2, 1), unit(None)
    assert reduced(*votes, least=2).presence == 2
    few = reduced(*votes, least=3)
    assert (few.presence, few.failure, few.reason) == (None, "few_judges", "2 right")
    assert reduced(unit(None), unit(None)).failure == "few_judges"


def test_the_reason_counts_what_was_said() -> None:
    assert reduced(unit(2, 1), unit(1, 1), unit(0)).reason == "2 right, 1 absent"
    assert reduced(unit(0), unit(0), unit(2, -1)).reason == "2 absent, 1 wrong"
    assert [outcome_of(one) for one in (unit(1, 0), unit(None), criterion(False), level(3))] == [
        "unclear",
        None,
        "UNMET",
        "3",
    ]


@pytest.mark.parametrize("polarity", ["positive", "negative"])
def test_criteria(polarity: str) -> None:
    """Two of three say that it holds: MET, and good where that is good; by their mean 2/3 MET."""
    votes = [criterion(met, polarity=polarity) for met in (True, True, False)]
    good = polarity == "positive"
    for reducer in ("majority", "median"):
        found = reduced(*votes, reducer=reducer)
        assert (found.verdict, found.value) == ("MET", float(good))
    mean = reduced(*votes, reducer="mean")
    assert (mean.verdict, mean.value) == ("MET", pytest.approx(2 / 3 if good else 1 / 3))
    for reducer in ("majority", "median"):
        assert reduced(*votes[1:], reducer=reducer).failure == "split"
    half = reduced(*votes[1:], reducer="mean")
    assert (half.verdict, half.value, half.failure, half.judged) == (None, 0.5, None, True)


def test_a_gate_is_decided_by_the_majority() -> None:
    votes = [criterion(met, gate=True) for met in (True, True, False)]
    assert reduced(*votes, reducer="mean").value == 1.0
    assert reduced(*votes[1:], reducer="mean").failure == "split"


def test_levels() -> None:
    votes = level(1), level(4), level(5)
    assert reduced(*votes).failure == "split"
    assert (reduced(*votes, level(4)).value, reduced(*votes, level(4)).level) == (4.0, 4)
    assert reduced(*votes, reducer="mean").value == pytest.approx(10 / 3)
    assert reduced(*votes, reducer="mean").level is None
    assert (reduced(*votes, reducer="median").value, reduced(*votes, reducer="median").level) == (4.0, 4)
    assert reduced(*votes[1:], reducer="median").value == 4.5


def test_expected_levels_are_reduced_as_they_are() -> None:
    """Their majority is of the likeliest levels, and so no expectation."""
    votes = [level(value, level=near, estimator="expectation") for value, near in ((3.2, 3), (3.4, 3), (4.5, 5))]
    mean = reduced(*votes, reducer="mean")
    assert (mean.value, mean.estimator) == (pytest.approx(3.7), "expectation")
    assert (reduced(*votes).value, reduced(*votes).estimator) == (3.0, "level")


def test_who_decides_by_itself() -> None:
    assert [usual_least(judges) for judges in (2, 3, 4, 5)] == [2, 2, 3, 3]


def trace(*units: Verdict) -> list[Verdict]:
    return [replace(one, unit_id=f"U{number}") for number, one in enumerate(units)]


def test_scores_come_from_the_reduced_units() -> None:
    """Majority: U0 2 right, U1 absent: grounding ½, correctness 1, score ½.

    Mean: U0 p (2+2+1)/3 = 5/3, right 2/3; U1 p 2/3, nearest 1, raised by one judge, who says right:
    grounding (5/6 + 1/3)/2 = 7/12, correctness (2/3 + 1)/2 = 5/6.
    """
    judges = [trace(unit(2, 1), unit(0)), trace(unit(2, 1), unit(2, 1)), trace(unit(1, -1), unit(0))]
    axes: dict[str, Axis] = {"perception": PKR["perception"]}
    majority = score_together(judges, "majority", least=2, axes=axes)
    assert majority.scores is not None
    found = majority.scores.axes["perception"]
    assert (found.grounding, found.correctness, found.score) == (0.5, 1.0, 0.5)
    assert (majority.scores.units_asked, majority.scores.units_judged, majority.scores.score) == (2, 2, 0.5)
    assert majority.judges == ((3, pytest.approx(2 / 3)), (3, pytest.approx(2 / 3)))
    mean = score_together(judges, "mean", least=2, axes=axes).scores
    assert mean is not None
    found = mean.axes["perception"]
    assert found.grounding == pytest.approx(7 / 12) and found.correctness == pytest.approx(5 / 6)


def test_a_split_leaves_no_score_unless_less_coverage_is_enough() -> None:
    judges = [trace(unit(2, 1), unit(0)), trace(unit(2, 1), unit(2, 1))]
    axes: dict[str, Axis] = {"perception": PKR["perception"]}
    whole = score_together(judges, "majority", least=2, axes=axes).scores
    assert whole is not None and whole.score is None and whole.units_judged == 1
    half = score_together(judges, "majority", least=2, min_coverage=0.5, axes=axes).scores
    assert half is not None and half.score == 1.0


def test_samples_are_reduced_one_by_one() -> None:
    """Sample 0: both say right, 1. Sample 1: both absent, 0. Mean ½, standard deviation √½."""
    judges = [[unit(2, 1, sample=0), unit(0, sample=1)] for _ in range(2)]
    found = score_together(judges, "majority", least=2, axes={"perception": PKR["perception"]})
    assert found.scores is not None
    assert (found.scores.score, found.scores.score_sd, found.scores.samples) == (0.5, pytest.approx(0.5**0.5), 2)
    assert [one.sample for one in found.verdicts] == [0, 1]


def claims(*values: str) -> list[Verdict]:
    return [
        unit(
            None,
            axis="f",
            unit_id=f"C{n}",
            kind="faithfulness",
            verdict=value,
            failure=None,
            value=float(value == "SUPPORTED"),
        )
        for n, value in enumerate(values)
    ]


def test_claims_are_each_judges_own() -> None:
    """1/2, 1 and 1/4 supported: mean 7/12, median 1/2; contradicted 1/2, 0, 0: mean 1/6, median 0."""
    axes: dict[str, Axis] = {"f": Faithfulness(kind="faithfulness", description="d")}
    judges = [
        claims("SUPPORTED", "CONTRADICTED"),
        claims("SUPPORTED"),
        claims("SUPPORTED", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"),
    ]
    for reducer, score, contradicted in (("majority", 7 / 12, 1 / 6), ("mean", 7 / 12, 1 / 6), ("median", 0.5, 0.0)):
        found = score_together(judges, reducer, least=2, axes=axes)  # type: ignore[arg-type]
        assert found.verdicts == () and found.scores is not None
        axis = found.scores.axes["f"]
        assert (axis.score, axis.contradicted) == (pytest.approx(score), pytest.approx(contradicted))
        assert found.scores.score == pytest.approx(score)
    few = score_together([judges[0], [], []], "mean", least=2, axes=axes).scores
    assert few is not None and few.axes["f"].score is None and few.score is None


def test_the_mean_of_criteria_is_the_mean_of_the_judges_scores() -> None:
    """5 and -3 points: (5, 0) of 5 is 1; (5 - 3)/5 = 2/5; 0: mean 7/15."""
    body = {"kind": "criteria", "description": "d", "scoring": "healthbench", "criteria": []}
    axes: dict[str, Axis] = {"perception": Criteria.model_validate(body)}

    def judged(first: bool, second: bool) -> list[Verdict]:
        good = criterion(first, points=5.0, weight=5.0)
        return trace(good, criterion(second, polarity="negative", points=-3.0, weight=3.0))

    judges = [judged(True, False), judged(True, True), judged(False, False)]
    alone = [score_trace(one, axes=axes).score for one in judges]
    assert alone == [1.0, pytest.approx(0.4), 0.0]
    found = score_together(judges, "mean", least=2, axes=axes).scores
    assert found is not None and found.score == pytest.approx(7 / 15)


SCALE = Scale.model_validate(
    {"kind": "scale", "description": "d", "levels": [{"level": n, "anchor": "a"} for n in range(1, 6)]}
)
UNITS = st.tuples(st.integers(0, 2), st.integers(-1, 1)).map(lambda p: unit(p[0], p[1] if p[0] else None))
WEIGHTED = st.tuples(UNITS, st.sampled_from([0.5, 1.0, 3.0])).map(lambda p: replace(p[0], weight=p[1]))


@given(st.lists(WEIGHTED, min_size=1, max_size=6), st.sampled_from(REDUCERS), st.integers(2, 5))
def test_one_judge_several_times_is_that_judge(units: list[Verdict], reducer: Reducer, times: int) -> None:
    axes: dict[str, Axis] = {"perception": PKR["perception"]}
    one = trace(*units)
    alone, found = score_trace(one, axes=axes), score_together([one] * times, reducer, least=times, axes=axes).scores
    assert found is not None
    for name in ("grounding", "correctness", "score", "units_asked", "units_judged"):
        assert getattr(found, name) == pytest.approx(getattr(alone, name))


@given(
    st.lists(st.lists(UNITS, min_size=3, max_size=3), min_size=2, max_size=5), st.sampled_from(REDUCERS), st.randoms()
)
def test_the_order_of_judges_changes_nothing(judges: list[list[Verdict]], reducer: Reducer, dice: Any) -> None:
    axes: dict[str, Axis] = {"perception": PKR["perception"]}
    given_as = [trace(*units) for units in judges]
    shuffled = [*given_as]
    dice.shuffle(shuffled)
    found = [score_together(order, reducer, least=1, axes=axes) for order in (given_as, shuffled)]
    assert found[0] == found[1]


@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=4), min_size=1, max_size=5), st.sampled_from(REDUCERS))
def test_a_label_and_its_opposite_change_places(units: list[list[bool]], reducer: Reducer) -> None:
    """What is MET by the judges' verdicts is UNMET by their opposites, and a split stays one."""
    for votes in units:
        one = reduce_verdicts([criterion(met) for met in votes], reducer, least=1)
        other = reduce_verdicts([criterion(not met) for met in votes], reducer, least=1)
        assert one.failure == other.failure
        if one.failure is None:
            assert one.value == pytest.approx(1 - (other.value or 0.0))
            assert {one.verdict, other.verdict} in ({"MET", "UNMET"}, {None})


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_a_scale_is_reduced_before_it_is_a_share(levels: list[int]) -> None:
    """(v - 1)/4 is linear: the mean level's share is the mean of the shares."""
    axes: dict[str, Axis] = {"perception": SCALE}
    judges = [[level(value)] for value in levels]
    found = score_together(judges, "mean", least=1, axes=axes).scores
    assert found is not None and found.score == pytest.approx(sum((v - 1) / 4 for v in levels) / len(levels))
