"""Units of a call in another order, and back."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_kit import noise_record
from run_kit import RUBRIC

from judge.order import as_given, reordered
from judge.probe import Probes, build_probes
from judge.record import build_record


def probes_of(units: int) -> Probes:
    fields = noise_record(1, units=0)
    fields["units"] = {"perception": [{"unit_id": f"U{place}", "claim": f"Claim {place}."} for place in range(units)]}
    return build_probes(build_record(fields), RUBRIC, "axis")[0]


def order_of(units: int, number: int) -> tuple[str, ...]:
    return tuple(asked.unit.unit_id for asked in reordered(probes_of(units), number).asked)


@given(units=st.integers(1, 16), number=st.integers(0, 20))
def test_what_comes_back_is_in_the_order_of_the_record(units: int, number: int) -> None:
    probes = probes_of(units)
    other = reordered(probes, number)
    assert sorted(map(id, other.asked)) == sorted(map(id, probes.asked))
    assert as_given(other, [asked.unit.unit_id for asked in other.asked]) == [f"U{place}" for place in range(units)]


@pytest.mark.parametrize("units", [1, 2, 3, 4])
def test_all_orders_come_once_before_any_comes_again(units: int) -> None:
    everything = list(permutations(f"U{place}" for place in range(units)))
    orders = [order_of(units, number) for number in range(len(everything))]
    assert sorted(orders) == sorted(everything) and orders[0] == tuple(f"U{place}" for place in range(units))
    assert order_of(units, len(everything)) == orders[0]


def test_sixteen_units_have_orders_too() -> None:
    assert len({order_of(16, number) for number in range(21)}) == 21


def test_the_order_of_the_record_is_the_same_request() -> None:
    probes = probes_of(2)
    assert reordered(probes, 0) is probes and reordered(probes, 2) is probes
