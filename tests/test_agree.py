"""`judge agree`: what it prints, writes and ends with, of runs of every kind."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from trust_kit import DATA, JUDGE, people, units, write_labels, write_preferences, write_run

from judge.cli import cli
from judge.preference import Preference
from judge.testing import Ask, Server

R, A = (2, 1), (0, None)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("JUDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "100")


def agree(*words: object) -> Result:
    return CliRunner().invoke(cli, ["agree", *map(str, words)], catch_exceptions=False)


@pytest.fixture
def told(tmp_path: Path) -> tuple[Path, Path]:
    """Eight units, three people; the judge failed on one, and calls two otherwise than the majority."""
    run = write_run(tmp_path / "run", units(R, A, R, A, R, A, A, (None, None)))
    said = {"ann": [R, A, R, A, R, A, R, R], "bob": [R, A, R, A, A, A, R, R], "cat": [R, A, A, A, A, A, R, R]}
    return run, write_labels(tmp_path / "labels.jsonl", *people(said))


def test_it_says_what_was_found_in_plain_words(told: tuple[Path, Path]) -> None:
    done = agree(*told)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert text.startswith(f"{JUDGE} against 3 raters (ann, bob, cat): 24 labels")
    # Majority R A R A A A R R; the judge R A R A R A A –: 5 of 7, p_e = (3·3 + 4·4)/49 = 25/49, kappa (35 − 25)/24.
    assert "It agrees on 71% of 7 units of 7 records; always saying 'absent' would agree on 57%." in text
    assert f"kappa {10 / 24:.2f} (" in text
    # With the failure as a class: 5 of 8; p_e = (3·4 + 4·4)/64 = 28/64, kappa (40 − 28)/36.
    assert "1 of 8 answers could not be used and are left out above; as an answer of their own, kappa is 0.33" in text
    assert "unused" in text and "12%" in text  # one of eight, as Python rounds it
    assert "One rater against the majority of the others reaches kappa" in text


@pytest.mark.parametrize(
    ("judged", "labelled", "said"),
    [
        ([R, A] * 15, [R, A] * 15, "is better than chance: kappa 1.00"),
        ([R, A] * 15, [A, R] * 15, "is worse than chance: kappa -1.00"),
        ([R, A, A, R] * 8, [R, R, A, A] * 8, "cannot be told from chance: kappa 0.00"),
        # Kappa is 0 whatever the judge says: p_o = p_e = its share of `absent`.
        ([R, A] * 15, [A] * 30, "No class but 'absent' was given to these units, so kappa tells nothing."),
    ],
)
def test_it_says_where_kappa_stands_beside_chance(
    tmp_path: Path, judged: list[Any], labelled: list[Any], said: str
) -> None:
    run = write_run(tmp_path / "run", units(*judged))
    done = agree(run, write_labels(tmp_path / "l.jsonl", *people({"ann": labelled})), "--probe", "outcome")
    text = " ".join(done.stdout.split())
    assert said in text and "k (outcome): m#1 against ann" in text


def test_what_is_one_is_told_as_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R))
    said = agree(run, write_labels(tmp_path / "l.jsonl", *people({"ann": [R], "bob": [R]}))).stdout
    text = " ".join(said.split())
    assert "It agrees on 100% of 1 unit of 1 record;" in text and "alpha null; 1 unit It agrees" in text


def test_a_run_that_was_not_asked_has_no_unusable_answer(tmp_path: Path) -> None:
    """Of six labelled levels each run has three records, and a third judge failed on one of its three."""
    level = {"kind": "scale", "unit_id": "level", "axis": "q"}
    said = [{**level, "record_id": f"r{n}", "line": n, "value": n % 4 + 0.5} for n in range(6)]
    said[5] |= {"value": None, "failure": "timeout"}
    runs = [write_run(tmp_path / name, part) for name, part in (("one", said[:3]), ("two", said[3:]))]
    labels = [{"record_id": f"r{n}", "axis": "q", "unit_id": "level", "value": n % 3 + 0.5} for n in range(6)]
    (found,) = json.loads(agree(*runs, write_labels(tmp_path / "l.jsonl", *labels), "--json").stdout)["agreements"]
    counted = {one["rater"]: (one["n"], one["unparsed"], one["unasked"]) for one in found["compared"]}
    assert counted == {"m#1 (one)": (3, 0, 3), "m#1 (two)": (2, 1, 3)}


def test_the_table_has_a_line_for_every_probe(told: tuple[Path, Path]) -> None:
    lines = [line.split() for line in agree(*told).stdout.splitlines()]
    asked = {line[0]: line for line in lines if line and line[0] in ("outcome", "raised", "presence", "correctness")}
    assert list(asked) == ["outcome", "raised", "presence", "correctness"]
    assert asked["raised"][1:3] == ["7", "0.71"]
    # The judge and the majority both say R of three units, and all that is raised is right: no kappa.
    assert "null" in asked["correctness"]


def test_json_has_all_of_it(told: tuple[Path, Path]) -> None:
    done = agree(*told, "--json", "--probe", "outcome")
    found = json.loads(done.stdout)
    assert (found["schema"], found["exit_code"], found["labels"], found["judges"]) == ("judge.agree/1", 0, 24, [JUDGE])
    (one,) = found["agreements"]
    assert [(each["rater"], each["against"]) for each in one["compared"]] == [
        (JUDGE, whom) for whom in ("majority", "ann", "bob", "cat")
    ]
    kappa = one["compared"][0]["numbers"]["kappa"]
    assert kappa["value"] == pytest.approx(10 / 24) and kappa["low"] < kappa["value"] < kappa["high"]
    assert len(one["cells"]) == 6 and one["ceilings"][0]["judge"] == JUDGE
    assert "nan" not in done.stdout.lower()
    assert json.loads(agree(*told, "--json", "--probe", "outcome").stdout) == found


def test_the_seed_moves_the_intervals_only(told: tuple[Path, Path]) -> None:
    one, other = (json.loads(agree(*told, "--json", "--seed", seed).stdout)["agreements"] for seed in (0, 1))
    kappas = [each[0]["compared"][0]["numbers"]["kappa"]["value"] for each in (one, other)]
    assert kappas[0] == kappas[1] and one != other


def test_numbers_are_written_as_a_table_or_as_an_object(told: tuple[Path, Path], tmp_path: Path) -> None:
    table, whole = tmp_path / "new/a.parquet", tmp_path / "a.json"
    assert agree(*told, "--out", table).exit_code == agree(*told, "--out", whole).exit_code == 0
    kappa = pl.read_parquet(table).filter(probe="outcome", measure="kappa", against="majority")["value"].item()
    written = json.loads(whole.read_bytes())
    assert written["agreements"][0]["compared"][0]["numbers"]["kappa"]["value"] == kappa == pytest.approx(10 / 24)
    refused = agree(*told, "--out", tmp_path / "a.csv")
    assert refused.exit_code == 2 and "must end in .json or .parquet" in refused.stderr


@pytest.mark.parametrize(
    ("least", "probe", "code", "said"),
    [
        ("kappa=0.4", "outcome", 0, ""),
        ("kappa=0.5", "outcome", 1, f"kappa of {JUDGE} on k (outcome) is 0.417, and must be 0.5 at least."),
        ("kappa=0", "correctness", 1, f"kappa of {JUDGE} on k (correctness) is not known"),
        ("spearman=0.1", "outcome", 2, "nothing that is shown has this number (outcome)"),
        ("kapa=0.1", "outcome", 2, "--fail-under 'kapa' is no number of ours. There are agreement, kappa,"),
        ("kappa", "outcome", 2, "'kappa' is not of the form NAME=NUMBER"),
        ("kappa=nan", "outcome", 2, "'kappa=nan' is not of the form NAME=NUMBER"),
    ],
)
def test_it_can_be_held_to_a_number(told: tuple[Path, Path], least: str, probe: str, code: int, said: str) -> None:
    done = agree(*told, "--fail-under", least, "--probe", probe)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.split())


def test_a_judge_is_held_against_one_rater(told: tuple[Path, Path]) -> None:
    done = agree(*told, "--against", "ann", "--probe", "outcome", "--fail-under", "agreement=0.85")
    # ann: R A R A R A R R; the judge agrees on 6 of 7.
    assert done.exit_code == 0 and f"{JUDGE} against ann" in done.stdout
    assert "It agrees on 86% of 7 units" in " ".join(done.stdout.split())
    refused = agree(*told, "--against", "dan")
    assert refused.exit_code == 2 and "--against 'dan' is no rater" in refused.stderr and "bob" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--axis", "z"), "--axis 'z' has no label. There are k."),
        (("--probe", "verdict"), "--probe verdict: nothing was labelled so. There are correctness, outcome,"),
    ],
)
def test_what_nobody_labelled_is_refused(told: tuple[Path, Path], words: tuple[str, ...], said: str) -> None:
    done = agree(*told, *words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split())


def test_labels_that_count_nowhere_are_named(told: tuple[Path, Path]) -> None:
    run, path = told
    stray = [{"record_id": f"r{n}", "unit_id": "u9", "presence": 0} for n in range(1, 6)]
    stray.append({"record_id": "r1", "rater": "eve", "presence": 0, "record_key": "old"})
    path.write_text(path.read_text() + write_labels(path.with_name("more.jsonl"), *stray).read_text())
    text = " ".join(agree(run, path).stdout.split())
    assert (
        "Not counted: 5 of what the run did not ask: r1/k/u9 (line 25), r2/k/u9 (line 26), r3/k/u9 (line 27), …" in text
    )
    assert "Not counted: 1 of a record that has changed since: r1/k/u1 (line 30)" in text


def test_bad_labels_end_it_with_their_lines(told: tuple[Path, Path]) -> None:
    run, path = told
    path.write_text(path.read_text() + '{"record_id": "r1\x1b[31m"}\n')
    done = agree(run, path)
    assert done.exit_code == 2 and "1 line is no label: line 25" in " ".join(done.stderr.split())
    assert "\x1b[31m" not in done.stderr and done.stdout == ""


def test_names_from_outside_forge_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{**each, "axis": "[red]k\x1b"} for each in units(R, A)])
    labels = [{**each, "axis": "[red]k\x1b"} for each in people({"a\x1b]0;b[/]": [R, A]})]
    done = agree(run, write_labels(tmp_path / "l.jsonl", *labels))
    assert done.exit_code == 0 and "\x1b" not in done.stdout and "[red]k\N{REPLACEMENT CHARACTER}" in done.stdout


def test_several_runs_are_several_raters(tmp_path: Path, told: tuple[Path, Path]) -> None:
    other = write_run(tmp_path / "other", [{**each, "judge": "n#2"} for each in units(*[R] * 8)])
    done = agree(told[0], other, told[1], "--probe", "outcome")
    assert done.exit_code == 0
    cells = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith(" ")]
    assert cells == [[JUDGE, "7"], ["n#2", "8"]]


def test_preferences(tmp_path: Path) -> None:
    pair = {"model_a": "m", "model_b": "n", "axis": "overall", "judge": JUDGE}
    run = write_preferences(
        tmp_path / "run", *(Preference(record_id=f"r{n}", outcome=o, **pair) for n, o in enumerate(["A", "B", "B"], 1))
    )
    labels = [{**pair, "record_id": f"r{n}", "unit_id": None, "verdict": v} for n, v in enumerate(["A", "B", "A"], 1)]
    done = agree(run, write_labels(tmp_path / "l.jsonl", *labels))
    assert done.exit_code == 0
    assert "It agrees on 67% of 3 units of 3 records" in " ".join(done.stdout.split())


MIXED = """\
name: mixed
version: "1"
description: d
axes:
  facts: {kind: checklist, description: What is so.}
  advice:
    kind: criteria
    scoring: healthbench
    description: What is advised.
    criteria:
      - {id: c1, text: Offers fluids., points: 3}
      - {id: c2, text: Recommends aspirin., points: -6, polarity: negative}
  whole:
    kind: scale
    description: How much is there?
    levels: [{level: 1, anchor: Nothing.}, {level: 2, anchor: Some.}, {level: 3, anchor: All.}]
"""


def _as_the_trace_says(ask: Ask) -> Mapping[str, object]:
    """A judge that is told by the trace what to say: `presence=2 c1=MET level=3`."""
    said = dict(word.split("=") for word in ask.trace.split())
    answers: dict[str, object] = {}
    for unit in ask.units:
        given: dict[str, Any] = {"evidence": None, "reason": "So."}
        if unit.kind == "checklist":
            raised = int(said["presence"])
            given |= {"evidence": ask.trace if raised else None, "presence": raised}
            given["correctness"] = 1 if raised else None
        elif unit.kind == "criteria":
            given["verdict"] = said["c2" if unit.bad else "c1"]
        else:
            given["value"] = int(said["level"])
        answers[unit.name] = given
    return answers


def test_a_run_of_every_kind_of_axis(tmp_path: Path) -> None:
    rubric, traces, out = tmp_path / "mixed.yaml", tmp_path / "traces.jsonl", tmp_path / "run"
    rubric.write_text(MIXED)
    says = [(2, "MET", "UNMET", 3), (0, "MET", "MET", 1), (1, "UNMET", "UNMET", 2), (2, "CANNOT_ASSESS", "MET", 2)]
    records = [
        {
            "id": f"r{n}",
            "question": "What helps?",
            "units": {"facts": [{"unit_id": "F1", "claim": "Fluids help."}]},
            "trace": f"presence={presence} c1={c1} c2={c2} level={level}",
        }
        for n, (presence, c1, c2, level) in enumerate(says, start=1)
    ]
    traces.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    with Server(script=_as_the_trace_says) as server:
        words = ["score", str(traces), "--out", str(out), "--rubric", str(rubric), "--judge", "hosted_vllm/m"]
        scored = CliRunner().invoke(cli, [*words, "--api-base", server.api_base], catch_exceptions=False)
    assert scored.exit_code in (0, 3), scored.output
    agreed = [(2, "MET", "UNMET", 3), (0, "UNMET", "MET", 1), (2, "UNMET", "UNMET", 1), (2, "MET", "MET", 2)]
    labels = [
        {"record_id": f"r{n}", **about}
        for n, (presence, c1, c2, level) in enumerate(agreed, start=1)
        for about in (
            {"axis": "facts", "unit_id": "F1", "presence": presence, "correctness": 1 if presence else None},
            {"axis": "advice", "unit_id": "c1", "verdict": c1},
            {"axis": "advice", "unit_id": "c2", "verdict": c2},
            {"axis": "whole", "unit_id": "level", "value": level},
        )
    ]
    done = agree(out, write_labels(tmp_path / "l.jsonl", *labels), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["unmatched"] == []
    shares = {
        (one["probe"], one["axis"]): (compared["n"], compared["unparsed"], compared["numbers"]["agreement"]["value"])
        for one in found["agreements"]
        for compared in one["compared"]
        if compared["against"] == "majority"
    }
    assert shares == {
        ("outcome", "facts"): (4, 0, 1.0),
        ("raised", "facts"): (4, 0, 1.0),
        ("presence", "facts"): (4, 0, 0.75),
        ("correctness", "facts"): (3, 0, 1.0),
        ("verdict", "advice"): (7, 1, pytest.approx(6 / 7)),
        ("value", "whole"): (4, 0, 0.75),
    }


@pytest.mark.skipif(not (DATA / "kqa").is_dir(), reason="no ../shared/data/kqa: what its guide shows cannot be made")
def test_the_guide_shows_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out, labels = tmp_path / "kqa", DATA / "kqa/labels.jsonl"
    scored = CliRunner().invoke(cli, ["score", str(DATA / "kqa/records.jsonl"), "--out", str(out), "--quiet"])
    assert scored.exit_code == 0
    guide = (Path(__file__).parents[1] / "docs/agreement.md").read_text(encoding="utf-8")
    lines = [line.rstrip() for line in agree(out, labels).stdout.splitlines()]
    # The judge id moves with the prompts, which these numbers do not hang on.
    printed, shown = (re.sub(r"#[0-9a-f]{8}", "#", text) for text in ("\n".join(lines), guide))
    assert printed in shown
