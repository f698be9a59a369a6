"""Every unit is asked exactly once, in the rubric's order, at most sixteen a call."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.axis import Checklist
from judge.errors import RecordError
from judge.probe import MAX_UNITS_PER_CALL, Probes, build_probes
from judge.record import Record, build_record
from judge.rubric import Rubric, load_rubric

PKR = load_rubric("pkr")
AXES = tuple(PKR.axes)
GRANULARITIES = ("trace", "axis", "unit")
WEIGHTED = Rubric(
    name="w",
    version="1",
    description="d",
    axes={
        "a": Checklist(kind="checklist", description="d", importance={"default": 1, "core": 2.5, "minor": 0}),
        "b": Checklist(kind="checklist", description="d"),
    },
)


def _record(counts: dict[str, int]) -> Record:
    units = {
        axis: [{"unit_id": f"{axis}{n}", "claim": f"{axis} {n}"} for n in range(count)]
        for axis, count in counts.items()
    }
    return build_record({"id": "r", "trace": "t", "units": units}, number=4)


def _ids(groups: list[Probes]) -> list[list[str]]:
    return [[asked.unit.unit_id for asked in group.asked] for group in groups]


def _refused(record: Record, rubric: Rubric = PKR) -> RecordError:
    errors = []
    for granularity in GRANULARITIES:
        with pytest.raises(RecordError) as caught:
            build_probes(record, rubric, granularity)
        errors.append(caught.value)
    assert len({str(error) for error in errors}) == 1
    return errors[0]


@settings(max_examples=150)
@given(
    st.permutations(AXES).flatmap(lambda axes: st.fixed_dictionaries({axis: st.integers(0, 70) for axis in axes})),
    st.sampled_from(GRANULARITIES),
)
def test_every_unit_is_asked_once_and_in_order(counts: dict[str, int], granularity: str) -> None:
    record = _record(counts)
    in_order = [unit.unit_id for axis in AXES for unit in record.units[axis]]
    if not in_order:
        assert _refused(record).code == "no_units"
        return
    groups = build_probes(record, PKR, granularity)
    assert list(itertools.chain(*_ids(groups))) == in_order
    sizes = [len(group.asked) for group in groups]
    assert min(sizes) >= 1
    assert max(sizes) <= MAX_UNITS_PER_CALL == 16
    # No more calls than ⌈n/16⌉ for what may share a call.
    shared = {"trace": [len(in_order)], "axis": list(counts.values()), "unit": [1] * len(in_order)}[granularity]
    assert len(groups) == sum(-(-n // 16) for n in shared)
    assert all(group.record is record for group in groups)
    assert all(asked.unit in record.units[asked.axis] for group in groups for asked in group.asked)
    if granularity != "trace":
        assert all(len({asked.axis for asked in group.asked}) == 1 for group in groups)


@pytest.mark.parametrize(
    ("granularity", "groups"),
    [
        ("trace", [["p0", "k0", "k1", "r0"]]),
        ("axis", [["p0"], ["k0", "k1"], ["r0"]]),
        ("unit", [["p0"], ["k0"], ["k1"], ["r0"]]),
    ],
)
def test_granularities(granularity: str, groups: list[list[str]]) -> None:
    record = _record({"rationale": 1, "knowledge": 2, "perception": 1})
    assert [[unit[0] + unit[-1] for unit in group] for group in _ids(build_probes(record, PKR, granularity))] == groups


def test_the_seventeenth_unit_is_another_call() -> None:
    assert [len(group) for group in _ids(build_probes(_record({"perception": 16}), PKR, "axis"))] == [16]
    assert [len(group) for group in _ids(build_probes(_record({"perception": 17}), PKR, "axis"))] == [16, 1]
    # 10 + 10 of two axes: together 16 + 4, each by itself 10.
    two = _record({"perception": 10, "knowledge": 10})
    assert [len(group) for group in _ids(build_probes(two, PKR, "trace"))] == [16, 4]
    assert [len(group) for group in _ids(build_probes(two, PKR, "axis"))] == [10, 10]


def test_weights_are_of_the_axis() -> None:
    names = [None, "core", "minor", "default"]
    units = {
        axis: [{"unit_id": f"{axis}{n}", "claim": "c", "importance": name} for n, name in enumerate(names)]
        for axis in "ab"
    }
    groups = build_probes(build_record({"trace": "t", "units": units}), WEIGHTED, "axis")
    assert [[asked.weight for asked in group.asked] for group in groups] == [[1, 2.5, 0, 1], [1, 1, 1, 1]]


def test_without_units_there_is_nothing_to_ask() -> None:
    for units in ({}, {"perception": []}, {axis: [] for axis in AXES}):
        error = _refused(build_record({"id": "r", "trace": "t", "units": units}, number=4))
        assert (error.code, error.record_id) == ("no_units", "r")
        assert str(error) == (
            "line 4, units: has no unit for the rubric 'pkr'. "
            'Give at least one: {"units": {"perception": [{"unit_id": "…", "claim": "…"}]}}'
        )


def test_an_axis_that_the_rubric_lacks() -> None:
    for units in ([], [{"unit_id": "x", "claim": "c"}]):
        record = build_record({"id": "r", "trace": "t", "units": {"perceptoin": units}}, number=4)
        assert str(_refused(record)) == (
            "line 4, units.perceptoin: is not an axis of the rubric 'pkr'; "
            "its axes are: perception, knowledge, rationale."
        )


def test_an_importance_that_the_rubric_lacks() -> None:
    units = [{"unit_id": "x", "claim": "c"}, {"unit_id": "y", "claim": "c", "importance": "Core"}]
    error = _refused(build_record({"id": "r", "trace": "t", "units": {"a": units}}, number=4), WEIGHTED)
    assert error.code == "unknown_importance"
    assert str(error) == "line 4, units.a[1].importance: is 'Core'; the rubric 'w' lists: default, core, minor."
