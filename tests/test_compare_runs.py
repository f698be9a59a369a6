"""`judge compare` with runs: what is printed, kept and refused, and how it ends; nobody is asked anything."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from run_kit import make_record, score

from judge.cli import cli
from judge.difference import find_differences
from judge.preference import PREFERENCES
from judge.testing import Server


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("JUDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def judge(*words: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, words)), catch_exceptions=False, env={"COLUMNS": "120"})


def scored(name: str, *models: str, count: int = 12) -> Path:
    rows = [
        make_record(n, units=3, seed=place) | {"model": model}
        for place, model in enumerate(models)
        for n in range(1, count + 1)
    ]
    alike = {row["id"]: row["units"] for row in rows}
    Path(f"{name}.jsonl").write_text(
        "\n".join(json.dumps(row | {"units": alike[row["id"]]}) for row in rows), encoding="utf-8"
    )
    assert judge("score", f"{name}.jsonl", "--out", name, "--quiet").exit_code == 0
    return Path(name)


def compared(*words: object) -> dict[str, Any]:
    done = judge("compare", *words, "--json")
    assert done.exit_code in (0, 3), done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["exit_code"] == done.exit_code
    return told


def test_two_runs(tmp_path: Path) -> None:
    whole = scored("all", "m", "n")
    rows = [json.loads(line) for line in Path("all.jsonl").read_text(encoding="utf-8").splitlines()]
    for model in "mn":
        lines = [json.dumps(row) for row in rows if row["model"] == model]
        Path(f"{model}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        assert judge("score", f"{model}.jsonl", "--out", f"run-{model}", "--quiet").exit_code == 0
    told = compared("run-m", "run-n")
    assert told["counts"] == {"pairs": 48, "judged": 48, "failed": 0}
    assert [one["axis"] for one in told["standings"]] == ["perception", "knowledge", "rationale", "overall"]
    # One run with both models says the same.
    assert compared(whole)["standings"] == told["standings"]
    # The scores' difference is that of the summary of the run.
    (one,) = find_differences(pl.read_parquet(whole / "scores.parquet"))
    (rate,) = told["standings"][-1]["rates"]
    sign = 1 if one.model == "m" else -1
    assert rate["difference"]["mean"] == pytest.approx(sign * one.mean)
    assert rate["difference"]["n"] == one.n == 12


def test_the_counts_are_those_of_the_scores() -> None:
    scores = pl.read_parquet(scored("all", "m", "n") / "scores.parquet")
    both = scores.filter(model="m").join(scores.filter(model="n"), on="record_id")
    apart = both["trace_score"] - both["trace_score_right"]
    for margin in (1e-9, 0.2):
        (rate,) = compared("all", "--axis", "overall", "--margin", margin)["standings"][0]["rates"]
        counted = ((apart > margin).sum(), (apart < -margin).sum(), (apart.abs() <= margin).sum())
        assert (rate["wins"], rate["losses"], rate["ties"]) == counted
        assert rate["rate"] == pytest.approx((counted[0] + counted[2] / 2) / 12)
    assert counted[2] > 0


def test_it_is_kept_and_shown_again() -> None:
    scored("all", "m", "n", "o")
    first = judge("compare", "all", "--out", "kept")
    assert first.exit_code == 0 and "Written to kept: preferences.parquet, run.json" in first.stdout
    frame = pl.read_parquet("kept/preferences.parquet")
    assert frame.schema == pl.Schema(PREFERENCES) and len(frame) == 3 * 4 * 12
    bytes_before = Path("kept/run.json").read_bytes()
    assert judge("compare", "all", "--out", "kept").exit_code == 0
    assert Path("kept/run.json").read_bytes() == bytes_before
    told = json.loads(bytes_before)
    assert (told["status"], told["rubric"], told["runs"]) == ("finished", "pkr@1.0", ["all"])
    assert told["counts"] == {"pairs": 144, "judged": 144, "failed": 0}
    again = compared("kept")
    assert again["from"] == "preferences" and again["rubric"] == "pkr@1.0"
    assert again["standings"] == compared("all")["standings"]
    refused = judge("compare", "kept", "--out", "elsewhere")
    assert refused.exit_code == 2 and "--out: these are preferences already. Leave it out." in refused.stderr


def test_a_folder_of_another_run_is_not_written_to() -> None:
    scored("all", "m", "n")
    before = Path("all/run.json").read_bytes()
    refused = judge("compare", "all", "--out", "all")
    assert refused.exit_code == 2 and "all holds another run: from was None and is 'scores'" in refused.stderr
    assert Path("all/run.json").read_bytes() == before and not Path("all/preferences.parquet").exists()
    assert judge("compare", "all", "--out", "kept").exit_code == 0
    refused = judge("compare", "all", "--out", "kept", "--margin", "0.1")
    assert refused.exit_code == 2
    assert "kept holds another run: margin was 1e-09 and is 0.1. Use another --out." in refused.stderr
    # Nor by the same comparison of other runs, or into a folder of something else, or by another command.
    shutil.copytree("all", "other")
    kept = Path("kept/preferences.parquet").read_bytes()
    refused = judge("compare", "other", "--out", "kept")
    assert refused.exit_code == 2 and "kept holds another run: runs was [" in refused.stderr
    Path("notes").mkdir()
    Path("notes/mine.txt").write_text("mine", encoding="utf-8")
    refused = judge("compare", "all", "--out", "notes")
    assert refused.exit_code == 2 and "--out notes holds files, and no comparison. Use another --out." in refused.stderr
    refused = judge("score", "all.jsonl", "--out", "kept")
    assert refused.exit_code == 2 and "kept holds a comparison of runs, and asked is lexical#" in refused.stderr
    assert Path("kept/preferences.parquet").read_bytes() == kept and len([*Path("notes").iterdir()]) == 1


def test_a_run_of_a_kind_without_identity_is_not_written_to_by_score() -> None:
    """Such as recorded outputs that `judge replay` read."""
    scored("all", "m", "n")
    told = json.loads(Path("all/run.json").read_bytes())
    del told["identity"]
    Path("all/run.json").write_text(json.dumps(told), encoding="utf-8")
    before = Path("all/scores.parquet").read_bytes()
    refused = judge("score", "all.jsonl", "--out", "all")
    assert refused.exit_code == 2 and "all holds a run of another kind, and asked is lexical#" in refused.stderr
    assert Path("all/scores.parquet").read_bytes() == before


def test_quiet_prints_nothing_and_keeps_all_the_same() -> None:
    scored("all", "m", "n")
    done = judge("compare", "all", "--out", "kept", "--quiet")
    assert (done.exit_code, done.output) == (0, "") and Path("kept/preferences.parquet").exists()
    assert json.loads(judge("compare", "all", "--quiet", "--json").stdout)["judges"]


def test_what_is_not_finished_is_said_of_preferences_too() -> None:
    scored("all", "m", "n")
    assert judge("compare", "all", "--out", "kept").exit_code == 0
    told = json.loads(Path("kept/run.json").read_bytes())
    Path("kept/run.json").write_text(json.dumps({**told, "status": "stopped"}), encoding="utf-8")
    assert compared("kept")["notes"] == ["kept is not finished; the command that made it goes on with it."]


def test_a_panel_beside_a_single_judge_has_no_other_samples() -> None:
    scored("m", "m")
    rows = [json.loads(line) | {"model": "n"} for line in Path("m.jsonl").read_text(encoding="utf-8").splitlines()]
    Path("n.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with Server() as server:
        more = ("--judge", "lexical", "--judge", "hosted_vllm/any", "--api-base", server.api_base, "--cache", "none")
        assert judge("score", "n.jsonl", "--out", "n", "--quiet", *more).exit_code in (0, 3)
    notes = compared("m", "n")["notes"]
    assert notes and all("did not judge all runs" in note for note in notes)


def test_preferences_of_several_judges_beside_each_other() -> None:
    scored("all", "m", "n")
    for name in ("one", "two"):
        assert judge("compare", "all", "--out", name).exit_code == 0
    path = Path("two/preferences.parquet")
    pl.read_parquet(path).with_columns(judge=pl.lit("second#1")).write_parquet(path)
    told = compared("one", "two", "--axis", "overall")
    assert (
        [one["judge"] for one in told["standings"]]
        == told["judges"]
        == ["lexical#" + told["judges"][0][8:], "second#1"]
    )
    named_twice = judge("compare", "one", "./one")
    assert named_twice.exit_code == 2 and "one and one are the same. Name each file" in named_twice.stderr
    shutil.copytree("one", "copied")
    twice = judge("compare", "one", "copied")
    assert twice.exit_code == 2
    assert "has two preferences between the same models on 'perception' of the record 'r1'" in twice.stderr


def test_failed_records_are_counted_and_end_with_3() -> None:
    made = ((make_record(n), name) for n in range(1, 21) for name in ("m", "n"))
    rows = [record | {"model": name, "trace": f"{record['trace']} By {name}."} for record, name in made]
    with Server(seed=1, faults=0.5, kinds=("400",)) as server:
        score(rows, Path("run").absolute(), server, max_retries=0)
    scores = pl.read_parquet("run/scores.parquet")
    failed = scores.filter(pl.col("failure").is_not_null())["record_id"].n_unique()
    told = compared("run", "--axis", "overall")
    (rate,) = told["standings"][0]["rates"]
    assert told["exit_code"] == 3
    assert (rate["pairs"], rate["failed"], rate["judged"]) == (20, failed, 20 - failed)
    assert sum(rate["failures"].values()) == failed
    shown = judge("compare", "run")
    assert shown.exit_code == 3
    assert f"{failed} of 20 pairs failed (" in " ".join(shown.stdout.split())
    assert f"40 pairs of all axes = {40 - 2 * failed} judged + {2 * failed} failed" in shown.stdout


def test_records_of_one_model_only_are_named() -> None:
    scored("m", "m", count=12)
    scored("n", "n", count=10)
    # The units of a record are those of its seed, the same in both files.
    told = compared("m", "n")
    assert told["unshared"] == [
        {"model": "m", "other": "n", "only_model": 2, "only_other": 0, "records": ["r11", "r12"]}
    ]
    assert "Not compared: 2 records only of m, 0 only of n (r11, r12)" in judge("compare", "m", "n").stdout


def test_an_interval_goes_by_the_seed() -> None:
    scored("all", "m", "n")
    (first, again, other) = (compared("all", "--seed", seed)["standings"] for seed in (0, 0, 1))
    assert first == again
    assert [one["rates"][0]["rate"] for one in first] == [one["rates"][0]["rate"] for one in other]
    assert first != other


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere",), "Path 'nowhere' does not exist"),
        ((), "Missing argument"),
        (("empty",), "empty holds neither scores.parquet nor preferences.parquet."),
        (("all", "kept"), "scores and preferences are not compared: all holds scores, kept holds preferences."),
        (("all", "all.jsonl"), "all is a folder, and others are files. Give files of traces, or folders of runs."),
        (("all", "--margin", "-1"), "--margin is -1.0; it must be a number of at least 0."),
        (("all", "--margin", "nan"), "--margin is nan"),
        (("all", "--axis", "tone"), "--axis 'tone' is none of the axes: perception, knowledge, rationale, overall."),
        (("all", "--baseline", "x"), "--baseline 'x' is none of the models: m, n."),
        (("all", "--out", "all.jsonl/below"), "--out all.jsonl/below: Not a directory."),
        (("lame",), "lame/preferences.parquet has no column judge, outcome."),
        (("torn",), "torn/preferences.parquet cannot be read: "),
    ],
)
def test_what_cannot_be_compared_is_refused(words: tuple[str, ...], told: str) -> None:
    scored("all", "m", "n", count=2)
    assert judge("compare", "all", "--out", "kept").exit_code == 0
    for name in ("empty", "lame", "torn"):
        Path(name).mkdir()
    pl.read_parquet("kept/preferences.parquet").drop("judge", "outcome").write_parquet("lame/preferences.parquet")
    Path("torn/preferences.parquet").write_bytes(b"PAR1")
    done = judge("compare", *words)
    assert done.exit_code == 2
    assert told in done.stderr.replace("\n", " ")
    assert done.stdout == ""
