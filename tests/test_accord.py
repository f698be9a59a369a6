"""How far judges agree: against published numbers, and worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.panels.accord import Accord

# Krippendorff 2011, section C: twelve units, four observers; "." is no verdict.
A = "123321412..."
B = "1233224125.3"
C = ".3332342251."
D = "12332441251."


def counted(*judges: str, levels: bool = False) -> Accord:
    accord = Accord()
    for line, said in enumerate(zip(*judges, strict=True), start=1):
        outcomes = {f"j{place}": one for place, one in enumerate(said) if one != "."}
        accord.add("a", line, outcomes, levels=levels)
    return accord


@pytest.mark.parametrize(("levels", "alpha"), [(False, 0.743), (True, 0.849)])
def test_the_published_example(levels: bool, alpha: float) -> None:
    """Nominal 0.743, interval 0.849; the unit that one observer judged counts nowhere."""
    (axis,) = counted(A, B, C, D, levels=levels).axes()
    assert axis.alpha == pytest.approx(alpha, abs=5e-4)
    assert axis.units == 11


def test_shares_of_pairs() -> None:
    """Units aab, ab, aaa: 1/3, 0, 1; pairs: j0 and j1 in 2 of 3, the others in 1 of 2 each."""
    accord = counted("aaa", "aba", "b.a")
    (axis,) = accord.axes()
    assert axis.agreement == pytest.approx((1 / 3 + 0 + 1) / 3) and (axis.units, axis.records) == (3, 3)
    found = {(pair.judge, pair.other): (pair.agreement, pair.units) for pair in accord.pairs()}
    assert found == {("j0", "j1"): (pytest.approx(2 / 3), 3), ("j0", "j2"): (0.5, 2), ("j1", "j2"): (0.5, 2)}
    assert [pair.agreement for pair in accord.pairs()] == sorted(pair.agreement for pair in accord.pairs())


def test_units_of_one_record_are_one_draw() -> None:
    """Record 1: 1 and 0, record 2: 1. The mean over records is 3/4, over units it would be 2/3."""
    accord = Accord()
    for line, outcomes in ((1, "aa"), (1, "ab"), (2, "aa")):
        accord.add("a", line, dict(enumerate(outcomes)))  # type: ignore[arg-type]
    (axis,) = accord.axes()
    assert (axis.agreement, axis.records, axis.units) == (0.75, 2, 3)
    assert axis.low is not None and axis.high is not None and 0.5 <= axis.low <= axis.high <= 1.0


def test_without_anything_to_compare_there_is_no_number() -> None:
    assert counted("a", ".").axes() == [] and counted("a", ".").pairs() == []
    (axis,) = counted("aa", "aa").axes()
    assert (axis.agreement, axis.alpha) == (1.0, None)


@given(st.lists(st.text("abc", min_size=3, max_size=3), min_size=2, max_size=8), st.permutations("abc"))
def test_names_of_outcomes_and_the_order_of_judges_say_nothing(units: list[str], names: list[str]) -> None:
    judges = ["".join(column) for column in zip(*units, strict=True)]
    renamed = [judge.translate(str.maketrans("abc", "".join(names))) for judge in judges]
    (one,), (other,) = counted(*judges).axes(), counted(*reversed(renamed)).axes()
    assert other.alpha == pytest.approx(one.alpha) and other.agreement == pytest.approx(one.agreement)
