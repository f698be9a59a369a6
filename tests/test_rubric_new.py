"""A new rubric can be used as it is, says what to change, and replaces nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from judge import Judge
from judge.cli import cli
from judge.cli.rubric_new import _KINDS
from judge.resource import resource_path
from judge.rubric import load_rubric


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(*words: str) -> Result:
    return CliRunner().invoke(cli, ["rubric", "new", *words], catch_exceptions=False)


def test_it_can_be_used_at_once(tmp_path: Path) -> None:
    done = new("triage")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("Written to triage.yaml. ")
    rubric = load_rubric("triage.yaml")
    assert (rubric.name, rubric.version) == ("triage", "1.0")
    # The record of its comment, as a user would copy it.
    text = (tmp_path / "triage.yaml").read_text(encoding="utf-8")
    lines = [line.removeprefix("#") for line in text.splitlines()]
    begin = next(at for at, line in enumerate(lines) if '{"id": "r1"' in line)
    record = json.loads("".join(lines[begin : begin + 2]))
    run = Judge("lexical", rubric=rubric).score([{**record, "trace": "The left lower lobe is opaque."}])
    assert run.scores["findings_score"].to_list() == [1.0]
    assert run.verdicts["weight"].to_list() == [2.0]


def test_the_next_command_that_it_names_works() -> None:
    *_, command = new("triage", "--out", "rules/own").stdout.split("\n  ")
    assert command.split() == ["judge", "rubric", "show", "rules/own/triage.yaml"]
    shown = CliRunner().invoke(cli, command.split()[1:], catch_exceptions=False)
    assert shown.exit_code == 0 and shown.stdout.startswith("triage 1.0")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "triage.yaml").write_text("mine", encoding="utf-8")
    done = new("triage")
    assert done.exit_code == 2
    assert "triage.yaml is there already, and is not overwritten. Choose another NAME." in done.stderr
    assert (tmp_path / "triage.yaml").read_text(encoding="utf-8") == "mine"


# YAML would read the first six as something else than text.
@pytest.mark.parametrize("name", ["no", "null", "010", "1e3", "2024-01-01", "1.0", "a.b-c_D", "X"])
def test_every_name_that_is_taken_can_be_loaded(name: str) -> None:
    assert new(name).exit_code == 0
    assert load_rubric(f"{name}.yaml").name == name


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", ".x", "a/b", "é", "a\n", "$name", 'a"b', "{{x}}"])
def test_a_name_that_no_rubric_can_have_is_refused(name: str, tmp_path: Path) -> None:
    done = new("--", name)
    assert done.exit_code == 2
    assert f"the name is {name!r}; it must be letters, digits, dots, dashes and underscores" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_means_a_built_in_is_refused() -> None:
    done = new("pkr")
    assert done.exit_code == 2
    assert "a built-in rubric is called 'pkr', and --rubric pkr means that one. Choose another NAME." in done.stderr


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = new("triage", "--out", "file/below")
    assert done.exit_code == 2
    assert "file/below/triage.yaml cannot be written: Not a directory." in done.stderr


def test_there_is_a_template_of_every_kind_that_is_offered() -> None:
    assert "checklist" in _KINDS
    assert [path.stem for path in sorted(resource_path("rubrics", "new").iterdir())] == _KINDS
    for kind in _KINDS:
        assert new(f"of-{kind}", "--kind", kind).exit_code == 0
        axes = load_rubric(f"of-{kind}.yaml").axes.values()
        assert kind in {name for axis in axes for name in (axis.kind, getattr(axis, "scoring", None))}
    done = new("x", "--kind", "checklst")
    assert done.exit_code == 2 and "'checklst' is not" in done.stderr
