"""What labels show of a judge, and the scores that follow; numbers worked out by hand, by scikit-learn, and by runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from run_kit import arguments_for, make_records, to_lines
from sklearn.isotonic import IsotonicRegression

from judge import Judge
from judge.cli import cli
from judge.errors import ConfigError
from judge.rubric import load_rubric
from judge.runs.directory import read_run
from judge.testing import Server
from judge.trust.calibrated import calibrated_scores
from judge.trust.calibrating import LEAST, calibrate
from judge.trust.calibration import AxisCalibration, Calibration, Map, ProbeCalibration, read_calibration, refuse_other
from judge.trust.labels import read_labels

KQA = Path(__file__).parents[2] / "shared" / "data" / "kqa"
MIXED = """\
name: mixed
version: "1"
description: d
axes:
  facts: {kind: checklist, description: What is so.}
  advice:
    kind: criteria
    scoring: SCORING
    description: What is advised.
    criteria:
      - {id: c1, text: Offers fluids often., points: 3}
      - {id: c2, text: Asks for the age., points: 2}
      - {id: c3, text: Recommends aspirin for the child., points: -6, polarity: negative}
  whole:
    kind: scale
    description: How much of it there is.
    levels: [{level: -1, anchor: Nothing.}, {level: 1, anchor: Some.}, {level: 3, anchor: All.}]
"""
SAME = Map(at=(-1000.0, 1000.0), to=(-1000.0, 1000.0))
PROBES = {"checklist": ("raised", "right"), "criteria": ("met",), "scale": ("level",)}


def run_of(rows: list[dict[str, Any]], folder: Path, **alike: Any) -> Path:
    """A run directory with these verdicts, as `judge score` writes them."""
    folder.mkdir()
    schema = pl.read_parquet_schema(_template(folder.parent) / "verdicts.parquet")
    about = {"judge": "j", "prompt_fp": "p", "rubric_fp": "r", "kind": "checklist", "axis": "knowledge", "sample": 0}
    filled = [{**about, "weight": 1.0, **alike, **row} for row in rows]
    pl.DataFrame(filled, schema=schema).write_parquet(folder / "verdicts.parquet")
    (folder / "run.json").write_text('{"rubric": "pkr@1.0"}')
    return folder


def _template(folder: Path) -> Path:
    made = folder / "template"
    if not made.exists():
        (folder / "one.jsonl").write_bytes(to_lines(make_records(1)))
        done = CliRunner().invoke(cli, ["score", str(folder / "one.jsonl"), "--out", str(made)])
        assert done.exit_code == 0
    return made


def labels_of(rows: list[dict[str, Any]], path: Path) -> pl.DataFrame:
    path.write_text("".join(json.dumps({"axis": "knowledge", "rater": "ann", **row}) + "\n" for row in rows))
    return read_labels(path)


def place(number: int, record: int = 0) -> dict[str, Any]:
    return {"record_id": f"r{record}", "unit_id": f"K{number}"}


# --- sensitivity and specificity ---------------------------------------------------------------------------


def test_how_often_the_judge_says_what_people_say(tmp_path: Path) -> None:
    # judge raised:   1 1 0 1 0 0      of 3 that people say are raised the judge says 2; of 3 that are not it denies 2
    # people raised:  1 1 1 0 0 0
    judged = [{"presence": p, "correctness": 1 if p else None} for p in (2, 1, 0, 1, 0, 0)]
    said = [{"presence": p, "correctness": 1 if p else None} for p in (2, 2, 1, 0, 0, 0)]
    run = run_of([{**place(n), **one} for n, one in enumerate(judged)], tmp_path / "run")
    labels = labels_of([{**place(n), **one} for n, one in enumerate(said)], tmp_path / "labels.jsonl")
    found = calibrate(run, labels).axes["knowledge"].probes["raised"]
    assert found.sensitivity is not None and found.specificity is not None
    assert (found.sensitivity.value, found.sensitivity.n) == (pytest.approx(2 / 3), 3)
    assert (found.specificity.value, found.specificity.n) == (pytest.approx(2 / 3), 3)
    assert (found.n, found.map) == (6, None)
    assert found.why == f"{LEAST} labelled answers of 5 records are needed: there are 6 of 1"


def test_what_people_are_evenly_split_on_is_neither_side(tmp_path: Path) -> None:
    run = run_of([{**place(n), "presence": 2, "correctness": 1} for n in range(3)], tmp_path / "run")
    said = [(0, 2), (2, 2), (0, 0)]  # by two raters: split, raised, not raised
    rows = [
        {**place(n), "rater": f"rater {who}", "presence": p, "correctness": 1 if p else None}
        for n, both in enumerate(said)
        for who, p in enumerate(both)
    ]
    found = calibrate(run, labels_of(rows, tmp_path / "labels.jsonl")).axes["knowledge"].probes["raised"]
    assert found.sensitivity is not None and found.specificity is not None
    assert (found.sensitivity.n, found.specificity.n, found.n) == (1, 1, 3)


def test_whether_it_is_right_is_asked_of_those_who_say_that_it_is_raised(tmp_path: Path) -> None:
    run = run_of([{**place(n), "presence": 2, "correctness": c} for n, c in enumerate((1, 1, -1, 0))], tmp_path / "run")
    said = [(2, 1), (2, -1), (2, -1), (0, None)]  # the last is not raised: it is neither right nor wrong
    rows = [{**place(n), "presence": p, "correctness": c} for n, (p, c) in enumerate(said)]
    found = calibrate(run, labels_of(rows, tmp_path / "labels.jsonl")).axes["knowledge"].probes["right"]
    assert found.sensitivity is not None and found.specificity is not None
    assert (found.sensitivity.value, found.sensitivity.n) == (1.0, 1)
    assert (found.specificity.value, found.specificity.n) == (0.5, 2)
    assert found.n == 3


def test_a_failed_verdict_counts_nowhere(tmp_path: Path) -> None:
    rows = [{**place(0), "presence": 2, "correctness": 1}, {**place(1), "failure": "timeout"}]
    run = run_of(rows, tmp_path / "run")
    said = [{**place(n), "presence": 2, "correctness": 1} for n in (0, 1)]
    assert calibrate(run, labels_of(said, tmp_path / "labels.jsonl")).axes["knowledge"].probes["raised"].n == 1


# --- maps --------------------------------------------------------------------------------------------------


def test_a_map_is_isotonic_regression_on_what_people_say_on_average(tmp_path: Path) -> None:
    presences = [(7 * n) % 3 for n in range(60)]
    people = [((n * n) % 3, (n + presences[n]) % 3) for n in range(60)]  # of two raters
    run = run_of(
        [{**place(n, n % 12), "presence": p, "correctness": 1 if p else None} for n, p in enumerate(presences)],
        tmp_path / "run",
    )
    rows = [
        {**place(n, n % 12), "rater": f"rater {who}", "presence": p, "correctness": 1 if p else None}
        for n, both in enumerate(people)
        for who, p in enumerate(both)
    ]
    found = calibrate(run, labels_of(rows, tmp_path / "labels.jsonl")).axes["knowledge"].probes["raised"]
    x, y = [p / 2 for p in presences], [(one + other) / 4 for one, other in people]
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    assert found.map is not None and found.error_mapped is not None
    assert found.map.steps([0, 0.25, 0.5, 1]) == pytest.approx(theirs.predict([0, 0.25, 0.5, 1]), abs=1e-9)
    assert found.error == pytest.approx(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / 60)
    fitted = sum((a - b) ** 2 for a, b in zip(theirs.predict(x), y, strict=True)) / 60
    assert found.error_mapped > fitted  # that of other records: never the flattering one


def test_a_judge_that_says_the_same_of_all_has_no_map(tmp_path: Path) -> None:
    run = run_of([{**place(n, n % 8), "presence": 2, "correctness": 1} for n in range(40)], tmp_path / "run")
    said = [{**place(n, n % 8), "presence": 2 * (n % 2), "correctness": 1 if n % 2 else None} for n in range(40)]
    found = calibrate(run, labels_of(said, tmp_path / "labels.jsonl")).axes["knowledge"].probes["raised"]
    assert (found.map, found.why) == (None, "the judge says the same of all")


def test_people_that_say_the_same_of_all_give_no_map(tmp_path: Path) -> None:
    """It would turn every answer into theirs, whatever the judge says."""
    rows = [{**place(0, record), "presence": record % 3} for record in range(LEAST)]
    said = [{**place(0, record), "presence": 0} for record in range(LEAST)]
    run = run_of([{**one, "correctness": 1 if one["presence"] else None} for one in rows], tmp_path / "run")
    found = calibrate(run, labels_of(said, tmp_path / "labels.jsonl")).axes["knowledge"].probes["raised"]
    assert (found.n, found.map, found.why) == (LEAST, None, "people say the same of all")


def test_of_several_samples_the_first_counts(tmp_path: Path) -> None:
    """As for `judge agree`: asking again brings no further label."""
    rows = [
        {**place(0), "sample": sample, "presence": p, "correctness": None} for sample, p in ((1, 2), (0, 0), (2, 2))
    ]
    labels = labels_of([{**place(0), "presence": 0}], tmp_path / "labels.jsonl")
    found = calibrate(run_of(rows, tmp_path / "run"), labels).axes["knowledge"].probes["raised"]
    assert found.specificity is not None and (found.n, found.specificity.value, found.specificity.n) == (1, 1.0, 1)


@pytest.mark.skipif(not KQA.exists(), reason="../shared/data/kqa is not there")
def test_k_qa(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert CliRunner().invoke(cli, ["score", str(KQA / "records.jsonl"), "--out", str(out), "--quiet"]).exit_code == 0
    found = calibrate(out, read_labels(KQA / "labels.jsonl"))
    raised = found.axes["knowledge"].probes["raised"]
    said = {
        (row["record_id"], row["unit_id"]): row["presence"] > 0
        for row in pl.read_parquet(out / "verdicts.parquet").to_dicts()
    }
    votes: dict[tuple[str, str], list[bool]] = {}
    for line in (KQA / "labels.jsonl").read_text().splitlines():
        row = json.loads(line)
        votes.setdefault((row["record_id"], row["unit_id"]), []).append(row["presence"] > 0)
    holds = {unit: sum(each) > len(each) / 2 for unit, each in votes.items()}
    both = [said[unit] for unit, it in holds.items() if it]
    neither = [not said[unit] for unit, it in holds.items() if not it]
    assert raised.sensitivity is not None and raised.specificity is not None
    assert (raised.sensitivity.value, raised.sensitivity.n) == (pytest.approx(sum(both) / len(both)), len(both))
    assert (raised.specificity.value, raised.specificity.n) == (
        pytest.approx(sum(neither) / len(neither)),
        len(neither),
    )
    assert (found.records, len(found.raters), raised.n) == (23, 3, 171)
    assert raised.error is not None and raised.error_mapped is not None and raised.error_mapped < raised.error


# --- calibrated scores -------------------------------------------------------------------------------------


def mixed(tmp_path: Path, scoring: str, **options: Any) -> tuple[Path, Any]:
    """A run of a sloppy judge under a rubric of three kinds: its directory's tables, and the rubric."""
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED.replace("SCORING", scoring))
    records = make_records(20, units=(1, 2, 3, 5), seed=3)
    said = ("Offers fluids often.", "Asks for the age.", "Recommends aspirin for the child.")
    for number, record in enumerate(records):
        record["trace"] += " ".join(text for bit, text in enumerate(said) if number >> bit & 1)
        record["units"] = {"facts": [unit for units in record["units"].values() for unit in units]}
    with Server(script="sloppy", seed=2) as server:
        given = {"api_base": server.api_base, "cache": None, "rubric": str(path), **options}
        with Judge("hosted_vllm/m", **given) as judge:
            run = judge.score(records)
    assert run.scores["facts_score"].n_unique() > 3 and run.scores["advice_score"].n_unique() > 1
    return run, load_rubric(path).axes


def mapped(axes: Mapping[str, Any], **maps: Map) -> Calibration:
    """A calibration that leaves everything as it is, but for the maps that are named."""
    return Calibration(
        judge="j",
        rubric="mixed@1",
        prompt_fp="p",
        rubric_fp="r",
        raters=("ann",),
        records=1,
        axes={
            name: AxisCalibration(
                kind=axis.kind,
                probes={probe: ProbeCalibration(n=99, map=maps.get(probe, SAME)) for probe in PROBES[axis.kind]},
            )
            for name, axis in axes.items()
        },
    )


def calibrated(run: Any, calibration: Calibration, axes: Mapping[str, Any]) -> pl.DataFrame:
    return calibrated_scores(run.verdicts.lazy(), run.scores.lazy(), calibration, axes)


@pytest.mark.parametrize("scoring", ["weighted", "healthbench", "rar_explicit"])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_map_that_changes_nothing_gives_the_judges_own_scores(tmp_path: Path, scoring: str, samples: int) -> None:
    run, axes = mixed(tmp_path, scoring, samples=samples, params={"temperature": 0.7})
    table = calibrated(run, mapped(axes), axes)
    assert table["line"].to_list() == run.scores["line"].to_list()
    for ours, theirs in [(f"{name}_calibrated", f"{name}_score") for name in (*axes, "trace")]:
        assert table[ours].to_list() == pytest.approx(run.scores[theirs].to_list(), abs=1e-9, nan_ok=False)


def test_a_map_stands_in_the_sums_for_what_was_said(tmp_path: Path) -> None:
    run, axes = mixed(tmp_path, "healthbench")
    half = Map(at=(0.0, 1.0), to=(0.25, 0.75))
    table = calibrated(run, mapped(axes, raised=half, met=half, level=Map(at=(-1.0, 3.0), to=(1.0, 1.0))), axes)
    first = run.verdicts.filter(pl.col("line") == 1)
    facts = first.filter(pl.col("axis") == "facts").to_dicts()
    raised = [unit for unit in facts if unit["presence"]]
    grounding = sum(0.25 + unit["presence"] / 4 for unit in facts) / len(facts)
    right = sum(unit["correctness"] == 1 for unit in raised) / len(raised) if raised else 0.0
    advice = first.filter(pl.col("axis") == "advice").to_dicts()
    points = sum(one["points"] * (0.75 if one["verdict"] == "MET" else 0.25) for one in advice) / 5
    row = table.row(0, named=True)
    assert row["facts_calibrated"] == pytest.approx(grounding * right)
    assert row["advice_calibrated"] == pytest.approx(points)
    assert row["whole_calibrated"] == pytest.approx(0.5)  # level 1 of -1 to 3
    assert row["trace_calibrated"] == pytest.approx((grounding * right + points + 0.5) / 3)


def test_an_axis_without_a_map_leaves_no_calibrated_trace_score(tmp_path: Path) -> None:
    run, axes = mixed(tmp_path, "weighted")
    whole = mapped(axes)
    table = calibrated(run, whole.model_copy(update={"axes": {"facts": whole.axes["facts"]}}), axes)
    assert table.columns[-2:] == ["facts_calibrated", "trace_calibrated"]
    assert table["facts_calibrated"].null_count() == 0
    assert table["trace_calibrated"].null_count() == len(table)


def test_gates_are_no_sum(tmp_path: Path) -> None:
    path = tmp_path / "mixed.yaml"
    run, _ = mixed(tmp_path, "weighted")
    path.write_text(path.read_text().replace("points: 3}", "points: 3, gate: true}"))
    axes = load_rubric(path).axes
    assert "advice_calibrated" not in calibrated(run, mapped(axes), axes).columns


def test_a_failed_axis_has_no_calibrated_score(tmp_path: Path) -> None:
    run, axes = mixed(tmp_path, "weighted")
    failed = run.scores.with_columns(facts_score=pl.when(pl.col("line") > 1).then("facts_score"))
    table = calibrated_scores(run.verdicts.lazy(), failed.lazy(), mapped(axes), axes)
    assert table["facts_calibrated"].null_count() == 1


def test_a_sample_that_is_not_complete_has_no_part(tmp_path: Path) -> None:
    """Of three samples one lacks a unit, and contract §2 takes the mean of the complete ones."""
    run, axes = mixed(tmp_path, "weighted", samples=3, params={"temperature": 0.7})
    lost = (pl.col("line") == 1) & (pl.col("axis") == "facts") & (pl.col("sample") == 0)
    kept = run.verdicts.lazy().with_columns(presence=pl.when(lost).then(0).otherwise("presence").cast(pl.Int8))
    failed = kept.with_columns(failure=pl.when(lost & (pl.col("unit_id") == first_unit(run))).then(pl.lit("timeout")))
    without = run.verdicts.lazy().filter(~lost)
    given = (run.scores.lazy(), mapped(axes), axes)
    assert calibrated_scores(failed, *given).equals(calibrated_scores(without, *given))
    assert not calibrated_scores(failed, *given, min_coverage=0.0).equals(calibrated_scores(without, *given))


def first_unit(run: Any) -> str:
    return str(run.verdicts.filter(pl.col("line") == 1, pl.col("axis") == "facts")["unit_id"][0])


# --- for whom ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "what"), [("judge", "judge"), ("prompt_fp", "prompt"), ("rubric_fp", "rubric")])
def test_of_another_judge_prompt_or_rubric_it_is_refused(field: str, what: str, tmp_path: Path) -> None:
    template = _template(tmp_path)
    run = read_run(template)
    verdict = pl.read_parquet(template / "verdicts.parquet").row(0, named=True)
    known = mapped({}).model_copy(
        update={"judge": run["judge"], "prompt_fp": verdict["prompt_fp"], "rubric_fp": verdict["rubric_fp"]}
    )
    path = tmp_path / "calibration.json"
    score = ["score", str(tmp_path / "one.jsonl"), "--out", str(template), "--calibration", str(path)]
    known.write(path)
    assert CliRunner().invoke(cli, score).exit_code == 0
    known.model_copy(update={field: "other"}).write(path)
    done = CliRunner().invoke(cli, score)
    assert done.exit_code == 2
    assert f"is of another {what}: other of mixed@1, and this run has" in done.stderr


def test_it_is_refused_before_anything_is_paid(tmp_path: Path) -> None:
    traces, path = tmp_path / "traces.jsonl", tmp_path / "calibration.json"
    traces.write_bytes(to_lines(make_records(2)))
    mapped({}).write(path)
    with Server(script="obedient") as server:
        asked = arguments_for(traces, tmp_path / "run", server, "--calibration", path)
        assert CliRunner().invoke(cli, list(map(str, asked))).exit_code == 2
        assert server.ledger.paid == 0


_NAMED = dict.fromkeys(("judge", "rubric", "prompt_fp", "rubric_fp"), "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no calibration"),
        ("{}", "judge: Field required"),
        (json.dumps(_NAMED | {"raters": [], "records": -1, "axes": {}}), "records: Input should be"),
    ],
)
def test_a_file_that_is_no_calibration(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_calibration(path)


def test_a_map_that_falls_is_none() -> None:
    with pytest.raises(ValueError, match="must not fall"):
        Map(at=(0.0, 1.0), to=(1.0, 0.0))
    with pytest.raises(ValueError, match="as many"):
        Map(at=(0.0, 1.0), to=(1.0,))


# --- the commands ------------------------------------------------------------------------------------------


def test_calibrate_and_score_with_it(tmp_path: Path) -> None:
    traces, out, path = tmp_path / "traces.jsonl", tmp_path / "run", tmp_path / "made" / "calibration.json"
    records = make_records(30, units=(2, 3))
    traces.write_bytes(to_lines(records))
    assert CliRunner().invoke(cli, ["score", str(traces), "--out", str(out)]).exit_code == 0
    verdicts = pl.read_parquet(out / "verdicts.parquet").to_dicts()
    labels = tmp_path / "labels.jsonl"
    rows = [
        {name: row[name] for name in ("record_id", "model", "axis", "unit_id", "record_key")}
        | {"rater": "ann", "presence": 2 * (n % 2), "correctness": 1 if n % 2 else None}
        for n, row in enumerate(verdicts)
    ]
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(cli, ["calibrate", str(out), str(labels), "--out", str(path)])
    assert done.exit_code == 0, done.output
    assert "sensitivity" in done.output and f"Written to {path}" in done.output.replace("\n", "")
    again = CliRunner().invoke(cli, ["score", str(traces), "--out", str(out), "--calibration", str(path), "--json"])
    told = json.loads(again.stdout)
    table = pl.read_parquet(out / "calibrated.parquet")
    assert read_calibration(out / "calibration.json") == read_calibration(path)
    means = {row["measure"]: (row["mean"], row["n"]) for row in told["calibrated"]}
    for name in (column for column in table.columns if column.endswith("_calibrated")):
        known = table[name].drop_nulls()
        assert means[name] == (pytest.approx(known.mean()), len(known))
    assert CliRunner().invoke(cli, ["score", str(traces), "--out", str(out)]).exit_code == 0
    assert not (out / "calibrated.parquet").exists() and not (out / "calibration.json").exists()


def test_labels_of_other_records_are_refused(tmp_path: Path) -> None:
    template = _template(tmp_path)
    labels_of([{**place(1, 77), "presence": 0}], tmp_path / "labels.jsonl")
    given = ["calibrate", str(template), str(tmp_path / "labels.jsonl"), "--out", str(tmp_path / "c.json")]
    done = CliRunner().invoke(cli, given)
    assert done.exit_code == 2 and "No label meets a unit" in done.stderr
    assert not (tmp_path / "c.json").exists()


def test_a_run_of_several_judges_needs_to_know_which(tmp_path: Path) -> None:
    rows = [{**place(0), "presence": 2, "correctness": 1, "judge": name} for name in ("j", "k")]
    run = run_of(rows, tmp_path / "run")
    labels = labels_of([{**place(0), "presence": 2, "correctness": 1}], tmp_path / "labels.jsonl")
    with pytest.raises(ConfigError, match=r"has several judges\. Give --judge with one of: j, k"):
        calibrate(run, labels)
    assert calibrate(run, labels, judge="k").judge == "k"


def test_refuse_other_lets_its_own_pass(tmp_path: Path) -> None:
    from judge.table import Labels

    labels = Labels(judge="j", rubric="mixed@1", prompt_fp="p", rubric_fp="r", axes={})
    refuse_other(mapped({}), labels, tmp_path)
