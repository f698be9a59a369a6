"""Criteria: their arithmetic by hand and against what was published, and how they are asked about."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from run_kit import completion, http, scripted

from judge.axis import Criteria
from judge.client import Judge
from judge.criteria import score_criteria
from judge.criterion import polarity_of
from judge.errors import ConfigError, RubricError
from judge.record import build_record
from judge.rubric import Rubric, load_rubric
from judge.score import AxisScore, score_axis
from judge.traces.shape import shape_fields
from judge.verdict import Verdict

HEALTHBENCH = Path(__file__).parents[2] / "shared" / "data" / "healthbench"


def criterion(points: float, verdict: str | None, *, polarity: str | None = None, gate: bool = False) -> Verdict:
    """A judged criterion; None is one that is not judged."""
    polarity = polarity or ("negative" if points < 0 else "positive")
    value = None if verdict is None else float((verdict == "MET") == (polarity == "positive"))
    return Verdict(
        axis="a", unit_id="c", claim="c", importance=None, weight=abs(points), kind="criteria", points=points,
        polarity=polarity, gate=gate, verdict=verdict, value=value, failure=None if verdict else "cannot_assess",
    )  # type: ignore[arg-type]  # fmt: skip


M, U = "MET", "UNMET"


@pytest.mark.parametrize(
    ("scoring", "criteria", "expected"),
    [
        # (10 - 10) / (10 + 5): the negative item takes away, and is not in the denominator.
        ("healthbench", [(10, M), (5, U), (-10, M)], 0.0),
        ("healthbench", [(10, M), (5, U), (-10, U)], 10 / 15),
        ("healthbench", [(5, U), (-8, M)], -8 / 5),
        ("healthbench", [(-8, U)], None),
        ("weighted", [(10, M), (5, U), (-4, M)], 6 / 15),
        ("weighted", [(5, U), (-8, M)], 0.0),
        # Negative ones only: 1 + (-3) / (3 + 1).
        ("weighted", [(-3, M), (-1, U)], 0.25),
        # 1.0 and 0.3 have their good side, 0.7 has not: 1.3 / 2.0.
        ("rar_explicit", [(1.0, M), (0.7, U), (-0.3, U)], 1.3 / 2.0),
        ("rar_explicit", [(0, M)], None),
    ],
)
def test_sums_by_hand(scoring: Any, criteria: Sequence[tuple[float, str]], expected: float | None) -> None:
    found = score_criteria([criterion(points, verdict) for points, verdict in criteria], scoring)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-15))


@pytest.mark.parametrize("scoring", ["healthbench", "weighted", "rar_explicit"])
def test_a_gate_that_fails_leaves_nothing_and_one_that_holds_changes_nothing(scoring: Any) -> None:
    others = [criterion(3, M), criterion(1, U)]
    # 5 points and 3 of 9.
    assert score_criteria([criterion(5, M, gate=True), *others], scoring) == pytest.approx(8 / 9)
    assert score_criteria([criterion(5, U, gate=True), *others], scoring) == 0.0


def test_a_gate_that_fails_does_not_lift_a_score_below_zero() -> None:
    assert score_criteria([criterion(5, U, gate=True), criterion(-5, M)], "healthbench") == -1.0


def axis(*criteria: Verdict, **more: Any) -> AxisScore:
    return score_axis(criteria, axis=Criteria(kind="criteria", description="d"), **more)


def test_what_is_not_judged_is_in_no_sum_and_its_worst_and_best_are_told() -> None:
    """6 of 10 points are judged, 4 of them met; the others may be met or not."""
    found = axis(criterion(4, M), criterion(2, U), criterion(4, None), min_coverage=0.5)
    assert (found.coverage, found.score) == (pytest.approx(0.6), pytest.approx(4 / 6))
    assert (found.score_low, found.score_high) == (pytest.approx(0.4), pytest.approx(0.8))
    assert (found.grounding, found.correctness) == (None, None)
    assert axis(criterion(4, M), criterion(4, None)).score is None


def test_the_worst_of_a_criterion_that_should_not_hold_is_that_it_does() -> None:
    found = axis(criterion(4, M), criterion(-2, None), min_coverage=0.5)
    assert (found.score_low, found.score_high) == (pytest.approx(0.5), 1.0)


def test_an_unjudged_gate_leaves_no_score() -> None:
    found = axis(criterion(9, M), criterion(1, None, gate=True), min_coverage=0.5)
    assert (found.score, found.score_low, found.score_high) == (None, 0.0, 1.0)


@pytest.mark.skipif(not HEALTHBENCH.is_dir(), reason="shared/data/healthbench is not here")
def test_healthbench_scores_are_recomputed_exactly_from_the_recorded_verdicts() -> None:
    rows = [json.loads(line) for line in (HEALTHBENCH / "m42_judged.jsonl").read_text().splitlines()]
    scores = [_recorded(row) for row in rows]
    negative = [row for row, score in zip(rows, scores, strict=True) if score < 0]
    assert len(rows) == 50
    assert len(negative) == 1
    for row, score in zip(rows, scores, strict=True):
        assert score == pytest.approx(_as_value(row["metrics"])["overall_score"], abs=1e-12)
    published = sum(_as_value(row["metrics"])["overall_score"] for row in rows) / len(rows)
    assert sum(scores) / len(scores) == pytest.approx(published, abs=1e-12)


def _as_value(written: Any) -> Any:
    return ast.literal_eval(written) if isinstance(written, str) else written


def _recorded(row: dict[str, Any]) -> float:
    verdicts = [
        criterion(one["points"], M if one["response_dict"]["criteria_met"] else U)
        for one in _as_value(row["responses"])
    ]
    score = score_axis(verdicts, axis=load_rubric("healthbench").axes["criteria"]).score
    assert score is not None
    return score


# The format.


def rubric(text: str, tmp_path: Path) -> Rubric:
    path = tmp_path / "r.yaml"
    head = 'name: r\nversion: "1"\ndescription: d\naxes:\n  a:\n    kind: criteria\n    description: d\n'
    path.write_text(head + text)
    return load_rubric(path)


def test_points_go_before_importance_and_polarity_gives_a_weight_its_sign(tmp_path: Path) -> None:
    found = rubric(
        "    importance: {core: 2, default: 1}\n    criteria:\n"
        "      - {id: x, text: t}\n"
        "      - {id: y, text: t, importance: core, polarity: negative}\n"
        "      - {id: z, text: t, importance: core, points: 5, polarity: negative, gate: true}\n",
        tmp_path,
    ).axes["a"]
    assert isinstance(found, Criteria)
    units = [(unit.unit_id, unit.points, unit.polarity, unit.gate) for unit in found.units]
    assert units == [("x", None, None, False), ("y", None, "negative", False), ("z", 5.0, "negative", True)]
    worth = [found.points(unit.points, unit.importance, polarity_of(unit)) for unit in found.units]
    assert worth == [1.0, -2.0, 5.0]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("    criteria: [{id: x, text: t}, {id: x, text: u}]\n", "8:15", "two criteria have the id 'x'"),
        ("    criteria: [{id: x, text: t, importance: core}]\n", "6:5", "the axis lists: none"),
        ("    criteria: [{id: x, text: t, points: 0}]\n", "6:5", "all criteria are worth 0 points"),
        ("    criteria: [{id: x, text: t, polarity: bad}]\n", "8:43", "axes.a.criteria.0.polarity: Input should be"),
        ("    criteria: [{id: x, text: t, points: .inf}]\n", "8:41", "must be a plain decimal one"),
        ("    criteria: [{id: x}]\n", "8:16", "axes.a.criteria.0.text: Field required."),
        ("    scoring: best\n", "8:14", "axes.a.scoring: Input should be 'weighted'"),
        ("    importance: {core: -1}\n", "8:17", "the weight of 'core' is -1.0"),
    ],
)
def test_a_wrong_axis_is_refused_with_its_place(text: str, place: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RubricError) as caught:
        rubric(text, tmp_path)
    assert said in str(caught.value)
    assert f"r.yaml:{place}:" in str(caught.value)


def test_a_row_of_healthbench_is_a_record() -> None:
    row = {
        "prompt_id": "p1", "prompt": [{"role": "user", "content": "I cough."}], "trace": "For how long?",
        "rubrics": [
            {"criterion": "Asks for how long.", "points": 5, "tags": ["axis:context"]},
            {"criterion": "Advises to wait.", "points": -3, "tags": []},
        ],
    }  # fmt: skip
    record = build_record(shape_fields(row))
    assert (record.id, record.question) == ("p1", "I cough.")
    first, second = record.units["criteria"]
    assert (first.unit_id, first.claim, first.points) == ("c1", "Asks for how long.", 5.0)
    assert (second.points, first.meta) == (-3.0, {"tags": ["axis:context"]})
    assert [polarity_of(unit) for unit in (first, second)] == ["positive", "negative"]


def test_a_conversation_says_who_speaks() -> None:
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    row = {"prompt": said, "rubrics": [{"criterion": "x", "points": 1}], "trace": "t"}
    assert build_record(shape_fields(row)).question == "user: a\n\nassistant: b\n\nuser: c"


def test_a_row_of_rubrics_as_rewards_is_a_record_and_its_criteria_weigh_what_their_text_says() -> None:
    """To the published shape; the data is not here. 1.0 and 0.9 of 1.0 + 0.7 + 0.9 + 2 are met."""
    described = ["Essential Criteria: Names it.", "Important Criteria: Says why.", "Pitfall Criteria: Avoids doubt."]
    rubric = [{"title": f"t{n}", "description": text, "weight": 5 - n} for n, text in enumerate(described)]
    rubric.append({"title": "plain", "description": "Is short.", "weight": 2})
    row = {"question": "What is it?", "reference_answer": "Pneumonia.", "rubric": rubric, "trace": TRACE}
    record = build_record(shape_fields(row))
    units = record.units["criteria"]
    assert record.reference.answer == "Pneumonia."
    assert [(unit.claim, unit.importance, unit.points) for unit in units] == [
        ("Names it.", "Essential", None), ("Says why.", "Important", None), ("Avoids doubt.", "Pitfall", None),
        ("Is short.", None, 2.0),
    ]  # fmt: skip
    assert (units[0].topic, units[0].meta) == ("t0", {"weight": 5})
    run, _ = score([says((M, None), (U, None), (M, None), (U, None))], row, rubric="rar")
    assert run.scores["trace_score"].to_list() == [pytest.approx(1.9 / 4.6)]


# Asked about, over a real connection.

TRACE = "It is pneumonia. Take rest. <answer>A</answer>"
RECORD = {
    "id": "r1",
    "question": "What is it?",
    "trace": TRACE,
    "units": {
        "criteria": [
            {"unit_id": "c1", "claim": "Names pneumonia.", "points": 4},
            {"unit_id": "c2", "claim": "Advises rest.", "points": 2},
            {"unit_id": "c3", "claim": "Advises to wait.", "points": -6},
        ]
    },
}


def says(*verdicts: tuple[str, str | None]) -> bytes:
    units = {
        f"u{n}": {"evidence": quote, "reason": "So.", "verdict": verdict}
        for n, (verdict, quote) in enumerate(verdicts, start=1)
    }
    return http(200, completion(json.dumps(units)))


def score(answers: Sequence[bytes], record: dict[str, Any] = RECORD, **options: Any) -> tuple[Any, list[Any]]:
    async def main() -> tuple[Any, list[Any]]:
        async with scripted(lambda n, _: answers[min(n, len(answers)) - 1]) as (base, heard):
            judge = Judge("hosted_vllm/m", api_base=base, cache=None, **{"rubric": "healthbench", **options})
            return await judge.ascore([record]), heard

    return asyncio.run(main())


def test_criteria_are_judged_and_scored() -> None:
    run, heard = score([says((M, "It is pneumonia"), (U, None), (U, None))])
    (row,) = run.scores.rows(named=True)
    assert (row["criteria_score"], row["trace_score"], row["criteria_coverage"]) == (4 / 6, 4 / 6, 1.0)
    assert (row["trace_grounding"], row["trace_correctness"], row["failure"]) == (None, None, None)
    verdicts = run.verdicts.select("kind", "unit_id", "verdict", "value", "points", "polarity", "evidence_found").rows()
    assert verdicts == [
        ("criteria", "c1", "MET", 1.0, 4.0, "positive", "exact"),
        ("criteria", "c2", "UNMET", 0.0, 2.0, "positive", None),
        ("criteria", "c3", "UNMET", 1.0, -6.0, "negative", None),
    ]
    body = heard[0].body
    assert "(criteria, bad)" in body["messages"][1]["content"]
    assert "-6" not in body["messages"][1]["content"]  # the judge does not see what a criterion is worth
    unit = body["response_format"]["json_schema"]["schema"]["properties"]["u1"]
    assert list(unit["properties"]) == ["evidence", "reason", "verdict"]


def test_evidence_that_is_given_has_to_be_found() -> None:
    invented = says((M, "It is a cold"), (U, None), (U, None))
    run, heard = score([invented])
    assert len(heard) == 3  # asked twice again
    assert run.verdicts["failure"].to_list() == ["evidence_not_found", None, None]
    assert run.scores["trace_score"].to_list() == [None]
    assert score([invented], evidence="flag")[0].scores["trace_score"].to_list() == [4 / 6]


def test_what_cannot_be_assessed_is_not_judged_unless_the_rubric_says_so(tmp_path: Path) -> None:
    answer = says((M, None), ("CANNOT_ASSESS", None), (U, None))
    run, heard = score([answer])
    assert len(heard) == 1  # the judge has answered: asked again, it would say so again
    assert run.verdicts["failure"].to_list() == [None, "cannot_assess", None]
    assert run.scores.select("trace_score", "criteria_score_low", "criteria_score_high").row(0) == (None, 4 / 6, 1.0)
    path = tmp_path / "hb.yaml"
    text = (Path(__file__).parents[1] / "rubrics" / "healthbench.yaml").read_text()
    path.write_text(text.replace("scoring: healthbench", "scoring: healthbench\n    cannot_assess: unmet"))
    run, _ = score([answer], rubric=str(path))
    assert run.scores["trace_score"].to_list() == [4 / 6]


@pytest.mark.parametrize("scoring", ["healthbench", "weighted", "rar_explicit"])
def test_a_trace_that_says_nothing_does_nothing_well(scoring: str, tmp_path: Path) -> None:
    found = rubric(
        f"    scoring: {scoring}\n    criteria: [{{id: x, text: t}}, {{id: y, text: u, polarity: negative}}]\n",
        tmp_path,
    )
    run, heard = score([], {"id": "r", "question": "q", "trace": "Thought process:"}, rubric=found)
    assert heard == []
    assert run.scores["trace_score"].to_list() == [0.0]
    assert run.verdicts["reason"].to_list() == ["no_content"] * 2


@pytest.mark.parametrize("wrong", ["Met", "", None, True, 1])
def test_any_other_verdict_is_no_verdict(wrong: Any) -> None:
    run, heard = score([says((wrong, None), (U, None), (U, None))])
    assert len(heard) == 3
    assert "u1.verdict must be MET, UNMET or CANNOT_ASSESS" in heard[1].body["messages"][1]["content"]
    assert run.verdicts["failure"].to_list() == ["off_menu"] * 3


def test_kinds_do_not_share_a_call(tmp_path: Path) -> None:
    path = tmp_path / "mixed.yaml"
    path.write_text(
        'name: mixed\nversion: "1"\ndescription: d\naxes:\n'
        "  facts: {kind: checklist, description: d}\n"
        "  style: {kind: criteria, description: d, criteria: [{id: x, text: Is short., points: 2}]}\n"
    )
    record = {**RECORD, "units": {"facts": [{"unit_id": "F1", "claim": "Pneumonia."}]}}
    facts = {"u1": {"evidence": "pneumonia", "reason": "So.", "presence": 2, "correctness": 1}}

    async def main() -> tuple[Any, list[Any]]:
        def answer(_: int, asked: Any) -> bytes:
            is_criteria = "# Criteria" in asked.body["messages"][1]["content"]
            return says((U, None)) if is_criteria else http(200, completion(json.dumps(facts)))

        async with scripted(answer) as (base, heard):
            judge = Judge("hosted_vllm/m", api_base=base, cache=None, rubric=str(path), granularity="trace")
            return await judge.ascore([record]), heard

    run, heard = asyncio.run(main())
    assert len(heard) == 2
    row = run.scores.row(0, named=True)
    # Facts 1, style 0 of 2: the trace has their mean; its grounding is that of the one checklist.
    assert (row["facts_score"], row["style_score"], row["trace_score"], row["trace_grounding"]) == (1.0, 0.0, 0.5, 1.0)


def test_a_record_does_not_bring_criteria_where_the_rubric_has_its_own(tmp_path: Path) -> None:
    found = rubric("    criteria: [{id: x, text: t}]\n", tmp_path)
    record = {**RECORD, "units": {"a": [{"unit_id": "c1", "claim": "c"}]}}
    run, heard = score([], record, rubric=found)
    assert heard == []
    assert run.failures["error"].to_list() == ["own_units"]


def test_words_cannot_be_compared_with_criteria_and_criteria_are_not_probed() -> None:
    with pytest.raises(ConfigError, match=r"^lexical judges checklists only, and the rubric 'healthbench' has axes"):
        Judge("lexical", rubric="healthbench")
    with pytest.raises(ConfigError, match=r"^only checklists and scales can be probed, and the rubric 'healthbench'"):
        Judge("hosted_vllm/m", api_base="http://127.0.0.1:9/v1", rubric="healthbench", probe=True)
