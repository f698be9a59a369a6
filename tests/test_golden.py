"""What came of golden cases: ok, failed, or not judged, which is neither."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from judge import Judge, Run
from judge.cases import Case, Expectation, read_cases
from judge.errors import InputError
from judge.golden import Checked, check_cases
from judge.rubric import Rubric
from judge.settings import Settings
from judge.testing import Ask, Server

UNITS = {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}
TRACES = {
    "right": "The fracture is in the left wrist.",
    "wrong": "The fracture is in the right wrist.",
    "silent": "All well.",
}


def case(name: str, **expect: Any) -> Case:
    fields = {"id": name, "trace": TRACES[name], "units": UNITS}
    return Case(id=name, line=0, fields=fields, expect=Expectation.model_validate(expect))


def fields_of(cases: list[Case]) -> list[Any]:
    return [one.fields for one in cases]


def checked(*cases: Case, judge: Judge | None = None) -> list[Checked]:
    with judge or Judge("lexical") as asked:
        return check_cases(cases, asked.score(fields_of([*cases])), lexical=judge is None)


def statuses(*cases: Case, judge: Judge | None = None) -> list[str]:
    return [one.status for one in checked(*cases, judge=judge)]


@pytest.fixture(scope="module")
def run() -> Run:
    return Judge("lexical").score(fields_of([case(name, better_than="x") for name in TRACES]))


@pytest.mark.parametrize(
    ("name", "expect", "status", "found"),
    [
        ("right", {"verdicts": {"P1": {"presence": 2, "correctness": 1}}}, "ok", [2, 1]),
        ("right", {"verdicts": {"P1": {"presence": 1, "correctness": 1}}}, "failed", [2, 1]),
        ("wrong", {"verdicts": {"P1": {"correctness": -1}}}, "ok", [-1]),
        ("wrong", {"verdicts": {"P1": {"correctness": 1}}}, "failed", [-1]),
        ("silent", {"verdicts": {"P1": {"presence": 0, "correctness": None}}}, "ok", [0, None]),
        ("silent", {"verdicts": {"P1": {"correctness": -1}}}, "failed", [None]),
        ("right", {"verdicts": {"P1": {"verdict": "MET"}}}, "failed", [None]),
        ("right", {"scores": {"trace_score": [0.8, 1]}}, "ok", [1.0]),
        ("right", {"scores": {"trace_score": [1, 1], "perception_grounding": [1, 1]}}, "ok", [1.0, 1.0]),
        ("right", {"scores": {"trace_score": [0, 0.9]}}, "failed", [1.0]),
        ("wrong", {"scores": {"trace_score": [0.1, 1]}}, "failed", [0.0]),
        ("silent", {"scores": {"perception_correctness": None}}, "ok", [None]),
        ("right", {"scores": {"perception_correctness": None}}, "failed", [1.0]),
        # Nobody failed: there is no correctness of what is not raised.
        ("silent", {"scores": {"perception_correctness": [0, 1]}}, "failed", [None]),
        ("right", {"better_than": "wrong"}, "ok", [1.0]),
        ("wrong", {"better_than": "right"}, "failed", [0.0]),
        # As good as is not better.
        ("wrong", {"better_than": "silent"}, "failed", [0.0]),
        ("right", {"better_than": "wrong", "verdicts": {"P1": {"presence": 0}}}, "failed", [2, 1.0]),
    ],
)
def test_what_was_found_is_held_against_what_was_expected(
    run: Run, name: str, expect: dict[str, Any], status: str, found: list[Any]
) -> None:
    cases = [case(other, **(expect if other == name else {"better_than": "x"})) for other in TRACES]
    cases = [one if one.id == name else case(one.id, scores={"trace_score": [0, 1]}) for one in cases]
    told = {one.case.id: one for one in check_cases(cases, run, lexical=True)}
    assert told.pop(name).status == status
    assert {one.status for one in told.values()} == {"ok"}
    (mine,) = (one for one in check_cases(cases, run, lexical=True) if one.case.id == name)
    assert [check.found for check in mine.checks] == found


def test_a_bound_that_was_rounded_holds() -> None:
    """The score of thirds is a float a hair below its bound."""
    cases = [case("right", scores={"trace_score": [1 + 1e-12, 1 + 1e-12]})]
    assert statuses(*cases) == ["ok"]
    assert statuses(case("right", scores={"trace_score": [1 + 1e-6, 2]})) == ["failed"]


def test_the_baseline_is_not_held_to_what_is_not_for_it() -> None:
    impossible = {"verdicts": {"P1": {"presence": 0}}, "lexical": False}
    assert statuses(case("right", **impossible), case("wrong", better_than="right", lexical=False)) == ["skipped"] * 2
    with Server(script="obedient") as server:
        judge = Judge("hosted_vllm/any", api_base=server.api_base)
        assert statuses(case("right", **impossible), judge=judge) == ["failed"]


def test_another_case_may_be_better_than_one_that_is_skipped() -> None:
    cases = (case("wrong", verdicts={"P1": {"presence": 0}}, lexical=False), case("right", better_than="wrong"))
    assert statuses(*cases) == ["skipped", "ok"]


def broken(ask: Ask) -> Any:
    """Judges all traces but one; that one gets prose."""
    if "right" in ask.trace:
        return "I would rather not say."
    seen = "left" in ask.trace
    evidence, presence = ("left wrist", 2) if seen else (None, 0)
    return {"u1": {"evidence": evidence, "reason": "r", "presence": presence, "correctness": 1 if seen else None}}


def test_what_is_not_judged_has_not_failed() -> None:
    with Server(script=broken) as server:
        told = checked(
            case("right", verdicts={"P1": {"presence": 2}}, scores={"trace_score": [1, 1]}, better_than="silent"),
            case("wrong", verdicts={"P1": {"presence": 2}}, scores={"trace_score": [0, 1], "perception_score": None}),
            case("silent", better_than="wrong"),
            judge=Judge("hosted_vllm/any", api_base=server.api_base),
        )
    assert [one.status for one in told] == ["ok", "unjudged", "unjudged"]
    assert [(check.status, check.reason) for check in told[1].checks] == [("unjudged", "not_json")] * 3
    assert [(check.status, check.reason, check.found) for check in told[2].checks] == [("unjudged", "not_json", 0.0)]
    assert told[1].failure is not None and told[1].failure.startswith("not_json: the reply")
    assert told[0].failure is None


def test_a_record_that_cannot_be_read_is_not_judged() -> None:
    unreadable = Case(
        id="x",
        line=1,
        fields={"id": "x", "trace": "t", "units": UNITS, "image": "gone.png"},
        expect=Expectation.model_validate({"verdicts": {"P1": {"presence": 0}}, "scores": {"trace_score": [0, 1]}}),
    )
    with Server(script="obedient") as server:
        (told,) = check_cases(
            [unreadable],
            Judge("hosted_vllm/any", api_base=server.api_base, image_root="/").score([unreadable.fields]),
            lexical=False,
        )
    assert told.status == "unjudged"
    assert {(check.status, check.reason) for check in told.checks} == {("unjudged", "unreadable")}
    assert told.failure is not None and told.failure.startswith("image_not_found: ")


def test_an_expectation_holds_in_every_sample() -> None:
    def moody(ask: Ask) -> Any:
        moody.asked += 1  # type: ignore[attr-defined]
        presence = 2 if moody.asked < 3 else 1  # type: ignore[attr-defined]
        return {"u1": {"evidence": "left wrist", "reason": "r", "presence": presence, "correctness": 1}}

    moody.asked = 0  # type: ignore[attr-defined]
    with Server(script=moody) as server:
        judge = Judge("hosted_vllm/any", api_base=server.api_base, samples=3)
        (told,) = checked(case("right", verdicts={"P1": {"presence": 2, "correctness": 1}}), judge=judge)
    assert [(check.status, check.found) for check in told.checks] == [("failed", 1), ("ok", 1)]


def scale(lowest: int) -> dict[str, Any]:
    """The judge for tests is at the lowest level where a record has neither reference nor question."""
    levels = [{"level": lowest, "anchor": "No."}, {"level": lowest + 1, "anchor": "Yes."}]
    return {"kind": "scale", "description": "d", "levels": levels}


MIXED = {
    "met": {"kind": "criteria", "description": "d", "criteria": [{"id": "c1", "text": "Names a fracture."}]},
    "true": {"kind": "faithfulness", "description": "d"},
    "clear": scale(1),
    "kind": scale(5),
}


def test_units_of_one_name_are_told_apart_by_their_axis(tmp_path: Path) -> None:
    """A trace's first claim is called c1 too, and every scale has a `level`."""
    rubric = Rubric.model_validate({"name": "mixed", "version": "1", "description": "d", "axes": MIXED})
    expect = {"c1": {"verdict": "MET"}, "clear.level": {"level": 1}, "kind.level": {"level": 5}}
    line = {"id": "r", "trace": TRACES["right"], "expect": {"verdicts": expect}}
    (path := tmp_path / "mixed.cases.jsonl").write_text(json.dumps(line), encoding="utf-8")
    with Server() as server, Judge("hosted_vllm/m", api_base=server.api_base, rubric=rubric, cache=None) as judge:
        way = Settings(judge="hosted_vllm/m", api_base=server.api_base, rubric=rubric).way
        cases = read_cases(path, way, axes={name: axis.kind for name, axis in rubric.axes.items()})
        (found,) = check_cases(cases, judge.score(fields_of(cases)), lexical=False)
    assert [(one.what, one.found) for one in found.checks] == [
        *(("c1 verdict", "MET"), ("clear.level level", 1), ("kind.level level", 5)),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("level", "is of several axes; there are: clear.level and kind.level."),
        ("c2", "is no unit of this case; there are: c1, level."),
        ("true.c1", "is no unit of this case; there are: c1, level."),
    ],
)
def test_a_name_that_says_not_which_unit_is_refused(name: str, said: str, tmp_path: Path) -> None:
    rubric = Rubric.model_validate({"name": "mixed", "version": "1", "description": "d", "axes": MIXED})
    line = {"id": "r", "trace": TRACES["right"], "expect": {"verdicts": {name: {"level": 1}}}}
    (path := tmp_path / "mixed.cases.jsonl").write_text(json.dumps(line), encoding="utf-8")
    way = Settings(judge="hosted_vllm/m", api_base="http://127.0.0.1:9/v1", rubric=rubric).way
    with pytest.raises(InputError, match=re.escape(said)):
        read_cases(path, way, axes={name: axis.kind for name, axis in rubric.axes.items()})
