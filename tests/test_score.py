"""The arithmetic of contract §2, by hand and against brute force."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from judge.score import AxisScore, score_axis, score_trace
from judge.verdict import Verdict

PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "openmedreason_page" / "published_scores.json"
JUDGED = [(0, None), *itertools.product((1, 2), (-1, 0, 1))]
ANY = [*JUDGED, (None, None)]
MEASURES = ("grounding", "correctness", "score", "coverage", "score_low", "score_high")


def unit(
    presence: int | None,
    correctness: int | None = None,
    weight: float = 1.0,
    *,
    axis: str = "knowledge",
    sample: int = 0,
) -> Verdict:
    """A verdict; without a presence it is a failed one."""
    return Verdict(
        axis=axis,
        unit_id="K1",
        claim="c",
        importance=None,
        weight=weight,
        sample=sample,
        presence=presence,
        correctness=correctness,
        failure="off_menu" if presence is None else None,
    )


def values(score: AxisScore) -> tuple[float | None, ...]:
    return tuple(getattr(score, measure) for measure in MEASURES)


# By hand


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        # One unit: p/2 · [c = 1].
        ([unit(2, 1)], (1, 1, 1)),
        ([unit(1, 1)], (1 / 2, 1, 1 / 2)),
        ([unit(2, 0)], (1, 0, 0)),
        ([unit(2, -1)], (1, 0, 0)),
        # Nothing is raised: correctness is unknown, the score is 0.
        ([unit(0), unit(0)], (0, None, 0)),
        # p = 2, 1, 0, 2; c = 1, 1, –, −1: grounding (1 + ½ + 0 + 1)/4 = 5/8, correctness 2/3, score 10/24.
        ([unit(2, 1), unit(1, 1), unit(0), unit(2, -1)], (5 / 8, 2 / 3, 10 / 24)),
        # p = 1, 1, 0; c = 1, 0, –: grounding (½ + ½)/3, correctness 1/2, score 1/6.
        ([unit(1, 1), unit(1, 0), unit(0)], (1 / 3, 1 / 2, 1 / 6)),
        # w = 3, 1, 2; p = 2, 1, 0; c = 1, −1, –: grounding (3 + ½)/6 = 7/12, correctness 3/4, score 21/48.
        ([unit(2, 1, 3.0), unit(1, -1, 1.0), unit(0, None, 2.0)], (7 / 12, 3 / 4, 21 / 48)),
        # w = ½, 4; p = 1, 2; c = 1, 0: grounding (¼ + 4)/4½ = 17/18, correctness ½/4½ = 1/9.
        ([unit(1, 1, 0.5), unit(2, 0, 4.0)], (17 / 18, 1 / 9, 17 / 162)),
        # A unit of weight 0 counts nowhere, judged or not, even as the only one that is raised.
        ([unit(2, 1), unit(2, -1, 0.0), unit(None, None, 0.0)], (1, 1, 1)),
        ([unit(0), unit(2, 1, 0.0)], (0, None, 0)),
    ],
)
def test_worked_examples(units: list[Verdict], expected: tuple[float | None, ...]) -> None:
    score = score_axis(units)
    assert values(score)[:3] == pytest.approx(expected)
    # All is judged, so there is nothing between worst and best.
    assert (score.coverage, score.score_low, score.score_high) == (1.0, score.score, score.score)


def test_no_weight_is_null() -> None:
    assert values(score_axis([unit(2, 1, 0.0), unit(0, None, 0.0)])) == (None,) * 6
    assert values(score_axis([])) == (None,) * 6
    trace = score_trace([unit(2, 1, 0.0)])
    assert (trace.score, trace.grounding, trace.samples, trace.units_asked, trace.units_judged) == (
        *(None, None),
        *(0, 1, 1),
    )


def test_an_unjudged_unit() -> None:
    # w = 2, 1, 1; judged p = 2, c = 1 and p = 1, c = −1; the third is missing: 3/4 of the weight are judged.
    units = [unit(2, 1, 2.0), unit(1, -1), unit(None)]
    # Over the judged: grounding (2 + ½)/3 = 5/6, correctness 2/3, score 5/9.
    # Worst: p = 1, c = −1: grounding (2 + ½ + ½)/4 = 3/4, correctness 2/4, 3/8.
    # Best: p = 2, c = 1: grounding (2 + ½ + 1)/4 = 7/8, correctness 3/4, 21/32.
    expected = (5 / 6, 2 / 3, 5 / 9, 3 / 4, 3 / 8, 21 / 32)
    assert values(score_axis(units, min_coverage=0.75)) == pytest.approx(expected)
    # Below the wanted coverage the three are null, and the bounds stay.
    for wanted in (0.76, 1.0):
        assert values(score_axis(units, min_coverage=wanted)) == pytest.approx((None, None, None, *expected[3:]))


def test_unjudged_is_not_absent() -> None:
    """The mean over what is left may lie above and below what counting it as 0 would give, so it is not the default."""
    assert score_axis([unit(2, 1), unit(None)]).score is None
    assert score_axis([unit(2, 1), unit(0)]).score == 0.5
    assert score_axis([unit(2, 1), unit(None)], min_coverage=0.5).score == 1.0


def test_nothing_judged_is_null_at_any_coverage() -> None:
    score = score_axis([unit(None), unit(None)], min_coverage=0.0)
    assert values(score) == (None, None, None, 0.0, 0.0, 1.0)
    # Nor does a judged unit of weight 0 make it known.
    assert values(score_axis([unit(2, 1, 0.0), unit(None)], min_coverage=0.0))[:4] == (None, None, None, 0.0)


def test_a_failed_verdict_with_a_presence_is_not_judged() -> None:
    odd = Verdict(
        axis="a", unit_id="x", claim="c", importance=None, weight=1.0, presence=2, correctness=1, failure="off_menu"
    )
    assert score_axis([odd], min_coverage=0.0).score is None


# Of probes


def probed(
    presence: int, p_present: float, p_correct: float | None = None, weight: float = 1.0, *, sample: int = 0
) -> Verdict:
    """A probed unit; how likely it is right says nothing here of which answer is likeliest."""
    plain = unit(presence, 0 if presence else None, weight, sample=sample)
    return replace(plain, p_present=p_present, p_correct=p_correct)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([probed(2, 0.9, 0.8)], (0.9, 0.8, 0.72)),
        # Presence 0 has an expectation too: (0.9 + 0.2)/2; correctness is of the raised one alone.
        ([probed(2, 0.9, 0.8), probed(0, 0.2)], (0.55, 0.8, 0.44)),
        # w = 3, 1, 2: (3·0.9 + 0.5 + 2·0.1)/6 = 3.4/6; (3·0.8 + 0.4)/4 = 0.7; 2.38/6.
        ([probed(2, 0.9, 0.8, 3.0), probed(1, 0.5, 0.4), probed(0, 0.1, None, 2.0)], (3.4 / 6, 0.7, 2.38 / 6)),
        # Nothing is raised: grounding is what was expected, correctness is not known, the score is 0.
        ([probed(0, 0.4), probed(0, 0.1)], (0.25, None, 0.0)),
        # Of weight 0: counts nowhere.
        ([probed(2, 0.9, 0.8), probed(2, 1.0, 0.0, 0.0)], (0.9, 0.8, 0.72)),
    ],
)
def test_soft_worked_examples(units: list[Verdict], expected: tuple[float | None, ...]) -> None:
    score = score_axis(units)
    assert values(score)[:3] == pytest.approx(expected)
    assert (score.coverage, score.score_low, score.score_high) == (1.0, score.score, score.score)


def test_a_missing_unit_among_probed_ones() -> None:
    # p_present 0.8 and 0.2, the first raised with p_correct 0.6; a third of weight 2 is missing.
    score = score_axis([probed(2, 0.8, 0.6), probed(0, 0.2), unit(None, None, 2.0)], min_coverage=0.5)
    # Over the judged: grounding 1/2, correctness 0.6. Worst: p_present 1/4 and wrong: (1 + 0.5)/4 · 0.6/3.
    # Best: p_present 1 and right: (1 + 2)/4 · 2.6/3.
    assert values(score) == pytest.approx((0.5, 0.6, 0.3, 0.5, 1.5 / 4 * 0.6 / 3, 3 / 4 * 2.6 / 3))


def test_the_verdicts_of_probes_and_of_other_calls_are_never_mixed() -> None:
    with pytest.raises(AssertionError, match="never mixed"):
        score_axis([probed(2, 0.9, 0.8), unit(2, 1)])


# Over axes


def test_the_trace_score_is_the_mean_of_the_axes_that_have_units() -> None:
    # perception 1 · 1, rationale ½ · 1; knowledge has no units and is skipped.
    units = [unit(2, 1, axis="perception"), unit(1, 1, axis="rationale")]
    trace = score_trace(units)
    assert list(trace.axes) == ["perception", "rationale"]
    assert (trace.score, trace.grounding, trace.correctness) == (0.75, 0.75, 1.0)
    assert (trace.units_asked, trace.units_judged, trace.samples, trace.score_sd) == (2, 2, 1, None)


def test_means_are_over_axes_and_not_over_units() -> None:
    # perception: one unit, 1. knowledge: nine units, 0. Mean ½, not 1/10.
    trace = score_trace([unit(2, 1, axis="perception"), *[unit(0) for _ in range(9)]])
    assert trace.score == 0.5
    assert trace.grounding == 0.5
    assert trace.correctness == 1.0  # nothing is raised in knowledge: null, and not in the mean


def test_the_score_of_a_trace_is_not_the_product_of_its_means() -> None:
    # perception ½ · 1 = ½; knowledge 1 · 0 = 0: mean ¼. The product of the means would be ¾ · ½ = 3/8.
    trace = score_trace([unit(1, 1, axis="perception"), unit(2, -1)])
    assert (trace.score, trace.grounding, trace.correctness) == (0.25, 0.75, 0.5)


def test_an_axis_below_coverage_makes_the_trace_null() -> None:
    units = [unit(2, 1, axis="perception"), unit(2, 1), unit(None)]
    trace = score_trace(units)
    assert trace.axes["perception"].score == 1.0
    assert values(trace.axes["knowledge"])[:4] == (None, None, None, 0.5)
    assert (trace.score, trace.grounding, trace.correctness, trace.samples) == (None, None, None, 0)
    assert (trace.units_asked, trace.units_judged) == (3, 2)
    assert score_trace(units, min_coverage=0.5).score == 1.0


def test_an_axis_whose_units_weigh_nothing_counts_nowhere() -> None:
    trace = score_trace([unit(2, 1, axis="perception"), unit(0, None, 0.0)])
    assert trace.axes["knowledge"].score is None
    assert trace.score == 1.0
    assert score_trace([unit(2, 1, axis="perception"), unit(None, None, 0.0)]).score == 1.0


# Over samples


def test_samples_are_averaged_after_they_are_scored() -> None:
    # Sample 0: p = 2, c = 1 and p = 0: ½ · 1. Sample 1: p = 2, c = 1 and p = 2, c = −1: 1 · ½. Sample 2: all: 1.
    samples = [[unit(2, 1), unit(0)], [unit(2, 1), unit(2, -1)], [unit(2, 1), unit(2, 1)]]
    verdicts = [_in_sample(one, index) for index, units in enumerate(samples) for one in units]
    trace = score_trace(verdicts)
    # Mean of ½, ½, 1 is 2/3; squares of the deviations 1/36 + 1/36 + 4/36 = 1/6, over n − 1 = 2: 1/12.
    assert trace.score == pytest.approx(2 / 3)
    assert trace.score_sd == pytest.approx(math.sqrt(1 / 12))
    assert trace.samples == 3
    assert trace.grounding == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert trace.correctness == pytest.approx((1 + 1 / 2 + 1) / 3)
    axis = trace.axes["knowledge"]
    assert (axis.score, axis.score_sd) == (trace.score, trace.score_sd)
    assert (trace.units_asked, trace.units_judged) == (6, 6)


def _in_sample(verdict: Verdict, sample: int) -> Verdict:
    return unit(verdict.presence, verdict.correctness, verdict.weight, axis=verdict.axis, sample=sample)


def test_only_complete_samples_count_in_the_trace_score() -> None:
    first = [unit(2, 1, axis="perception"), unit(2, 1)]
    second = [unit(1, 1, axis="perception", sample=1), unit(None, sample=1)]
    trace = score_trace([*first, *second])
    assert (trace.score, trace.grounding, trace.samples, trace.score_sd) == (1.0, 1.0, 1, None)
    # perception is complete in both: mean of 1 and ½, deviation √(2 · 1/16); knowledge in one.
    assert trace.axes["perception"].score == 0.75
    assert trace.axes["perception"].score_sd == pytest.approx(math.sqrt(1 / 8))
    assert values(trace.axes["knowledge"]) == pytest.approx((1, 1, 1, 0.5, 0.5, 1.0))
    assert trace.axes["knowledge"].score_sd is None
    assert (trace.units_asked, trace.units_judged) == (4, 3)


def test_no_complete_sample() -> None:
    trace = score_trace([unit(None), unit(None, sample=1)])
    assert (trace.score, trace.score_sd, trace.samples) == (None, None, 0)


# Properties

QUICK = settings(max_examples=60)
WEIGHTS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 7.0]) | st.floats(1e-6, 1e6)
COVERAGE = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def some(
    pairs: list[tuple[int | None, int | None]], *, most: int = 8, least: int = 1
) -> st.SearchStrategy[list[Verdict]]:
    one = st.tuples(st.sampled_from(pairs), WEIGHTS)
    return st.lists(one.map(lambda drawn: unit(*drawn[0], drawn[1])), min_size=least, max_size=most)


def _scaled(units: list[Verdict], factor: float) -> list[Verdict]:
    return [unit(one.presence, one.correctness, one.weight * factor) for one in units]


def close(one: AxisScore, other: AxisScore) -> bool:
    return all(
        left is right is None or (left is not None and right is not None and math.isclose(left, right, abs_tol=1e-12))
        for left, right in zip(values(one), values(other), strict=True)
    )


@QUICK
@given(some(ANY), st.sampled_from([0.1, 1 / 3, 0.7, 2.0, 1e6, 1e-6]), COVERAGE)
def test_weights_scale_out(units: list[Verdict], factor: float, coverage: float) -> None:
    assert close(score_axis(units, min_coverage=coverage), score_axis(_scaled(units, factor), min_coverage=coverage))


@QUICK
@given(some(ANY), st.sampled_from(ANY), st.integers(0, 8), COVERAGE)
def test_a_unit_of_weight_0_counts_nowhere(
    units: list[Verdict], pair: tuple[int | None, int | None], at: int, coverage: float
) -> None:
    more = [*units[:at], unit(*pair, 0.0), *units[at:]]
    assert values(score_axis(more, min_coverage=coverage)) == values(score_axis(units, min_coverage=coverage))


@QUICK
@given(some(ANY), st.randoms(use_true_random=False), COVERAGE)
def test_the_order_of_units_is_irrelevant(units: list[Verdict], random: object, coverage: float) -> None:
    mixed = list(units)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert close(score_axis(mixed, min_coverage=coverage), score_axis(units, min_coverage=coverage))


@QUICK
@given(some(ANY), st.sampled_from([0.0, 0.3, 1.0]))
def test_all_is_between_0_and_1_and_the_score_between_its_bounds(units: list[Verdict], coverage: float) -> None:
    score = score_axis(units, min_coverage=coverage)
    assert all(value is None or 0 <= value <= 1 for value in values(score))
    if score.score_low is not None and score.score_high is not None:
        assert score.score_low <= score.score_high
        assert score.score is None or score.score_low <= score.score <= score.score_high


@QUICK
@given(some(JUDGED, most=6, least=0), st.lists(WEIGHTS, min_size=1, max_size=3))
def test_low_and_high_are_the_extremes_over_all_completions(judged: list[Verdict], missing: list[float]) -> None:
    """Brute force: every missing unit takes every p in {0, 1, 2} with every c in {−1, 0, 1}."""
    score = score_axis([*judged, *[unit(None, None, weight) for weight in missing]])
    if score.coverage is None:
        return
    completions = itertools.product(JUDGED, repeat=len(missing))
    possible = [
        score_axis([*judged, *[unit(*pair, weight) for pair, weight in zip(pairs, missing, strict=True)]]).score
        for pairs in completions
    ]
    known = [value for value in possible if value is not None]
    assert len(known) == len(JUDGED) ** len(missing)
    assert score.score_low == pytest.approx(min(known), rel=1e-9, abs=1e-12)
    assert score.score_high == pytest.approx(max(known), rel=1e-9, abs=1e-12)


# Probabilities of 0, 1, 2 in eighths, of presence and of correctness: many ties, and both ends.
EIGHTHS = [(a / 8, b / 8, (8 - a - b) / 8) for a in range(9) for b in range(9 - a)]
SOFT = st.tuples(st.sampled_from(EIGHTHS), st.sampled_from(EIGHTHS), WEIGHTS)


def as_probed(presence: tuple[float, ...], correctness: tuple[float, ...], weight: float) -> Verdict:
    likeliest = presence.index(max(presence))
    return probed(likeliest, presence[1] / 2 + presence[2], correctness[2] if likeliest else None, weight)


@QUICK
@given(st.lists(SOFT, min_size=1, max_size=6), st.sampled_from([0.1, 2.0, 1e6]))
def test_soft_values_are_between_0_and_1_and_weights_scale_out(drawn: list[Any], factor: float) -> None:
    units = [as_probed(*one) for one in drawn]
    score = score_axis(units)
    assert all(value is None or 0 <= value <= 1 for value in values(score))
    assert close(score, score_axis([replace(one, weight=one.weight * factor) for one in units]))


@QUICK
@given(some(JUDGED))
def test_certain_probabilities_give_the_hard_score(units: list[Verdict]) -> None:
    certain = [
        replace(one, p_present=one.presence / 2, p_correct=float(one.correctness == 1) if one.presence else None)
        for one in units
        if one.presence is not None
    ]
    assert close(score_axis(certain), score_axis(units))


HAIR = 1e-9
COMPLETIONS = [*itertools.product(EIGHTHS, [(1.0, 0.0, 0.0), (0.5, 0.0, 0.5), (0.0, 0.0, 1.0)])]
ONLY_JUST = ((0.5 - HAIR, 0.5 + HAIR, 0.0), (1.0, 0.0, 0.0))


@QUICK
@given(st.lists(SOFT, max_size=4), st.lists(WEIGHTS, min_size=1, max_size=2))
def test_soft_low_and_high_are_the_extremes_over_all_completions(drawn: list[Any], missing: list[float]) -> None:
    """Brute force: every missing unit takes every distribution of a grid, and the one that is only just raised."""
    judged = [as_probed(*one) for one in drawn]
    score = score_axis([*judged, *[unit(None, None, weight) for weight in missing]])
    if score.coverage is None:
        return
    # Two missing units take a part of the grid each, and with it the extremes.
    grid = [*(COMPLETIONS if len(missing) == 1 else COMPLETIONS[::11]), ONLY_JUST, ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0))]
    possible = []
    for chosen in itertools.product(grid, repeat=len(missing)):
        completed = [as_probed(*pair, weight) for pair, weight in zip(chosen, missing, strict=True)]
        possible.append(score_axis([*judged, *completed]).score)
    known = [value for value in possible if value is not None]
    if any(one.weight for one in judged):
        assert score.score_low == pytest.approx(min(known), rel=1e-6, abs=1e-8)
        assert score.score_high == pytest.approx(max(known), rel=1e-9, abs=1e-12)
    else:
        assert (score.score_low, score.score_high) == (0.0, 1.0)


@QUICK
@given(some(ANY))
def test_against_the_formula_as_the_contract_writes_it(units: list[Verdict]) -> None:
    judged = [one for one in units if one.presence is not None]
    total, asked = math.fsum(one.weight for one in judged), math.fsum(one.weight for one in units)
    score = score_axis(units, min_coverage=0.0)
    if not asked:
        assert values(score) == (None,) * 6
        return
    assert score.coverage == pytest.approx(total / asked)
    if not total:
        assert score.score is None
        return
    grounding = math.fsum(one.weight * (one.presence or 0) / 2 for one in judged) / total
    raised = [one for one in judged if one.presence]
    weight = math.fsum(one.weight for one in raised)
    right = math.fsum(one.weight * (one.correctness == 1) for one in raised)
    assert score.grounding == pytest.approx(grounding)
    assert score.correctness == (pytest.approx(right / weight) if weight else None)
    assert score.score == pytest.approx(grounding * right / weight if weight else 0.0)


@pytest.mark.parametrize("weight", [1.0, 0.1, 0.7, 1 / 3])
def test_a_share_judged_that_is_exactly_the_wanted_one_is_enough(weight: float) -> None:
    """Three units of weight 0.1 weigh 0.30000000000000004: rounding must not take a score away."""
    for asked in range(1, 30):
        for judged in range(1, asked + 1):
            units = [unit(2, 1, weight)] * judged + [unit(None, None, weight)] * (asked - judged)
            assert score_axis(units, min_coverage=judged / asked).score == 1.0
            assert score_axis(units, min_coverage=min(1.0, (judged + 0.5) / asked)).score == (
                1.0 if judged == asked else None
            )


# Source


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published table is in ../shared/data, which is not here")
def test_the_published_trace_scores_are_means_of_the_axes() -> None:
    """OpenMedReason-Bench: its table is the mean of the three axes to 0.1, not its printed ½ Σ.

    Each axis is put in as 1,000 units of which so many are clearly raised and right: 61.9 % is 619 of them.
    """
    table = json.loads(PUBLISHED.read_text(encoding="utf-8"))["table"]
    assert len(table) == 4
    for row in table:
        verdicts = [
            unit(2, 1, axis=axis) if index < round(10 * row[axis]) else unit(0, axis=axis)
            for axis in ("perception", "knowledge", "rationale")
            for index in range(1000)
        ]
        trace = score_trace(verdicts)
        assert trace.axes["knowledge"].score == pytest.approx(row["knowledge"] / 100)
        assert trace.score is not None
        # The axes are rounded to 0.05 themselves, and so is the table.
        assert 100 * trace.score == pytest.approx(row["trace"], abs=0.1)
