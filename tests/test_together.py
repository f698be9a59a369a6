"""Runs side by side: how models are called, what is asked of the runs, and what cannot be compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from run_kit import make_record, score

from judge.cli import cli
from judge.errors import ConfigError
from judge.rubric import load_rubric
from judge.runs.together import Together, put_together
from judge.score_pairs import prefer_by_score
from judge.testing import Server


def scored(tmp_path: Path, name: str, records: list[dict[str, Any]], *words: str) -> Path:
    traces, out = tmp_path / f"{name.replace('/', '-')}.jsonl", tmp_path / name
    traces.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    given = ["score", str(traces), "--out", str(out), "--quiet", *words]
    assert CliRunner().invoke(cli, given, catch_exceptions=False).exit_code in (0, 3)
    return out


def records(*numbers: int, model: str | None = "m", trace: str | None = None) -> list[dict[str, Any]]:
    made = [make_record(number, units=3) | {"model": model} for number in numbers]
    return [record | {"trace": trace} if trace is not None else record for record in made]


def preferences(together: Together) -> pl.DataFrame:
    return prefer_by_score(together.scores, together.models)


def test_two_runs_of_two_models(tmp_path: Path) -> None:
    runs = [
        scored(tmp_path, "first", records(1, 2)),
        scored(tmp_path, "second", records(1, 2, model="n", trace="Nothing to see.")),
    ]
    found = put_together(runs)
    assert (found.models, found.rubric, found.notes) == (("m", "n"), "pkr@1.0", ())
    assert found.scores["axis"].unique(maintain_order=True).to_list() == [
        *("perception", "knowledge", "rationale", "overall")
    ]
    # What is compared are the scores of the tables.
    first, second = (pl.read_parquet(run / "scores.parquet") for run in runs)
    overall = preferences(found).filter(axis="overall")
    assert overall["score_a"].to_list() == first["trace_score"].to_list()
    assert overall["score_b"].to_list() == second["trace_score"].to_list()
    assert overall["failure"].null_count() == 2


def test_a_model_without_a_name_is_called_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [scored(tmp_path, name, records(1, model=None)) for name in ("old", "new")]
    assert put_together(runs).models == ("old", "new")
    monkeypatch.chdir(runs[0])
    assert put_together([Path(), runs[1]]).models == ("old", "new")


def test_one_model_in_two_runs_is_told_apart_by_the_folders(tmp_path: Path) -> None:
    both = [scored(tmp_path, name, [*records(1), *records(1, model=name)]) for name in ("step-100", "step-200")]
    assert put_together(both).models == ("m (step-100)", "step-100", "m (step-200)", "step-200")
    alike = [scored(tmp_path, name, records(1)) for name in ("a/run", "b/run")]
    assert put_together(alike).models == (f"m ({alike[0]})", f"m ({alike[1]})")


def test_one_model_whose_records_are_in_two_runs_is_one(tmp_path: Path) -> None:
    runs = [scored(tmp_path, "one", [*records(1), *records(1, model="n")]), scored(tmp_path, "two", records(2))]
    assert put_together(runs).models == ("m", "n")


def test_one_run_of_several_models(tmp_path: Path) -> None:
    run = scored(tmp_path, "run", [*records(1, 2), *records(1, 2, model="n"), *records(2, model="o")])
    found = preferences(put_together([run]))
    assert found.filter(axis="overall").group_by("model_a", "model_b", maintain_order=True).len().rows() == [
        *(("m", "n", 2), ("m", "o", 1), ("n", "o", 1))
    ]


def test_other_units_are_seen(tmp_path: Path) -> None:
    changed = records(1, 2, model="n")
    changed[0]["units"]["knowledge"][0]["claim"] = "Another claim."
    runs = [scored(tmp_path, "first", records(1, 2)), scored(tmp_path, "second", changed)]
    failures = preferences(put_together(runs)).filter(pl.col("failure").is_not_null())
    assert failures.select("record_id", "axis", "failure").rows() == [
        ("r1", "knowledge", "units_differ"),
        ("r1", "overall", "units_differ"),
    ]


def test_other_units_are_seen_where_no_model_is_named(tmp_path: Path) -> None:
    changed = records(1, model=None)
    changed[0]["units"]["knowledge"][0]["claim"] = "Another claim."
    runs = [scored(tmp_path, "first", records(1, model=None)), scored(tmp_path, "second", changed)]
    assert preferences(put_together(runs)).filter(axis="knowledge")["failure"].to_list() == ["units_differ"]


def test_the_order_of_units_does_not_matter(tmp_path: Path) -> None:
    made = make_record(1) | {"units": {"knowledge": [{"unit_id": f"K{n}", "claim": f"Claim {n}."} for n in range(3)]}}
    turned = made | {"model": "n", "units": {"knowledge": made["units"]["knowledge"][::-1]}}
    runs = [scored(tmp_path, "first", [made]), scored(tmp_path, "second", [turned])]
    assert preferences(put_together(runs))["failure"].null_count() == 2  # knowledge, and overall


def test_what_failed_says_why(tmp_path: Path) -> None:
    """Half of the requests are answered with an error, and none is asked again."""
    made = ((make_record(n), name) for n in range(1, 21) for name in ("m", "n"))
    rows = [record | {"model": name, "trace": f"{record['trace']} By {name}."} for record, name in made]
    with Server(script="obedient", seed=1, faults=0.5, kinds=("400",)) as server:
        score(rows, tmp_path / "run", server, max_retries=0)
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet")
    first, second = (scores.filter(model=name) for name in ("m", "n"))
    whole = first["failure"].is_null() & second["failure"].is_null()
    found = preferences(put_together([tmp_path / "run"]))
    for axis in ("perception", "overall"):  # an axis that was asked about and failed has its row too
        mine = found.filter(axis=axis)
        assert mine["outcome"].is_not_null().to_list() == whole.to_list()
        why = [one or other for one, other in zip(first["failure"], second["failure"], strict=True)]
        assert mine["failure"].to_list() == why
    assert 0 < whole.sum() < 20
    assert set(found["reason"].drop_nulls()) == {*("m has no score", "n has no score", "neither m nor n has a score")}


def test_other_rubrics_are_refused(tmp_path: Path) -> None:
    rubric = tmp_path / "own.yaml"
    text = Path("rubrics/pkr.yaml").read_text(encoding="utf-8")
    rubric.write_text(re.sub(r"(?m)^version:.*", 'version: "9"', text), encoding="utf-8")
    runs = [
        scored(tmp_path, "first", records(1)),
        scored(tmp_path, "second", records(1, model="n"), "--rubric", str(rubric)),
    ]
    told = (
        "the runs are of different rubrics: .*first by pkr@1.0 [(][0-9a-f]{12}[)]; .*second by pkr@9 [(][0-9a-f]{12}[)]"
    )
    with pytest.raises(ConfigError, match=told):
        put_together(runs)


def rename_judge(run: Path, old: str, new: str) -> None:
    for name in ("scores", "verdicts"):
        path = run / f"{name}.parquet"
        frame = pl.read_parquet(path)
        frame.with_columns(pl.col("judge").replace(old, new)).write_parquet(path)


def test_other_judges_are_refused(tmp_path: Path) -> None:
    runs = [scored(tmp_path, "first", records(1)), scored(tmp_path, "second", records(1, model="n"))]
    (judge,) = put_together(runs).judges
    rename_judge(runs[1], judge, "other#1")
    told = f"the runs were scored by different judges: .*first by {judge}; .*second by other#1"
    with pytest.raises(ConfigError, match=told):
        put_together(runs)


def test_a_judge_of_some_runs_is_left_out_and_named(tmp_path: Path) -> None:
    runs = [scored(tmp_path, "first", records(1)), scored(tmp_path, "second", records(1, model="n"))]
    (judge,) = put_together(runs).judges
    for name in ("scores", "verdicts"):
        path = runs[0] / f"{name}.parquet"
        frame = pl.read_parquet(path)
        pl.concat([frame, frame.with_columns(judge=pl.lit("panel#2"))]).write_parquet(path)
    found = put_together(runs)
    assert found.judges == (judge,)
    assert found.notes == ("panel#2 did not judge all runs, and is left out.",)
    assert set(found.scores["judge"]) == {judge}


def test_several_traces_of_one_model_and_id_are_refused(tmp_path: Path) -> None:
    run = scored(tmp_path, "run", [*records(1), *records(1, trace="Another."), *records(1, model="n")])
    with pytest.raises(ConfigError, match="the model 'm' has several traces of the record 'r1'"):
        put_together([run])


def test_one_model_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run: all scores are of one model, 'm'"):
        put_together([scored(tmp_path, "run", records(1))])


def test_settings_that_may_move_scores_are_told(tmp_path: Path) -> None:
    runs = [
        scored(tmp_path, "first", records(1)),
        scored(tmp_path, "second", records(1, model="n"), "--min-coverage", "0.5"),
    ]
    path = runs[0] / "run.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"finished"', '"stopped"'), encoding="utf-8")
    assert put_together(runs).notes == (
        f"{runs[0]} is not finished; the command that made it goes on with it.",
        "the runs have other min_coverage: 1.0, 0.5.",
    )


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    run = scored(tmp_path, "run", [*records(1), *records(1, model="n")])
    (run / "verdicts.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"run cannot be read: .* Run the command again that made it"):
        put_together([run])
    (run / "run.json").unlink()
    with pytest.raises(ConfigError, match=r"run\.json names no rubric"):
        put_together([run])


def test_claims_of_the_trace_are_no_other_units(tmp_path: Path) -> None:
    """Under faithfulness each trace is asked about its own claims, and scores are compared all the same."""
    rows = [make_record(n) | {"model": name, "context": "A scan."} for n in (1, 2) for name in ("m", "n")]
    for row in rows:
        row["trace"] = row["trace"] if row["model"] == "m" else "One other claim about it is made here."
    with Server(script="gullible") as server:
        score(rows, tmp_path / "run", server, rubric=load_rubric("faithfulness"), evidence="flag")
    found = preferences(put_together([tmp_path / "run"]))
    assert len(found) and found["failure"].null_count() == len(found)
