"""Agreement in numbers: the same to 1e-9 as scipy, scikit-learn and krippendorff have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from judge.statistics.estimate import Statistic
from judge.statistics.rank import correlate
from judge.statistics.raters import ALPHA_INTERVAL, ALPHA_NOMINAL, ALPHA_ORDINAL, coincidences, moments
from judge.statistics.table import AGREEMENT, MACRO_F1, class_f1, cohen_kappa, pair_tables

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install '.[dev]'")
stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: pip install '.[dev]'")
krippendorff = pytest.importorskip("krippendorff", reason="krippendorff is not installed: pip install '.[dev]'")

CLASSES = 4
PRECISE = 1e-9


def pairs(upper: int = CLASSES - 1) -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(st.tuples(st.integers(0, upper), st.integers(0, upper)), min_size=2, max_size=60)


def columns(points: list[tuple[Any, Any]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(points)
    return both[:, 0], both[:, 1]


def table(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return pair_tables(np.zeros(len(one), dtype=int), one, other, classes=CLASSES).sum(axis=0)


@given(pairs())
def test_kappas(points: list[tuple[int, int]]) -> None:
    one, other = columns(points)
    assume(len({*one, *other}) > 1)
    for power, weights in ((0, None), (1, "linear"), (2, "quadratic")):
        theirs = metrics.cohen_kappa_score(one, other, labels=range(CLASSES), weights=weights)
        assert cohen_kappa(power=power)(table(one, other)).value == pytest.approx(theirs, abs=PRECISE)


@given(pairs())
def test_f1_and_agreement(points: list[tuple[int, int]]) -> None:
    one, other = columns(points)
    counted, given_ = table(one, other), sorted({*one, *other})
    theirs = metrics.f1_score(other, one, labels=given_, average=None, zero_division=0.0)
    assert [class_f1(place)(counted).value for place in given_] == pytest.approx(list(theirs), abs=PRECISE)
    macro = metrics.f1_score(other, one, average="macro", zero_division=0.0)
    assert MACRO_F1(counted).value == pytest.approx(macro, abs=PRECISE)
    assert AGREEMENT(counted).value == pytest.approx(metrics.accuracy_score(other, one), abs=PRECISE)


NUMBER = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3).map(lambda value: round(value, 3)))


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=2, max_size=60))
def test_correlations(points: list[tuple[float, float]]) -> None:
    x, y = columns(points)
    assume(len({*x}) > 1 and len({*y}) > 1)
    for name, theirs in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau), ("pearson", stats.pearsonr)):
        found = correlate(name, np.zeros(len(x), dtype=int), x, y).value  # type: ignore[arg-type]
        assert found == pytest.approx(theirs(x, y).statistic, abs=PRECISE)


@given(st.lists(st.tuples(NUMBER, st.integers(0, 1)), min_size=2, max_size=60))
def test_auc(points: list[tuple[float, int]]) -> None:
    score, label = columns(points)
    assume(len({*label}) == 2)
    found = correlate("auc", np.zeros(len(score), dtype=int), score, label).value
    assert found == pytest.approx(metrics.roc_auc_score(label, score), abs=PRECISE)


RATED = st.lists(st.lists(st.integers(-1, CLASSES - 1), min_size=3, max_size=3), min_size=1, max_size=30)


@given(RATED)
@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", ALPHA_NOMINAL), ("ordinal", ALPHA_ORDINAL), ("interval", ALPHA_INTERVAL)]
)
def test_alphas_with_gaps(level: str, alpha: Statistic, rows: list[list[int]]) -> None:
    codes = np.array(rows)
    pairable = codes[(codes >= 0).sum(axis=1) > 1]
    assume(len({*pairable[pairable >= 0].tolist()}) > 1)
    records, values = np.zeros(len(codes), dtype=int), np.where(codes < 0, np.nan, codes)
    theirs = krippendorff.alpha(values.T, level_of_measurement=level, value_domain=list(range(CLASSES)))
    counted = moments(records, values) if level == "interval" else coincidences(records, codes, classes=CLASSES)
    assert alpha(counted.sum(axis=0)).value == pytest.approx(theirs, abs=PRECISE)
