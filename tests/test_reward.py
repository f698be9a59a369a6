"""A score becomes a reward: by hand, and for any scores and shapes."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from reward_kit import AXES, outcome, scored, unit

from judge.errors import ConfigError
from judge.outcome import Outcome
from judge.record import build_record
from judge.reward import FORMAT, LengthTerm, RewardShape, failed_reward, gated_reward, reward_of
from judge.rubric import load_rubric

UNIT = st.floats(0, 1)
WEIGHT = st.floats(0, 10)
NUMBER = st.floats(-2, 2)
MCQ = {"options": {"A": "Asthma", "C": "Pneumonia"}, "reference": {"answer": "C"}}
RIGHT, WRONG = "<think>It is.</think><answer>C</answer>", "<think>It is.</think><answer>A</answer>"


def reward(what: Outcome, **shape):
    return reward_of(what, RewardShape(**shape), AXES)


@st.composite
def shapes(draw):
    weights = {name: draw(WEIGHT) for name in (*AXES, "answer", "format")}
    weights["perception"] += 0.1
    free = draw(st.integers(0, 20))
    return RewardShape(
        weights=draw(st.sampled_from((None, weights))),
        hard=draw(st.booleans()),
        veto=draw(st.dictionaries(st.sampled_from([*AXES]), UNIT, max_size=2)),
        vetoed=draw(NUMBER),
        length=draw(st.sampled_from((None, LengthTerm(free=free, most=free + 3, cost=draw(UNIT))))),
        round_to=draw(st.sampled_from((0, 0.05, 0.1, 1 / 3))),
    )


@given(shapes(), UNIT, UNIT)
def test_contributions_add_up_and_their_names_are_those_of_the_shape(shape, perception, knowledge):
    made = reward_of(scored(perception, knowledge), shape, AXES)
    assert math.fsum(made.contributions.values()) == pytest.approx(made.value, abs=1e-9)
    assert [*made.contributions] == [*failed_reward(shape, AXES, "timeout").contributions]
    assert [*made.contributions] == [*gated_reward("answer", shape, AXES).contributions]
    assert all(math.isfinite(part) for part in made.contributions.values())


@given(shapes(), UNIT, UNIT)
def test_equal_rounded_rewards_are_the_very_same_number(shape, perception, knowledge):
    """A last bit of difference is a variance, and a trainer divides by that."""
    made = reward_of(scored(perception, knowledge), shape, AXES)
    if shape.round_to and not made.contributions["veto"] and made.value != shape.vetoed:
        assert made.value == round(made.value / shape.round_to) * shape.round_to


@given(UNIT, UNIT)
def test_without_weights_it_is_the_trace_score(perception, knowledge):
    what = scored(perception, knowledge)
    assert reward(what).value == pytest.approx(what.scores.score)
    assert reward(what).scores == {"perception": pytest.approx(perception), "knowledge": pytest.approx(knowledge)} | {
        "rationale": None
    }


def test_weights_by_hand():
    # (3 · 1 + 1 · 0.5) / 4; an axis without units is left out, and its weight with it.
    made = reward(scored(1.0, 0.5), weights={"perception": 3, "knowledge": 1, "rationale": 100})
    assert made.value == 0.875
    assert made.contributions == {
        "perception": 0.75,
        "knowledge": 0.125,
        "rationale": 0.0,
        "length": 0.0,
        "gate": 0.0,
        "veto": 0.0,
        "rounding": 0.0,
    }


def test_the_right_answer_and_the_form_are_parts():
    weights = {"perception": 2, "answer": 1, "format": 1}
    judged = unit("perception", 1, 1)  # 1/2
    assert reward(outcome(judged, trace=RIGHT, **MCQ), weights=weights).value == (2 * 0.5 + 1 + 1) / 4
    assert reward(outcome(judged, trace=WRONG, **MCQ), weights=weights).value == (2 * 0.5 + 0 + 1) / 4
    assert reward(outcome(judged, trace="<answer>C</answer>", **MCQ), weights=weights).value == (2 * 0.5 + 1 + 0) / 4


def test_an_answer_that_nobody_knows_is_no_part():
    weights = {"perception": 1, "answer": 3}
    assert reward(outcome(unit("perception", 1, 1), trace=RIGHT), weights=weights).value == 0.5


def test_nothing_of_what_is_weighed_is_known():
    made = reward(outcome(unit("perception", 2, 1)), weights={"knowledge": 1})
    assert (made.value, made.status, made.why) == (None, "failed", "no_part")


@pytest.mark.parametrize(
    ("trace", "stopped"), [(RIGHT, None), (WRONG, "answer"), ("<think>C</think>", "answer"), ("C", "format")]
)
def test_gates(trace, stopped):
    record = build_record({"trace": trace, **MCQ})
    assert RewardShape(gates=["answer", "format"]).stops(record) == stopped


def test_an_answer_that_nobody_knows_stops_nothing():
    assert RewardShape(gates=["answer"]).stops(build_record({"trace": WRONG})) is None


@pytest.mark.parametrize(
    ("trace", "fits"),
    [
        ("<think>\nBecause.\n</think>\nSo it is C.", True),
        ("Because.\n</think>\nSo it is C.", True),  # the opening tag was a part of the prompt
        ("<think>Because.</think>", False),
        ("<think></think>C", False),
        ("<think>Because.</think></think>C", False),
        ("<think>One.</think><think>Two.</think>C", False),
        ("<think>" + "a " * 100_000, False),
        ("<think>Because it is C.", False),
        ("So it is C.", False),
    ],
)
def test_the_usual_form(trace, fits):
    assert RewardShape().format == FORMAT
    assert RewardShape().part("format", build_record({"trace": trace})) == fits


def test_a_gate_gives_what_was_chosen():
    made = gated_reward("answer", RewardShape(gated=-1), AXES)
    assert (made.value, made.status, made.why, made.contributions["gate"]) == (-1, "gated", "answer", -1)


@pytest.mark.parametrize(("knowledge", "value"), [(0.29, -0.5), (0.3, 0.65)])
def test_a_veto_is_for_the_whole(knowledge, value):
    made = reward(scored(1.0, knowledge), veto={"knowledge": 0.3}, vetoed=-0.5, round_to=0.4 if knowledge < 0.3 else 0)
    assert made.value == pytest.approx(value)
    assert (made.contributions["veto"] == 0) == (knowledge == 0.3)


def test_an_axis_without_a_score_vetoes_nothing():
    assert reward(scored(1.0, 1.0), veto={"rationale": 0.5}).value == 1.0


@pytest.mark.parametrize(
    # DAPO's: nothing up to `free`, then a line down to the cost at `most`, and no further.
    ("characters", "term"),
    [(0, 0.0), (100, 0.0), (150, -0.2), (200, -0.4), (900, -0.4)],
)
def test_length(characters, term):
    shape = {"length": LengthTerm(free=100, most=200, cost=0.4)}
    made = reward(outcome(unit("perception", 2, 1), trace="x" * characters), **shape)
    assert made.contributions["length"] == pytest.approx(term)
    assert made.value == pytest.approx(1 + term)


def test_rounding_by_hand():
    made = reward(scored(0.62, 0.7), round_to=0.25)  # 0.66 is nearer to 0.75 than to 0.5
    assert made.value == 0.75
    assert made.contributions["rounding"] == pytest.approx(0.09)


def test_hard_is_what_was_likeliest():
    # Soft: 0.6 · 0.7 = 0.42. Hard: presence 2 of 2, and right.
    probed = outcome(unit("perception", 2, 1, p_present=0.6, p_correct=0.7))
    assert reward(probed).value == pytest.approx(0.42)
    assert reward(probed, hard=True).value == 1.0


def test_hard_of_what_is_no_probe_is_the_same():
    assert reward(outcome(unit("perception", 1, 1)), hard=True).value == 0.5


def test_hard_does_not_score_what_has_no_score():
    unknown = outcome(unit("perception", 2, 1, p_present=0.9, p_correct=0.9), unit("knowledge", None))
    assert reward(unknown, hard=True).status == "failed"


def test_what_cannot_be_judged_has_no_number():
    made = reward(outcome(unit("perception", 2, 1), unit("knowledge", None)))
    assert (made.value, made.status, made.why, made.message) == (None, "failed", "off_menu", "It cannot be used.")
    assert set(made.contributions.values()) == {0.0}


def test_healthbench_may_be_below_zero():
    axes = load_rubric("healthbench").scored
    holds = {"kind": "criteria", "verdict": "MET", "value": 1.0}
    bad = unit("criteria", None, **{**holds, "points": -6.0, "weight": 6.0, "polarity": "negative", "value": 0.0})
    good = unit("criteria", None, **{**holds, "points": 4.0, "weight": 4.0, "polarity": "positive", "unit_id": "c2"})
    what = outcome(*(replace(one, failure=None) for one in (bad, good)), axes=axes)
    # (4 − 6) / 4: HealthBench's own sum, which is not cut at 0 for one question.
    assert reward_of(what, RewardShape(), axes).value == -0.5
    assert reward_of(what, RewardShape(veto={"criteria": 0.0}, vetoed=-1), axes).value == -1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weights": {"perception": -1}}, "weights is .* finite, at least 0, and not all 0"),
        ({"weights": {"perception": 0}}, "not all 0"),
        ({"weights": {}}, "not all 0"),
        ({"gates": ["answr"]}, r"gates is \['answr'\]; it must be of answer, format"),
        ({"gated": math.nan}, "gated is nan; it must be finite"),
        ({"vetoed": math.inf}, "vetoed is inf; it must be finite"),
        ({"round_to": -0.1}, "round_to is -0.1; it must be 0 or more"),
        ({"dead_band": math.nan}, "dead_band is nan"),
        ({"veto": {"perception": math.nan}}, "veto is"),
        ({"length": LengthTerm(free=10, most=10, cost=1)}, "free characters below most"),
        ({"length": LengthTerm(free=0, most=10, cost=-1)}, "cost of 0 or more"),
        ({"format": "("}, "format is no regular expression"),
    ],
)
def test_a_shape_that_cannot_be(given, said):
    with pytest.raises(ConfigError, match=said):
        RewardShape(**given)


def test_parts_that_the_rubric_does_not_have():
    with pytest.raises(ConfigError, match=r"weights names 'percepton'; there are: perception, .*, answer, format"):
        RewardShape(weights={"percepton": 1}).check_axes([*AXES])
    with pytest.raises(ConfigError, match="veto names 'answer'; there are: perception, knowledge, rationale"):
        RewardShape(veto={"answer": 1}).check_axes([*AXES])


def test_a_shape_pickles_after_it_was_used():
    shape = RewardShape(gates=["format"], length=LengthTerm(free=1, most=2, cost=1))
    assert shape.stops(build_record({"trace": "x"})) == "format"
    assert pickle.loads(pickle.dumps(shape)) == shape
