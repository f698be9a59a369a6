"""Ratings: what judges and people say, in one space of words, of the same units; what does not meet is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from trust_kit import JUDGE, units, write_labels, write_preferences, write_run

from judge.errors import ConfigError
from judge.preference import Preference
from judge.trust.labels import read_labels
from judge.trust.matching import Ratings, match
from judge.trust.ratings import RATINGS, run_ratings

RIGHT = {"presence": 2, "correctness": 1}


def matched(tmp_path: Path, run: Path, *labels: Mapping[str, Any]) -> Ratings:
    return match([run], read_labels(write_labels(tmp_path / "l.jsonl", *labels)))


def values(frame: pl.DataFrame) -> dict[str, list[str | None]]:
    parts = frame.partition_by("probe", as_dict=True, maintain_order=True)
    return {str(probe): part["value"].to_list() for (probe,), part in parts.items()}


def test_a_verdict_is_told_in_every_probe(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((0, None), (1, -1), (2, 0), (2, 1), (None, None)))
    found = run_ratings(run)
    assert dict(found.schema) == RATINGS
    assert values(found) == {
        "presence": ["0", "1", "2", "2", None],
        "raised": ["not raised", "raised", "raised", "raised", None],
        "correctness": ["-1", "0", "1", None],  # what is not raised is neither right nor wrong, and not asked
        "outcome": ["absent", "wrong", "unclear", "right", None],
    }
    assert found["rater"].unique().to_list() == [JUDGE]


def test_labels_are_told_in_the_same_words(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((2, 1), (2, 1), (2, 1)))
    labels = [
        {"record_id": "r1", "presence": 0},
        {"record_id": "r2", "presence": 1, "correctness": -1},
        {"record_id": "r3", "presence": 2, "correctness": 0},
    ]
    assert values(matched(tmp_path, run, *labels).labelled) == {
        "presence": ["0", "1", "2"],
        "raised": ["not raised", "raised", "raised"],
        "correctness": ["-1", "0"],
        "outcome": ["absent", "wrong", "unclear"],
    }


def test_criteria_scales_and_failures(tmp_path: Path) -> None:
    run = write_run(
        tmp_path / "run",
        [
            {"kind": "criteria", "unit_id": "c1", "verdict": "MET", "value": 1.0},
            {"kind": "criteria", "unit_id": "c2", "verdict": "CANNOT_ASSESS", "failure": "cannot_assess"},
            {"kind": "criteria", "unit_id": "c3", "verdict": None, "failure": "timeout"},
            {"kind": "scale", "unit_id": "level", "value": 3.0, "level": 3},
            {"kind": "scale", "unit_id": "level2", "value": 2.25, "level": 2},
            {"kind": "rating", "unit_id": "rating", "value": 10.0},
            {"kind": "faithfulness", "unit_id": "claim-1", "verdict": "SUPPORTED", "value": 1.0},
        ],
    )
    assert values(run_ratings(run)) == {"verdict": ["MET", "CANNOT_ASSESS", None], "value": ["3", "2.25", "10"]}


def test_of_samples_the_first_counts(tmp_path: Path) -> None:
    said = [{"unit_id": "u1", "sample": sample, "presence": sample} for sample in (1, 0, 2)]
    assert values(run_ratings(write_run(tmp_path / "run", said)))["presence"] == ["0"]


def test_scores_are_taken_by_the_names_that_labels_give(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((2, 1), (0, None)), trace_score=0.5)
    labels = [{"record_id": f"r{n}", "axis": "trace_score", "unit_id": None, "value": n} for n in (1, 2)]
    found = matched(tmp_path, run, *labels)
    judged = found.judged.filter(axis="trace_score")
    assert judged.select("record_id", "model", "unit_id", "value").rows() == [
        ("r1", "a", None, "0.5"),
        ("r2", "a", None, "0.5"),
    ]
    assert values(found.labelled) == {"value": ["1", "2"]}


def preference(**fields: Any) -> Preference:
    return Preference(
        **{"record_id": "r1", "model_a": "m", "model_b": "n", "axis": "overall", "judge": JUDGE, **fields}
    )


def test_preferences_are_turned_to_the_runs_order_of_models(tmp_path: Path) -> None:
    run = write_preferences(
        tmp_path / "run",
        preference(outcome="A"),
        preference(record_id="r2", outcome=None, failure="timeout"),
        preference(record_id="r3", model_a="n", model_b="m", outcome="A"),
        preference(record_id="r4", outcome="inconsistent"),
    )
    pair = {"axis": "overall", "unit_id": None}
    found = matched(
        tmp_path,
        run,
        {**pair, "model_a": "m", "model_b": "n", "verdict": "A"},
        {**pair, "record_id": "r2", "model_a": "n", "model_b": "m", "verdict": "A"},
        {**pair, "record_id": "r3", "model_a": "n", "model_b": "m", "verdict": "tie"},
    )
    assert found.judged["unit_id"].unique().to_list() == ["m vs n"]
    assert values(found.judged) == {"preference": ["A", None, "B", "inconsistent"]}
    assert values(found.labelled) == {"preference": ["A", "B", "tie"]}
    assert found.labelled["model"].null_count() == 3


def test_a_label_that_meets_no_unit_is_counted_and_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{"unit_id": "u1", **RIGHT}, {"unit_id": "u1", "model": "b", "line": 2, **RIGHT}])
    found = matched(
        tmp_path,
        run,
        {**RIGHT, "model": "a"},
        {**RIGHT, "model": "b", "record_key": "key of r1 b"},
        {**RIGHT},  # the record has two traces
        {**RIGHT, "model": "a", "rater": "bob", "record_key": "another"},
        {**RIGHT, "model": "a", "unit_id": "u7"},
        {**RIGHT, "model": "c"},
        {"model": "a", "rater": "eve", "verdict": "MET"},  # what is asked of the unit is no criterion
    )
    assert found.labels == 7 and len(found.labelled.filter(probe="presence")) == 2
    told = {one.why: (one.count, one.lines, one.examples) for one in found.unmatched}
    assert told == {
        "unknown": (3, (5, 6, 7), ("r1/k/u7", "r1/k/u1", "r1/k/u1")),
        "stale": (1, (4,), ("r1/k/u1",)),
        "ambiguous": (1, (3,), ("r1/k/u1",)),
    }


def test_a_label_needs_no_model_where_the_trace_is_alone(tmp_path: Path) -> None:
    found = matched(tmp_path, write_run(tmp_path / "run", units((2, 1))), RIGHT)
    assert found.labelled["model"].unique().to_list() == ["a"] and not found.unmatched


def test_a_trace_that_is_there_twice_is_nobodys(tmp_path: Path) -> None:
    twice = [{"unit_id": "u1", "line": line, "record_key": str(line), **RIGHT} for line in (1, 2)]
    run = write_run(tmp_path / "run", [*twice, *units((0, None), (0, None))[1:]])
    found = matched(tmp_path, run, {**RIGHT, "model": "a"}, {"record_id": "r2", "presence": 0})
    assert [(one.why, one.count) for one in found.unmatched] == [("ambiguous", 1)]


def test_a_panel_is_a_rater_more(tmp_path: Path) -> None:
    said = [{"unit_id": "u1", "judge": judge, **RIGHT} for judge in ("m#1", "n#2", "panel")]
    found = matched(tmp_path, write_run(tmp_path / "run", said), RIGHT)
    assert found.judges == ("m#1", "n#2", "panel") and not found.unmatched


def test_one_judge_of_two_runs_is_two_raters(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, units((2, 1))) for name in ("old", "new")]
    found = match(runs, read_labels(write_labels(tmp_path / "l.jsonl", RIGHT)))
    assert found.judges == ("m#1 (old)", "m#1 (new)") and not found.unmatched


def test_labels_of_nothing_that_was_asked_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((2, 1)))
    with pytest.raises(
        ConfigError, match=r"No label meets a unit of .*: 1 of what the run did not ask, such as r9/k/u1 \(line 1\)"
    ):
        matched(tmp_path, run, {**RIGHT, "record_id": "r9"})


@pytest.mark.parametrize("name", [JUDGE, "majority", "mean"])
def test_a_person_is_not_called_like_a_judge(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"a rater is called '{name}'"):
        matched(tmp_path, write_run(tmp_path / "run", units((2, 1))), {**RIGHT, "rater": name})


def test_the_same_label_under_two_spellings_of_the_place_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((2, 1)))
    with pytest.raises(ConfigError, match="lines 1, 2: the rater 'ann' has labelled the same more than once"):
        matched(tmp_path, run, RIGHT, {**RIGHT, "model": "a"})


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((2, 1)))
    (run / "verdicts.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigError, match=r"a table of .*run cannot be read: "):
        run_ratings(run)


def test_a_folder_of_something_else_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is no run directory: it has none of verdicts\.parquet, preferences\.parquet"
    ):
        run_ratings(tmp_path)


def test_a_run_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((2, 1)))
    with pytest.raises(ConfigError, match=r"run is given twice\. Give each run once\."):
        match([run, tmp_path / "." / "run"], read_labels(write_labels(tmp_path / "l.jsonl", RIGHT)))


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / folder / "run", units((2, 1))) for folder in ("old", "new")]
    found = match(runs, read_labels(write_labels(tmp_path / "l.jsonl", RIGHT)))
    assert found.judges == (f"{JUDGE} (old/run)", f"{JUDGE} (new/run)")


def test_a_label_is_of_no_other_run_that_has_another_trace_under_its_id(tmp_path: Path) -> None:
    """Of r1 the second run has another trace; r2 is the same in both."""
    both = {"record_id": "r2", "unit_id": "u1", "presence": 2, "correctness": 1, "line": 2, "record_key": "k2"}
    mine = {"unit_id": "u1", "presence": 2, "correctness": 1}
    runs = [
        write_run(tmp_path / name, [{**mine, "record_key": key}, both])
        for name, key in (("one", "the labelled"), ("two", "another"))
    ]
    labels = [{**RIGHT, "record_key": "the labelled"}, {**RIGHT, "record_id": "r2", "record_key": "k2"}]
    judged = match(runs, read_labels(write_labels(tmp_path / "l.jsonl", *labels))).judged.filter(probe="presence")
    assert judged.select("record_id", "rater").rows() == [
        ("r1", f"{JUDGE} (one)"),
        ("r2", f"{JUDGE} (one)"),
        ("r2", f"{JUDGE} (two)"),
    ]
