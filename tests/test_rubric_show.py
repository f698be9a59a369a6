"""What a rubric says reads well in 80 columns, in a pipe, and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from run_kit import environment

from judge.axis import Checklist, Scale
from judge.cli import cli
from judge.cli.showing import axis_details
from judge.resource import rubric_names
from judge.rubric import load_rubric

WEIGHED = """\
name: weighed
version: "2.1"
description: "Two words \\u001b[31mred"
axes:
  seen: {kind: checklist, description: What is seen., importance: {default: 1, core: 2.5, minor: 0}}
  known: {kind: checklist, description: What is known.}
"""


def show(*words: str) -> Result:
    return CliRunner().invoke(cli, ["rubric", "show", *words], catch_exceptions=False, env={"COLUMNS": "80"})


@pytest.fixture
def weighed(tmp_path: Path) -> str:
    path = tmp_path / "weighed.yaml"
    path.write_text(WEIGHED, encoding="utf-8")
    return str(path)


def test_everything_that_it_says_is_shown() -> None:
    rubric = load_rubric("pkr")
    done = show("pkr")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"pkr {rubric.version}  fingerprint {rubric.fingerprint}\n")
    shown = " ".join(done.stdout.split())
    assert rubric.description in shown
    assert " ".join(rubric.guidelines.split()) in shown
    for name, axis in rubric.axes.items():
        assert f"{name} {axis.kind} " in shown
        assert all(word in done.stdout for word in axis.description.split())


def test_weights_are_shown_as_they_are_written(weighed: str) -> None:
    done = show(weighed)
    assert "default 1, core 2.5, minor 0" in " ".join(done.stdout.split())
    assert "1 each" in done.stdout
    assert "guidelines" not in done.stdout  # it has none


CRITERIA = """\
name: safe
version: "1"
description: d
axes:
  safety:
    kind: criteria
    description: What keeps a patient from harm.
    importance: {must: 3, default: 1}
    criteria:
      - {id: c1, text: Says when to call., importance: must, gate: true}
      - {id: c2, text: Stops a drug., polarity: negative, points: -2.5}
"""


def test_criteria_are_shown_with_what_they_are_worth(tmp_path: Path) -> None:
    path = tmp_path / "safe.yaml"
    path.write_text(CRITERIA, encoding="utf-8")
    lines = [line.split() for line in show(str(path)).stdout.splitlines()]
    assert ["safety.scoring:", "weighted"] in lines and ["safety.cannot_assess:", "unjudged"] in lines
    assert ["c1", "+3", "Says", "when", "to", "call.", "(gate)"] in lines
    assert ["c2", "-2.5", "Stops", "a", "drug.", "(bad)"] in lines
    told = json.loads(show(str(path), "--json").stdout)["axes"]["safety"]
    assert [one["id"] for one in told["criteria"]] == ["c1", "c2"] and told["scoring"] == "weighted"


TREE = """\
name: paper
version: "1"
description: d
axes:
  paper:
    kind: criteria
    scoring: tree
    description: d
    criteria:
      - id: data
        text: The data are ready.
        points: 2.5
        children:
          - {id: split, text: Names the test part., gate: true}
          - {id: leak, text: Tunes on it., polarity: negative, points: 3}
      - {id: honest, text: Says what fails.}
"""


def test_children_stand_under_their_parent_with_what_they_weigh(tmp_path: Path) -> None:
    path = tmp_path / "paper.yaml"
    path.write_text(TREE, encoding="utf-8")
    lines = show(str(path)).stdout.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("data "))
    assert [line.rstrip() for line in lines[first : first + 4]] == [
        "data            2.5     The data are ready.",
        "  split         1       Names the test part. (gate)",
        "  leak          3       Tunes on it. (bad)",
        "honest          1       Says what fails.",
    ]


def test_a_text_cannot_forge_what_is_shown(weighed: str) -> None:
    assert "\x1b" not in show(weighed).stdout
    assert "Two words \N{REPLACEMENT CHARACTER}[31mred" in show(weighed).stdout


def test_in_a_pipe_it_fits_eighty_columns() -> None:
    command = [sys.executable, "-m", "judge", "rubric", "show", "pkr"]
    env = {name: value for name, value in environment().items() if name != "COLUMNS"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    assert "\x1b" not in done.stdout and "pkr" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_as_json_for_programs(weighed: str) -> None:
    told = json.loads(show(weighed, "--json").stdout)
    assert list(told) == ["schema", "name", "version", "fingerprint", "description", "axes", "file", "guidelines"]
    assert (told["schema"], told["name"], told["version"], told["file"]) == (
        *("judge.rubric.show/1", "weighed", "2.1"),
        weighed,
    )
    assert told["fingerprint"] == load_rubric(weighed).fingerprint
    assert told["axes"]["seen"] == {
        "kind": "checklist",
        "description": "What is seen.",
        "importance": {"default": 1.0, "core": 2.5, "minor": 0.0},
        "view": None,
    }


def test_without_a_name_those_built_in_are_listed() -> None:
    told = json.loads(show("--json").stdout)
    assert told["schema"] == "judge.rubric.list/1"
    assert [rubric["name"] for rubric in told["rubrics"]] == rubric_names() and "pkr" in rubric_names()
    # A line each, however narrow the terminal is.
    lines = [line.split(maxsplit=2) for line in show().stdout.splitlines()]
    assert lines == [[rubric[name] for name in ("name", "version", "description")] for rubric in told["rubrics"]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pkx", "no built-in rubric is called 'pkx'; there are: "),
        ("gone.yaml", "gone.yaml: cannot be read: "),
    ],
)
def test_what_is_not_there_is_told(name: str, said: str) -> None:
    done = show(name)
    assert done.exit_code == 2 and done.stdout == ""
    assert said in done.stderr


def test_a_wrong_file_is_told_where(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(WEIGHED.replace("known:", "Known:"), encoding="utf-8")
    done = show(str(path))
    assert done.exit_code == 2
    assert f"{path}:5:3: axes: the axis name 'Known' must be lower-case" in done.stderr


def test_what_other_kinds_say_is_shown_below_the_table() -> None:
    levels = [{"level": 1, "anchor": "poor"}, {"level": 5, "anchor": "good"}]
    scale = {"kind": "scale", "description": "d", "levels": levels, "view": ["image", "trace"]}
    assert list(axis_details("seen", Scale.model_validate(scale))) == [
        *("seen.view: image, trace", "seen.level 1: poor", "seen.level 5: good"),
    ]
    assert list(axis_details("seen", Checklist(kind="checklist", description="d", importance={"default": 1.0}))) == []
