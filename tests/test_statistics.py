"""Agreement in numbers: published examples, cases worked by hand, and what is undefined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.statistics.bootstrap import Draws
from judge.statistics.estimate import Statistic
from judge.statistics.rank import RANKED, correlate, of_table
from judge.statistics.raters import (
    ALPHA_INTERVAL,
    ALPHA_NOMINAL,
    ALPHA_ORDINAL,
    FLEISS_KAPPA,
    MULTI_AC1,
    beside,
    coincidences,
    every_pair,
    mean_difference,
    mean_over_pairs,
    moments,
    of_two,
    shares,
)
from judge.statistics.table import (
    AC1,
    AGREEMENT,
    BALANCED_F1,
    MACRO_F1,
    class_f1,
    class_share,
    cohen_kappa,
    pair_tables,
)

LLMBAR = Path(__file__).parents[2] / "shared/data/llmbar/replay/natural.jsonl"
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example D: four observers, twelve units, gaps.
_GAP = -1
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _GAP, _GAP, _GAP],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _GAP, 3],
    [_GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _GAP],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _GAP],
]
EXAMPLE_D = np.array(OBSERVERS).T - 1  # classes from 0; a gap is below it
EXAMPLE_D[EXAMPLE_D < 0] = _GAP
# Fleiss 1971, as in Wikipedia's article on his kappa: ten subjects, fourteen raters, five classes.
FLEISS_COUNTS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def raters(counts: Sequence[Sequence[int]]) -> np.ndarray:
    """A row a unit of as many labels as are counted, in no rater's order."""
    return np.array([[place for place, count in enumerate(row) for _ in range(count)] for row in counts])


def one_record(codes: Any) -> np.ndarray:
    return np.zeros(len(codes), dtype=int)


def test_cohens_kappa_of_a_known_table() -> None:
    # p_o = 35/50 = 0.7; p_e = (25·30 + 25·20)/50² = 0.5; (0.7 − 0.5)/0.5 = 0.4.
    table = [[20, 5], [10, 15]]
    assert AGREEMENT(table).value == pytest.approx(0.7, abs=1e-12)
    assert cohen_kappa()(table).value == pytest.approx(0.4, abs=1e-12)


def test_a_weighted_kappa_goes_by_the_distance_of_the_classes() -> None:
    # One unit of ten is off by one step or by two; by chance, off-diagonal pairs are as r_i c_j / n says.
    near, far = np.diag([3.0, 3.0, 3.0]), np.diag([3.0, 3.0, 3.0])
    near[0, 1], far[0, 2] = 1, 1
    assert cohen_kappa()(near).value == pytest.approx(cohen_kappa()(far).value)
    for power in (1, 2):
        assert cohen_kappa(power=power)(near).value > cohen_kappa(power=power)(far).value  # type: ignore[operator]
    # Linear, near: Σ v n = 1; r = (4, 3, 3), c = (3, 4, 3), Σ v r c / n = (4·4 + 2·4·3 + 3·3 + 3·3 + 2·3·3 + 3·4)/10.
    assert cohen_kappa(power=1)(near).value == pytest.approx(1 - 1 / 8.8, abs=1e-12)
    # Classes that stand for 1, 2 and 10: the step to 10 is eight times the step to 2.
    assert cohen_kappa((1, 2, 10), power=1)(near).value > cohen_kappa(power=1)(near).value  # type: ignore[operator]


def test_ac1_stays_where_kappa_falls() -> None:
    # Nearly all units are of one class: p_o = 118/125 = 0.944; π = (123 + 120)/250 = 0.972.
    table = [[118, 5], [2, 0]]
    chance = 2 * 0.972 * 0.028
    assert AC1(table).value == pytest.approx((0.944 - chance) / (1 - chance), abs=1e-12)
    assert cohen_kappa()(table).value == pytest.approx(-0.0234, abs=1e-4)
    assert AC1([[118, 5, 0], [2, 0, 0], [0, 0, 0]]).value > AC1(table).value  # type: ignore[operator]  # K is 3


def test_f1_of_classes() -> None:
    # Class 0: precision 20/25, recall 20/30, F1 = 40/55. Class 1: 15/25 and 15/20, F1 = 30/45.
    table = [[20, 5], [10, 15]]
    assert class_f1(0)(table).value == pytest.approx(40 / 55, abs=1e-12)
    assert class_f1(1)(table).value == pytest.approx(30 / 45, abs=1e-12)
    assert MACRO_F1(table).value == BALANCED_F1(table).value == pytest.approx((40 / 55 + 30 / 45) / 2, abs=1e-12)


def test_one_who_always_says_the_commonest_class_gets_little_but_agreement() -> None:
    # The columns' rater says class 0 for 30 of 50 units.
    table = [[30, 20], [0, 0]]
    assert AGREEMENT(table).value == class_share(0)(table).value == 0.6
    assert cohen_kappa()(table).value == 0
    assert BALANCED_F1(table).value == pytest.approx(60 / 80 / 2, abs=1e-12)


def test_fleiss_kappa_of_his_example() -> None:
    codes = raters(FLEISS_COUNTS)
    sums = shares(one_record(codes), codes, classes=5).sum(axis=0)
    assert FLEISS_KAPPA(sums).value == pytest.approx(0.20993, abs=1e-5)  # 0.210 there


@pytest.mark.parametrize(("alpha", "expected"), [(ALPHA_NOMINAL, 0.743), (ALPHA_ORDINAL, 0.815)])
def test_krippendorffs_alpha_of_his_example(alpha: Statistic, expected: float) -> None:
    counted = coincidences(one_record(EXAMPLE_D), EXAMPLE_D, classes=5).sum(axis=0)
    assert alpha(counted).value == pytest.approx(expected, abs=5e-4)
    assert counted.sum() == 40  # values that can be paired, as he counts them


def test_krippendorffs_alpha_of_numbers() -> None:
    values = np.where(EXAMPLE_D < 0, np.nan, EXAMPLE_D + 1.0)
    for moved in (values, 1e6 + values, 0.001 * values):
        assert ALPHA_INTERVAL(moments(one_record(values), moved).sum(axis=0)).value == pytest.approx(0.849, abs=5e-4)


def test_two_raters_may_come_as_a_table() -> None:
    one, other = EXAMPLE_D[:, 1], EXAMPLE_D[:, 3]
    table = pair_tables(one_record(one), one, other, classes=5).sum(axis=0)
    both = coincidences(one_record(one), np.stack([one, other], axis=1), classes=5).sum(axis=0)
    for alpha in (ALPHA_NOMINAL, ALPHA_ORDINAL):
        assert of_two(alpha)(table).value == pytest.approx(alpha(both).value, abs=1e-12)


def test_people_are_compared_two_by_two() -> None:
    codes = np.array([[0, 0, 1], [1, 1, 1], [0, 1, 0], [1, 1, _GAP]])
    pairs = every_pair(one_record(codes), codes, classes=2).sum(axis=0)
    kappas = [cohen_kappa()(table).value for table in pairs]
    # 1–2: p_o 3/4, p_e 1/2: 1/2. 1–3: p_o 2/3, rows (2, 1), columns (1, 2), p_e 4/9: 2/5. 2–3: p_o 1/3, (1, 2) twice,
    # p_e 5/9: −1/2.
    assert kappas == pytest.approx([1 / 2, 2 / 5, -1 / 2], abs=1e-12)
    assert mean_over_pairs(cohen_kappa())(pairs).value == pytest.approx(0.4 / 3, abs=1e-12)


def test_a_judge_and_a_person_are_held_against_the_same() -> None:
    third = np.array([0, 1, 0, 1, -2])
    tables = beside(one_record(third), [(1 - third, third, third), (third, third, third)], classes=2)
    assert tables.shape == (1, 2, 2, 2, 2)
    # The first side has kappas −1 and 1, the second 1 and 1.
    assert mean_difference(cohen_kappa())(tables.sum(axis=0)).value == pytest.approx(-1, abs=1e-12)


NOTHING = np.zeros((2, 2))
ONE_CLASS = np.array([[5.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("statistic", "counts", "said"),
    [
        (AGREEMENT, NOTHING, "no unit was rated by both"),
        (MACRO_F1, NOTHING, "no unit was rated by both"),
        (class_share(0), NOTHING, "no unit was rated by both"),
        (AC1, NOTHING, "no unit was rated by both"),
        (AC1, [[5.0]], "one class only"),
        (cohen_kappa(), NOTHING, "one and the same class throughout"),
        (cohen_kappa(), ONE_CLASS, "one and the same class throughout"),
        (cohen_kappa(power=2), ONE_CLASS, "one and the same class throughout"),
        (class_f1(1), ONE_CLASS, "neither gave this class"),
        (BALANCED_F1, ONE_CLASS, "two classes"),
        (BALANCED_F1, np.eye(3), "two classes"),
        (FLEISS_KAPPA, [0, 0, 0, 0], "one and the same class"),
        (FLEISS_KAPPA, [3, 3, 3, 0], "one and the same class"),
        (MULTI_AC1, [0, 0, 0, 0], "no unit was rated by two"),
        (MULTI_AC1, [3, 3, 3], "one class only"),
        (ALPHA_NOMINAL, NOTHING, "one and the same class"),
        (ALPHA_NOMINAL, ONE_CLASS, "one and the same class"),
        (ALPHA_ORDINAL, ONE_CLASS, "one and the same class"),
        (mean_over_pairs(cohen_kappa()), [ONE_CLASS, NOTHING], "for every two raters"),
        (of_table("spearman", (0, 1)), ONE_CLASS, "the same throughout"),
        (of_table("kendall", (0, 1)), NOTHING, "the same throughout"),
        (of_table("pearson", (0, 1)), [[3, 0], [2, 0]], "the same throughout"),
        (of_table("auc", (0, 1)), ONE_CLASS, "exactly two values"),
        (of_table("auc", (0, 1, 2)), np.eye(3), "exactly two values"),
    ],
)
def test_what_is_undefined_is_null_with_the_reason(statistic: Statistic, counts: Any, said: str) -> None:
    found = statistic(counts)
    assert found.value is None and found.low is None and found.high is None
    assert said in str(found.reason)


def test_numbers_that_are_all_the_same_have_no_alpha() -> None:
    for same in (0.1, 1e9 + 0.3):
        sums = moments([0, 0, 0], np.full((3, 2), same)).sum(axis=0)
        assert ALPHA_INTERVAL(sums).value is None


def test_kappa_of_a_constant_rater_is_nought_and_not_undefined() -> None:
    assert cohen_kappa()([[3, 2], [0, 0]]).value == 0


def test_units_that_one_rater_lacks_count_nowhere() -> None:
    one, other = [0, 1, -1, -2, 1], [0, -1, 1, 1, 1]
    assert pair_tables([0] * 5, one, other, classes=2).tolist() == [[[1, 0], [0, 1]]]
    assert shares([0, 1], [[0, -1], [1, 1]], classes=2).tolist() == [[0, 0, 0, 0], [1, 1, 0, 1]]


@pytest.mark.parametrize("name", RANKED)
def test_no_answers_have_no_correlation(name: Any) -> None:
    assert correlate(name, [], [], []).value is None


def by_pairs(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Kendall's P − Q, and pairs that differ in both, one pair after the other."""
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in combinations(range(len(x)), 2)]
    return sum(a * b for a, b in signs), float(np.sqrt(sum(abs(a) for a, _ in signs) * sum(abs(b) for _, b in signs)))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_kendall_is_what_pairs_say(points: list[tuple[int, int]]) -> None:
    x, y = ([float(point[side]) for point in points] for side in (0, 1))
    above, below = by_pairs(x, y)
    found = correlate("kendall", range(len(x)), x, y)
    assert (found.value is None) == (below == 0)
    if below:
        assert found.value == pytest.approx(above / below, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=40))
def test_a_table_and_its_units_correlate_alike(points: list[tuple[int, int]]) -> None:
    x, y = (np.array(points)[:, side] for side in (0, 1))
    table = pair_tables(one_record(x), x, y, classes=3).sum(axis=0)
    for name in RANKED:
        one, other = of_table(name, (0, 1, 2))(table).value, correlate(name, range(len(x)), x, y).value
        assert one == (other if other is None else pytest.approx(other, abs=1e-9))


def labels(classes: int = 3, raters: int = 3) -> st.SearchStrategy[list[list[int]]]:
    row = st.lists(st.integers(-1, classes - 1), min_size=raters, max_size=raters)
    return st.lists(row, min_size=1, max_size=25)


@given(labels(), st.randoms())
def test_neither_order_nor_names_of_classes_nor_records_matter(rows: list[list[int]], dice: Any) -> None:
    codes = np.array(rows)
    order, names = dice.sample(range(len(codes)), len(codes)), np.array([*dice.sample(range(3), 3), -1])
    renamed, records = names[codes][order], np.arange(len(codes)) // 2
    for build, statistic in ((shares, FLEISS_KAPPA), (shares, MULTI_AC1), (coincidences, ALPHA_NOMINAL)):
        one = statistic(build(records, codes, classes=3).sum(axis=0))
        other = statistic(build(one_record(codes), renamed, classes=3).sum(axis=0))
        assert one.value == (None if other.value is None else pytest.approx(other.value, abs=1e-9))


@given(labels(raters=2))
def test_nothing_is_ever_nan_or_out_of_bounds(rows: list[list[int]]) -> None:
    codes, records = np.array(rows), np.arange(len(rows)) // 2
    tables = Draws(pair_tables(records, *codes.T, classes=3))
    statistics = [AGREEMENT, AC1, MACRO_F1, BALANCED_F1, cohen_kappa(), cohen_kappa(power=2), class_f1(1)]
    statistics += [of_table(name, (0, 1, 2)) for name in RANKED]
    for statistic in statistics:
        found = tables.estimate(statistic)
        assert (found.value is None) <= (found.reason is not None and found.low is None)
        assert found.value is None or found.value <= 1 + 1e-12
        assert (found.low is None) == (found.high is None)
        if found.low is not None and found.high is not None:
            assert found.low <= found.high <= 1 + 1e-12


@pytest.mark.skipif(not LLMBAR.exists(), reason="no ../shared/data/llmbar: its kappas cannot be recomputed")
def test_one_space_of_labels_gives_llmbars_true_kappa() -> None:
    lines = [json.loads(line) for line in LLMBAR.read_bytes().splitlines()]
    mine = [one for one in lines if (one["judge"], one["strategy"], one.get("swapped")) == ("GPT-4", "CoT", False)]
    people = np.array([one["label"] for one in mine])
    said = np.array([int(one["winner"]) if one["winner"] in ("1", "2") else -1 for one in mine])
    counted = pair_tables(np.arange(len(mine)), said - 1, people - 1, classes=2).sum(axis=0)
    assert cohen_kappa()(counted).value == pytest.approx(0.878, abs=5e-4)
    # As it was published: the verdict "2" is class 0 on one side, and 2 on the other.
    two_spaces = pair_tables(np.arange(len(mine)), np.where(said == 2, 0, said), people, classes=3).sum(axis=0)
    assert cohen_kappa()(two_spaces).value == pytest.approx(0.264, abs=5e-4)
