"""`judge replay`: recordings -> a run directory, its tables and its failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from judge.cli import cli

EXAMPLE = Path(__file__).parents[1] / "examples" / "replay"
PAIRS = """\
name: own
about: A label.
kind: preference
record: "{id}"
judge: "{by}"
model_a: left
model_b: right
swapped: "{turned}"
raw: "{reply}"
labels: {"1": first, "2": second, same: tie}
forms: [{at: whole, text: "{label}"}]
"""
SCALE = """\
name: rated
about: A rating.
kind: scale
record: "{id}"
judge: rater
model: "{of}"
axis: quality
raw: "{reply}"
numbers: {lowest: 1, highest: 5, step: 0.5}
forms: [{at: inside, text: "[[{number}]]"}]
"""
CRITERIA = """\
name: checked
about: A criterion for each row.
kind: criteria
record: "{id}"
judge: checker
model: m
axis: criteria
rubric: healthbench
unit: {claim: "{says}", points: "{points}"}
raw: "{reply}"
labels: {"yes": MET, "no": UNMET, unsure: CANNOT_ASSESS}
forms: [{at: end, text: "{label}."}]
"""


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, words)])


def recorded(tmp_path: Path, declared: str, rows: Sequence[dict[str, Any] | str], *more: str) -> tuple[Result, Path]:
    path, form, out = tmp_path / "rows.jsonl", tmp_path / "own.yaml", tmp_path / "run"
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    form.write_text(declared, encoding="utf-8")
    return run(path, "--format", form, "--out", out, "--json", *more), out


def said(id_: str, reply: str | None, turned: bool, by: str = "j") -> dict[str, Any]:
    return {"id": id_, "reply": reply, "turned": turned, "by": by}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_orders_are_mapped_to_the_models_and_settled(tmp_path: Path) -> None:
    rows = [
        *(said("both", "1", False), said("both", "2", True)),  # left, and left
        *(said("first", "1", False), said("first", "1", True)),  # whoever is shown first
        *(said("tie", "same", False), said("tie", "same", True)),
        *(said("lost", "1", False), said("lost", "ERROR: 503", True)),
        said("alone", "2", False),
    ]
    result, out = recorded(tmp_path, PAIRS, rows)
    assert result.exit_code == 3
    found = pl.read_parquet(out / "preferences.parquet")
    shown = found.select("record_id", "order_ab", "order_ba", "outcome", "failure").rows()
    assert shown == [
        ("both", "A", "A", "A", None),
        ("first", "A", "B", "inconsistent", None),
        ("tie", "tie", "tie", "tie", None),
        ("lost", "A", None, None, "error_text"),
        ("alone", "B", None, None, "order_missing"),
    ]
    told = json.loads(result.stdout)
    counts = {"read": 9, "parsed": 8, "unparsed": 1, "passed_over": 0, "why": {"error_text": 1}}
    assert (told["recordings"], told["counts"]) == (counts, {"read": 5, "scored": 3, "failed": 2})
    failures = lines(out / "failures.jsonl")
    assert [(row["record_id"], row["stage"], row["error"]) for row in failures] == [
        ("lost", "reply", "error_text"),
        ("alone", "reply", "order_missing"),
    ]


def test_scores_follow_the_models_and_not_the_order(tmp_path: Path) -> None:
    form = PAIRS.replace("kind: preference", "kind: scores").replace('"{label}"', '"{first} {second}"')
    form = form.replace('labels: {"1": first, "2": second, same: tie}', "numbers: {lowest: 0, highest: 10, step: 0.5}")
    rows = [said("a", "9 2.5", False), said("a", "2 10", True), said("b", "7 7", False), said("b", "7 6.5", True)]
    result, out = recorded(tmp_path, form, rows)
    assert result.exit_code == 0
    found = pl.read_parquet(out / "preferences.parquet").select("order_ab", "order_ba", "outcome", "score_a", "score_b")
    assert found.rows() == [("A", "A", "A", 9.0, 2.5), ("tie", "B", "inconsistent", 7.0, 7.0)]
    told = pl.read_parquet(out / "recordings.parquet")["said"].to_list()
    assert told == ["9 2.5", "2 10", "7 7", "7 6.5"]


def test_rows_of_another_format_are_passed_over(tmp_path: Path) -> None:
    form = PAIRS.replace("swapped:", "orders: 1\nwhen: {by: [j, k]}\nswapped:")
    result, out = recorded(tmp_path, form, [said("a", "1", False, by) for by in ("j", "k", "l")])
    told = json.loads(result.stdout)["recordings"]
    assert (told["read"], told["parsed"], told["passed_over"]) == (2, 2, 1)
    assert pl.read_parquet(out / "preferences.parquet")["judge"].to_list() == ["j", "k"]


def test_a_list_in_one_file_is_read_as_lines_are(tmp_path: Path) -> None:
    rows = [said("a", "1", False), said("a", "2", True), "no row"]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "own.yaml").write_text(PAIRS, encoding="utf-8")
    result = run(tmp_path / "rows.json", "--format", tmp_path / "own.yaml", "--out", tmp_path / "run")
    assert result.exit_code == 3 and "3 recordings = 2 parsed + 1 unparsed" in result.stdout
    assert pl.read_parquet(tmp_path / "run" / "preferences.parquet")["outcome"].to_list() == ["A"]


def test_repeats_agree_or_say_nothing(tmp_path: Path) -> None:
    form = PAIRS.replace("swapped:", "orders: 1\nswapped:")
    rows = [said("a", "1", False), said("a", "", False), said("a", "1", False), said("b", "1", False)]
    result, out = recorded(tmp_path, form, [*rows, said("b", "2", False), said("c", "2", True)])
    assert result.exit_code == 3
    found = pl.read_parquet(out / "preferences.parquet").select("record_id", "outcome", "failure").rows()
    assert found == [("a", "A", None), ("b", None, "repeats_differ"), ("c", "A", None)]


def test_judges_are_kept_apart(tmp_path: Path) -> None:
    form = PAIRS.replace("swapped:", "orders: 1\nswapped:")
    _, out = recorded(tmp_path, form, [said("a", "1", False, "x"), said("a", "2", False, "y")])
    found = pl.read_parquet(out / "preferences.parquet").select("judge", "outcome").rows()
    assert found == [("x", "A"), ("y", "B")]
    story = json.loads((out / "run.json").read_text())
    assert (story["judges"], story["backend"], story["status"]) == (["x", "y"], "replay", "finished")


def test_a_row_that_cannot_be_read_is_counted_and_never_a_verdict(tmp_path: Path) -> None:
    rows = [said("a", "1", False), "{", '{"id": "b", "by": "j", "turned": false}', said("c", None, False), "[1]"]
    wrong = [{**said("d", "1", False), "turned": "maybe"}, {**said("e", "1", False), "reply": ["1"]}]
    result, out = recorded(tmp_path, PAIRS, [*rows, *wrong])
    told = json.loads(result.stdout)["recordings"]
    assert (told["read"], told["parsed"]) == (7, 1)
    found = [(row["line"], row.get("record_id"), row["stage"], row["error"]) for row in lines(out / "failures.jsonl")]
    assert found[:6] == [
        (2, None, "read", "json_truncated"),
        (3, "b", "read", "missing"),
        (4, "c", "reply", "empty"),
        (5, None, "read", "invalid_record"),
        (6, "d", "read", "wrong_type"),
        (7, "e", "read", "wrong_type"),
    ]


def test_a_scale_has_half_points_and_repeats_are_samples(tmp_path: Path) -> None:
    """(4.5 - 1) / 4 = 0.875 and (3.5 - 1) / 4 = 0.625, of which the mean is 0.75."""
    rows = [{"id": "a", "of": "m", "reply": reply} for reply in ("[[4.5]]", "[[3.5]]", "$ERROR$")]
    result, out = recorded(tmp_path, SCALE, [*rows, {"id": "b", "of": "m", "reply": "[[6]]"}])
    assert result.exit_code == 3
    scores = pl.read_parquet(out / "scores.parquet").select("record_id", "quality_score", "samples", "failure").rows()
    assert scores == [("a", 0.75, 2, None), ("b", None, 0, "wrong_values")]
    verdicts = pl.read_parquet(out / "verdicts.parquet").select("sample", "value", "level", "failure", "kind").rows()
    assert verdicts == [
        (0, 4.5, None, None, "scale"),
        (1, 3.5, None, None, "scale"),
        (2, None, None, "error_text", "scale"),
        (0, None, None, "wrong_values", "scale"),
    ]
    assert json.loads(result.stdout)["counts"] == {"read": 2, "scored": 1, "failed": 1}


def test_criteria_are_scored_by_the_rubrics_arithmetic(tmp_path: Path) -> None:
    """(5 - 2) / (5 + 3) = 0.375; the other record lacks a verdict, and with it the score."""
    about = [("a", 5, "It does. yes."), ("a", 3, "It does not. no."), ("a", -2, "Sadly, it does. yes.")]
    rows = [{"id": name, "says": f"{points}", "points": points, "reply": reply} for name, points, reply in about]
    rows += [
        {"id": "b", "says": "x", "points": 1, "reply": reply} for reply in ("unsure.", "yes, or no.", "I will look")
    ]
    result, out = recorded(tmp_path, CRITERIA, rows)
    assert result.exit_code == 3
    scores = pl.read_parquet(out / "scores.parquet").select("record_id", "criteria_score", "failure", "rubric").rows()
    assert scores == [("a", 0.375, None, "healthbench@1.0"), ("b", None, "no_verdict", "healthbench@1.0")]
    verdicts = pl.read_parquet(out / "verdicts.parquet").select("unit_id", "verdict", "value", "failure").rows()
    assert verdicts == [
        ("c1", "MET", 1.0, None),
        ("c2", "UNMET", 0.0, None),
        ("c3", "MET", 0.0, None),  # what should not be
        ("c1", "CANNOT_ASSESS", None, "cannot_assess"),
        ("c2", None, None, "no_verdict"),
        ("c3", None, None, "no_verdict"),
    ]


def test_the_example_is_read(tmp_path: Path) -> None:
    """One pair follows the position, one was cut before a verdict and met an error, and a draft does not count."""
    out = tmp_path / "run"
    result = run(EXAMPLE / "recordings.jsonl", "--format", EXAMPLE / "format.yaml", "--out", out)
    assert result.exit_code == 3
    assert "8 recordings = 6 parsed + 2 unparsed (1 truncated, 1 error_text)" in result.stdout
    found = pl.read_parquet(out / "preferences.parquet")["outcome"].to_list()
    assert found == ["B", "tie", "inconsistent", None]
    people = [(label["record_id"], label["rater"], label["verdict"]) for label in lines(out / "labels.jsonl")]
    assert people == [(f"ecg-{n}", "reader-1", verdict) for n, verdict in enumerate(["B", "tie", "A", "B"], start=1)]


def test_the_same_again_writes_the_same_and_another_format_is_refused(tmp_path: Path) -> None:
    rows = [said("a", "1", False), said("a", "2", True)]
    result, out = recorded(tmp_path, PAIRS, rows)
    assert result.exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "run.json"}
    assert recorded(tmp_path, PAIRS, rows)[0].exit_code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "run.json"} == before
    other = PAIRS.replace("about: A label.", "about: Another.")
    refused, _ = recorded(tmp_path, other, rows)
    assert refused.exit_code == 2 and "holds another run" in refused.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "run.json"} == before
    assert recorded(tmp_path, other, rows, "--overwrite")[0].exit_code == 0


def test_what_is_no_recording_of_the_format_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    result, out = recorded(tmp_path, PAIRS, [{"question": "x"}])
    assert result.exit_code == 2
    assert "1 rows, and none is a recording of the format 'own'" in result.stderr and "id: is missing" in result.stderr
    assert not out.exists()


def test_two_labels_of_one_person_are_refused(tmp_path: Path) -> None:
    form = PAIRS + 'people: [{rater: p, value: "{label}", labels: {"1": A, "2": B}}]\n'
    rows = [{**said("a", "1", False), "label": 1}, {**said("a", "2", True), "label": 2}]
    result, out = recorded(tmp_path, form, rows)
    assert result.exit_code == 2 and "'p' says 'B' of what an earlier row says otherwise" in result.stderr
    assert not out.exists()


def test_a_label_as_shown_is_turned(tmp_path: Path) -> None:
    form = PAIRS + 'people: [{rater: p, value: "{label}", labels: {"1": first, "2": second}}]\n'
    rows = [{**said("a", "1", False), "label": 1}, {**said("a", "2", True), "label": 2}, said("b", "1", False)]
    _, out = recorded(tmp_path, form, rows)
    assert lines(out / "labels.jsonl") == [
        {"record_id": "a", "axis": "overall", "model_a": "left", "model_b": "right", "rater": "p", "verdict": "A"}
    ]


def test_a_file_that_is_joined_must_be_there_and_say_one_thing(tmp_path: Path) -> None:
    form = (
        PAIRS.replace("left", '"{item.name}"')
        + 'join: [{name: item, files: "items.jsonl", theirs: "{id}", ours: "{id}"}]\n'
    )
    rows = [said("a", "1", False), said("b", "1", False)]
    result, _ = recorded(tmp_path, form, rows)
    assert result.exit_code == 2 and "items.jsonl: no such file, and the format joins it" in result.stderr
    items = tmp_path / "items.jsonl"
    items.write_text('{"id": "a", "name": "x"}\n{"id": "a", "name": "y"}\n')
    result, _ = recorded(tmp_path, form, rows)
    assert result.exit_code == 2 and "{id} is 'a' a second time" in result.stderr
    items.write_text('{"id": "a", "name": "x"}\n')
    result, out = recorded(tmp_path, form, rows)
    assert [(row["line"], row["error"]) for row in lines(out / "failures.jsonl")][:1] == [(2, "not_joined")]
    assert pl.read_parquet(out / "preferences.parquet")["model_a"].to_list() == ["x"]


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("[{'met': True}, {'met': False}]", None),
        ("[{'met': True}", "not_a_list"),
        ("[{'met': open('x')}]", "not_a_list"),
        ("{'met': True}", "wrong_type"),
        ("[" * 5000, "not_a_list"),
        ("[{'met': '\\d'}]", "not_a_list"),
        ("[]", "wrong_type"),
    ],
)
def test_a_list_that_python_wrote_is_values_or_nothing(tmp_path: Path, written: str, error: str | None) -> None:
    form = CRITERIA.replace("unit: {", 'each: {list: "{all}", written: python}\nunit: {').replace("{says}", "c{number}")
    form = (
        form.replace("{points}", "{worth}").replace("{reply}", "{each.met}").replace("yes", "true").replace("no:", "x:")
    )
    form = form.replace('"no"', '"false"').replace('"{label}."', '"{label}"').replace("at: end", "at: whole")
    good = {"id": "z", "worth": 1, "all": "[{'met': True}]"}
    result, out = recorded(tmp_path, form, [{"id": "a", "worth": 1, "all": written}, good])
    assert result.exit_code == (0 if error is None else 3), result.stderr
    assert [row["error"] for row in lines(out / "failures.jsonl")] == ([] if error is None else [error])
    assert pl.read_parquet(out / "scores.parquet")["criteria_score"].to_list() == (
        [0.5, 1.0] if error is None else [1.0]
    )


def test_foreign_text_forges_nothing_on_the_terminal(tmp_path: Path) -> None:
    path, form = tmp_path / "rows.jsonl", tmp_path / "own.yaml"
    path.write_text(json.dumps(said("a", "1", False, "j\u001b[31m\u202e")) + "\n")
    form.write_text(PAIRS)
    result = run(path, "--format", form, "--out", tmp_path / "run")
    assert "\u001b" not in result.stdout and "\u202e" not in result.stdout


def test_a_run_that_asks_does_not_go_on_among_recordings(tmp_path: Path) -> None:
    _, out = recorded(tmp_path, PAIRS, [said("a", "1", False), said("a", "2", True)])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    traces = tmp_path / "t.jsonl"
    traces.write_text('{"id": "r", "trace": "A.", "units": {"knowledge": [{"unit_id": "K", "claim": "A."}]}}\n')
    done = CliRunner().invoke(cli, ["score", str(traces), "--out", str(out)])
    assert done.exit_code == 2 and "holds recorded outputs of other judges" in done.stderr
    assert {name: (out / name).read_bytes() for name in before} == before
