"""What two orders say together, and the table of it."""

from __future__ import annotations

import pytest

from judge.preference import PREFERENCES, Preference, Preferred, build_preferences, settle

_SAID: tuple[Preferred, ...] = ("A", "B", "tie")
_CONTRACT = "record_id model_a model_b axis judge order_ab order_ba outcome reason failure"


@pytest.mark.parametrize("said", _SAID)
def test_the_same_answer_twice_is_that_answer(said: Preferred) -> None:
    assert settle(said, said) == said


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in _SAID for b in _SAID if a != b])
def test_two_different_answers_are_inconsistent(one: Preferred, other: Preferred) -> None:
    assert settle(one, other) == "inconsistent"


@pytest.mark.parametrize("said", [*_SAID, None])
def test_with_one_order_failed_there_is_no_outcome(said: Preferred | None) -> None:
    assert settle(said, None) is None
    assert settle(None, said) is None


def test_a_table_has_the_columns_of_the_contract_first_and_is_the_same_when_empty() -> None:
    row = Preference(record_id="r", model_a="m", model_b="n", axis="overall", judge="j", order_ab="A", order_ba="tie")
    frame = build_preferences([row])
    assert frame.columns[:10] == _CONTRACT.split()
    assert frame.schema == build_preferences([]).schema == PREFERENCES
    assert frame.row(0, named=True)["order_ba"] == "tie"
