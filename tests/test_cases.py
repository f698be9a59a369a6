"""A file of golden cases is checked whole before anything is asked: file, line, field, and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judge.cases import Case, cases_beside, read_cases
from judge.errors import InputError, RubricError
from judge.resource import resource_path
from judge.rubric import load_rubric
from judge.settings import Settings

WAY = Settings(judge="lexical", rubric=load_rubric("pkr")).way
AXES = {name: axis.kind for name, axis in WAY.rubric.axes.items()}
UNITS = {"perception": [{"unit_id": "P1", "claim": "The heart is enlarged."}]}
EXPECT = {"verdicts": {"P1": {"presence": 2, "correctness": 1}}, "scores": {"trace_score": [0.8, 1]}}
GOOD = {"id": "good", "trace": "The heart is enlarged.", "units": UNITS, "expect": EXPECT}
POOR = {**GOOD, "id": "poor", "trace": "It is fine.", "expect": {"scores": {"trace_score": [0, 0]}}}


def written(folder: Path, *lines: object) -> Path:
    path = folder / "r.cases.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def read(path: Path) -> list[Case]:
    return read_cases(path, WAY, axes=AXES)


def expecting(**expect: Any) -> dict[str, Any]:
    return {**GOOD, "expect": expect}


def test_only_columns_of_the_kind_can_be_expected(tmp_path: Path) -> None:
    rubric = load_rubric("healthbench")
    way = Settings(judge="hosted_vllm/m", api_base="http://127.0.0.1:9/v1", rubric=rubric).way
    units = {"criteria": [{"unit_id": "c1", "claim": "Says so.", "points": 5}]}
    case = {**GOOD, "units": units, "expect": {"scores": {"criteria_score": [-1, 1], "criteria_grounding": [0, 1]}}}
    with pytest.raises(InputError, match="criteria_grounding: is no score; there are: criteria_score, criteria_cov"):
        read_cases(written(tmp_path, case), way, axes={"criteria": "criteria"})


def test_a_case_is_its_record_and_what_is_expected(tmp_path: Path) -> None:
    good, poor = read(written(tmp_path, {**GOOD, "note": "why", "expect": {**EXPECT, "better_than": "poor"}}, "", POOR))
    assert (good.id, good.line, poor.id, poor.line) == ("good", 1, "poor", 3)
    assert good.fields == {"id": "good", "trace": GOOD["trace"], "units": UNITS, "note": "why"}
    assert good.expect.verdicts["P1"].model_dump(exclude_unset=True) == {"presence": 2, "correctness": 1}
    assert (good.expect.scores, good.expect.better_than, good.expect.lexical) == (
        {"trace_score": [0.8, 1]},
        "poor",
        True,
    )


def test_that_there_must_be_none_can_be_expected(tmp_path: Path) -> None:
    expect = {"verdicts": {"P1": {"correctness": None}}, "scores": {"perception_correctness": None}}
    (case,) = read(written(tmp_path, expecting(**expect)))
    assert case.expect.verdicts["P1"].model_dump(exclude_unset=True) == {"correctness": None}
    assert case.expect.scores == {"perception_correctness": None}


WRONG = {
    # name: lines, line and field of the fault, what is said
    "no JSON": (["{"], ":1: ", "ends in the middle of a JSON value"),
    "no object": (["[1]"], "", "is a JSON array, not JSONL"),
    "no id": ([{**GOOD, "id": None}], ":1: id: ", "is missing or null. Give one that says what the case is about"),
    "no trace": ([POOR, {"id": "x", "units": UNITS, "expect": EXPECT}], ":2: trace: ", "is missing or null."),
    "no units": ([{**GOOD, "units": {}}], ":1: units: ", "has no unit for the rubric 'pkr'"),
    "unknown axis": (
        [{**GOOD, "units": {"seen": UNITS["perception"]}}],
        ":1: units.seen: ",
        "is not an axis of the rubric",
    ),
    "no expect": ([{**GOOD, "expect": None}], ":1: expect: ", "is missing."),
    "expect is a list": ([{**GOOD, "expect": []}], ":1: expect: ", "is [] (list), must be"),
    "nothing expected": ([expecting()], ":1: expect: ", "expects nothing; give verdicts, scores or better_than."),
    "only a mark": ([expecting(lexical=False)], ":1: expect: ", "expects nothing"),
    "unknown expectation": (
        [expecting(score={})],
        ":1: expect.score: ",
        "is {} (dict), and nothing of this name can be expected.",
    ),
    "unknown unit": (
        [expecting(verdicts={"P2": {"presence": 0}})],
        ":1: expect.verdicts.P2: ",
        "is no unit of this case; there are: P1.",
    ),
    "empty verdict": (
        [expecting(verdicts={"P1": {}})],
        ":1: expect.verdicts.P1: ",
        "expects nothing; give presence, correctness, verdict, value or level.",
    ),
    "presence 3": (
        [expecting(verdicts={"P1": {"presence": 3}})],
        ":1: expect.verdicts.P1.presence: ",
        "is 3 (int), must be",
    ),
    "presence in words": (
        [expecting(verdicts={"P1": {"presence": "2"}})],
        ":1: expect.verdicts.P1.presence: ",
        "is '2' (str), must be 0, 1 or 2.",
    ),
    "unknown column of a verdict": (
        [expecting(verdicts={"P1": {"raised": 2}})],
        ":1: expect.verdicts.P1.raised: ",
        "nothing of this name can be expected.",
    ),
    "unknown score": (
        [expecting(scores={"knowledge": [0, 1]})],
        ":1: expect.scores.knowledge: ",
        "is no score; there are: perception_grounding, perception_correctness, perception_score,",
    ),
    "a column that is no score": (
        [expecting(scores={"units_asked": [0, 1]})],
        ":1: expect.scores.units_asked: ",
        "is no score",
    ),
    "one bound": ([expecting(scores={"trace_score": [0.5]})], ":1: expect.scores.trace_score: ", "at least 2 items"),
    "a number for bounds": (
        [expecting(scores={"trace_score": 1})],
        ":1: expect.scores.trace_score: ",
        "is 1 (int), must be",
    ),
    "bounds the wrong way": (
        [expecting(scores={"trace_score": [1, 0.5]})],
        ":1: expect: ",
        "scores.trace_score is [1.0, 0.5]; the lowest value comes first.",
    ),
    "the same id": ([POOR, GOOD, POOR], ":3: id: ", "is 'poor', which the case of line 1 has too."),
    "better than nobody": (
        [POOR, expecting(better_than="pour")],
        ":2: expect.better_than: ",
        "is 'pour', which is no other case; there are: poor.",
    ),
    "better than itself": (
        [POOR, expecting(better_than="good")],
        ":2: expect.better_than: ",
        "is 'good', which is no other case",
    ),
    "no case": ([], "", "holds no case."),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_where_it_is_wrong(name: str, tmp_path: Path) -> None:
    lines, place, message = WRONG[name]
    path = written(tmp_path, *lines)
    with pytest.raises(InputError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}{place}")
    assert message in str(refused.value)


def test_a_file_that_is_not_there_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl is not there, so there are no cases\. Write a record a line"):
        read(tmp_path / "none.jsonl")


def test_cases_lie_beside_their_rubric() -> None:
    assert cases_beside("pkr") == resource_path("rubrics", "pkr.cases.jsonl")
    assert cases_beside("rules/triage.v2.yaml") == Path("rules/triage.v2.cases.jsonl")
    with pytest.raises(RubricError, match="no built-in rubric is called 'pkx'"):
        cases_beside("pkx")


def test_the_cases_of_pkr_are_for_every_reader() -> None:
    """Of the same question, so that a better trace is the only difference; one is not for the baseline."""
    cases = read(cases_beside("pkr"))
    assert len({json.dumps({**case.fields, "trace": "", "id": "", "note": ""}) for case in cases}) == 1
    assert [case.id for case in cases if not case.expect.lexical] == ["in-other-words"]
    assert {case.expect.better_than for case in cases} - {None}
    raised = {verdict.presence for case in cases for verdict in case.expect.verdicts.values()}
    right = {verdict.correctness for case in cases for verdict in case.expect.verdicts.values()}
    assert (raised, right) == ({0, 2}, {-1, 1, None})
