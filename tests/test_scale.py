"""Scales: levels with anchors, their arithmetic by hand, and how they are asked about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from run_kit import completion, http, scripted

from judge.axis import Scale
from judge.client import Judge
from judge.errors import ConfigError, RubricError
from judge.rubric import load_rubric

HEAD = 'name: r\nversion: "1"\ndescription: d\naxes:\n  a:\n    kind: scale\n    description: How well?\n'
LEVELS = "    levels: [{level: -1, anchor: Bad.}, {level: 1, anchor: Fair.}, {level: 3, anchor: Good.}]\n"
RECORD = {"id": "r1", "question": "What is it?", "trace": "It is pneumonia. <answer>A</answer>"}


def says(*values: Any, quote: str | None = None) -> bytes:
    units = {f"u{n}": {"evidence": quote, "reason": "So.", "value": value} for n, value in enumerate(values, start=1)}
    return http(200, completion(json.dumps(units)))


def score(path: Path | str, answers: Sequence[bytes], record: dict[str, Any] = RECORD, **options: Any) -> Any:
    async def main() -> Any:
        async with scripted(lambda n, _: answers[min(n, len(answers)) - 1]) as (base, heard):
            judge = Judge("hosted_vllm/m", api_base=base, cache=None, rubric=str(path), **options)
            return await judge.ascore([record]), heard

    return asyncio.run(main())


@pytest.fixture
def rubric(tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + LEVELS)
    return path


@pytest.mark.parametrize(("level", "share"), [(-1, 0.0), (1, 0.5), (3, 1.0)])
def test_a_level_is_a_share_of_the_way_from_the_lowest_to_the_highest(rubric: Path, level: int, share: float) -> None:
    run, heard = score(rubric, [says(level, quote="It is pneumonia.")])
    (row,) = run.scores.rows(named=True)
    assert (row["a_score"], row["trace_score"], row["a_coverage"]) == (share, share, 1.0)
    assert (row["trace_grounding"], row["a_score_low"], row["a_score_high"], row["failure"]) == (
        None,
        share,
        share,
        None,
    )
    (verdict,) = run.verdicts.rows(named=True)
    assert (verdict["kind"], verdict["unit_id"], verdict["value"]) == ("scale", "level", level)
    assert (verdict["evidence_start"], verdict["evidence_found"]) == (0, "exact")
    asked = heard[0].body
    assert "u1 (a): How well?\n  -1: Bad.\n  1: Fair.\n  3: Good.\n" in asked["messages"][1]["content"]
    unit = asked["response_format"]["json_schema"]["schema"]["properties"]["u1"]["properties"]
    assert unit["value"] == {"type": "integer", "enum": [-1, 1, 3]}


@pytest.mark.parametrize("wrong", [0, 2, 4, 1.0, "1", None, True])
def test_what_is_no_level_is_no_verdict(rubric: Path, wrong: Any) -> None:
    run, heard = score(rubric, [says(wrong)])
    assert len(heard) == 3  # asked twice again, with the complaint
    assert "u1.value must be one of " in heard[1].body["messages"][1]["content"]
    assert run.verdicts["failure"].to_list() == ["off_menu"]
    bounds = run.scores.select("a_score", "a_score_low", "a_score_high", "a_coverage").row(0)
    assert bounds == (None, 0.0, 1.0, 0.0)


def test_a_quote_may_be_missing_and_not_invented(rubric: Path) -> None:
    assert score(rubric, [says(3)])[0].scores["trace_score"].to_list() == [1.0]
    assert score(rubric, [says(3, quote="It is a cold.")])[0].verdicts["failure"].to_list() == ["evidence_not_found"]


def test_a_trace_that_says_nothing_is_on_the_lowest_level(rubric: Path) -> None:
    run, heard = score(rubric, [], {**RECORD, "trace": "Thought process:"})
    assert heard == []
    assert run.scores["trace_score"].to_list() == [0.0]
    assert run.verdicts.select("value", "reason").rows() == [(-1.0, "no_content")]


def test_scales_of_a_rubric_share_a_call_and_each_has_its_own_levels(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    second = "  b: {kind: scale, description: d, levels: [{level: 0, anchor: Not.}, {level: 1, anchor: Yes.}]}\n"
    path.write_text(HEAD + LEVELS + second)
    run, heard = score(path, [says(1, 1)], granularity="trace")
    assert len(heard) == 1
    # Half of the way on one, all of it on the other.
    assert run.scores.select("a_score", "b_score", "trace_score").row(0) == (0.5, 1.0, 0.75)


def test_repeats_are_averaged(rubric: Path) -> None:
    run, _ = score(rubric, [says(1), says(3)], samples=2)
    row = run.scores.row(0, named=True)
    # 0.5 and 1.0: their mean, and their standard deviation 0.25 · √2.
    assert (row["trace_score"], row["samples"]) == (0.75, 2)
    assert row["trace_score_sd"] == pytest.approx(0.25 * 2**0.5)


@pytest.mark.parametrize(
    ("levels", "place", "said"),
    [
        ("", "6:5", "axes.a.levels: Field required."),
        ("    levels: [{level: 1, anchor: x}]\n", "8:13", "at least 2 items"),
        ("    levels: [{level: 2, anchor: x}, {level: 1, anchor: y}]\n", "8:13", "level 1 follows level 2"),
        ("    levels: [{level: 1, anchor: x}, {level: 1, anchor: y}]\n", "8:13", "level 1 follows level 1"),
        (
            "    levels: [{level: 1.5, anchor: x}, {level: 2, anchor: y}]\n",
            "8:22",
            "axes.a.levels.0.level: Input should",
        ),
        ("    levels: [{level: 1}, {level: 2, anchor: y}]\n", "8:14", "axes.a.levels.0.anchor: Field required."),
    ],
)
def test_a_wrong_scale_is_refused_with_its_place(levels: str, place: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + levels)
    with pytest.raises(RubricError) as caught:
        load_rubric(path)
    assert said in str(caught.value)
    assert f"r.yaml:{place}:" in str(caught.value)


def test_a_record_brings_no_units_for_a_scale(rubric: Path) -> None:
    run, heard = score(rubric, [], {**RECORD, "units": {"a": [{"unit_id": "x", "claim": "y"}]}})
    assert (heard, run.failures["error"].to_list()) == ([], ["own_units"])


def test_the_built_in_scale_has_five_levels_and_is_not_for_words() -> None:
    quality = load_rubric("prometheus").axes["quality"]
    assert isinstance(quality, Scale)
    assert list(quality.anchors) == [1, 2, 3, 4, 5]
    with pytest.raises(ConfigError, match=r"^lexical judges checklists only, and the rubric 'prometheus'"):
        Judge("lexical", rubric="prometheus")
