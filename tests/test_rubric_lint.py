"""`judge rubric lint` on the command line: its lines, its JSON, its exit codes; and that every rule has its page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from lint_kit import CHECKLIST, changed

from judge.cli import cli
from judge.lint.records import RecordsLint
from judge.lint.rubric_file import lint_rubric
from judge.lint.rule import RULES

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(CHECKLIST)
    (tmp_path / "bad.yaml").write_text(changed("core: 2", "core: -2", text=CHECKLIST))
    (tmp_path / "warned.yaml").write_text(changed("What is seen.", "'{# seen #}'", text=CHECKLIST))
    row = {"units": {"seen": [{"unit_id": "P1", "claim": "The base is in adequate contrast."}]}}
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def lint(*words):
    done = CliRunner().invoke(cli, ["rubric", "lint", *words], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


WARNED = (
    "warned.yaml:8:19: warning template-text: this is written as a template, and is shown to the judge as it is; "
    "write what the judge is to read; it may be a field of the record, which the judge sees anyway\n"
)


def test_nothing_is_found(folder):
    assert lint("good.yaml") == (0, "nothing found in 1 rubric\n", "")
    assert lint("pkr", "good.yaml") == (0, "nothing found in 2 rubrics\n", "")


def test_an_error_fails(folder):
    code, out, err = lint("bad.yaml")
    assert (code, err) == (1, "")
    assert out == (
        "bad.yaml:9:36: error weight-value: the weight of 'core' is -2, which is no weight; "
        "give a finite number of at least 0\n"
        "1 error and 0 warnings in 1 rubric; each rule is explained in docs/rules.md\n"
    )


def test_a_warning_fails_when_strict(folder):
    said = f"{WARNED}0 errors and 1 warning in 1 rubric; each rule is explained in docs/rules.md\n"
    assert lint("warned.yaml") == (0, said, "")
    assert lint("warned.yaml", "--strict") == (1, said, "")
    assert lint("warned.yaml", "--strict", "--ignore", "template-text") == (0, "nothing found in 1 rubric\n", "")


def test_units_of_records(folder):
    code, out, _ = lint("good.yaml", "--records", "t.jsonl")
    column = (folder / "t.jsonl").read_text().index("adequate") + 1
    assert code == 0
    assert out.startswith(f"t.jsonl:1:{column}: warning vague-word: unit P1: 'adequate' is vague; ")
    assert out.endswith(
        "0 errors and 1 warning in 1 rubric, 1 record and 1 unit; each rule is explained in docs/rules.md\n"
    )
    command = [sys.executable, "-m", "judge", "rubric", "lint", "good.yaml", "--records", "-"]
    done = subprocess.run(command, input=(folder / "t.jsonl").read_bytes(), capture_output=True, check=True)
    assert done.stdout.decode().startswith(f"-:1:{column}: warning vague-word")
    code, out, _ = lint("pkr", "--records", "t.jsonl")
    assert (code, out.count("\n")) == (1, 2)
    assert "t.jsonl:1:1: error record: units.seen is not an axis of the rubric 'pkr'" in out


def test_records_are_not_held_against_a_broken_rubric(folder):
    code, out, _ = lint("bad.yaml", "--records", "t.jsonl")
    assert (code, re.findall(r" (?:error|warning) (\S+):", out)) == (1, ["weight-value", "vague-word"])


def test_json(folder):
    code, out, _ = lint("bad.yaml", "warned.yaml", "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["errors"], told["warnings"]) == (1, "judge.lint/1", 1, 1)
    assert told["findings"][0] == {
        "file": "bad.yaml",
        "line": 9,
        "column": 36,
        "rule": "weight-value",
        "what": "the weight of 'core' is -2, which is no weight",
        "to_do": "give a finite number of at least 0",
        "severity": "error",
        "page": "docs/rules.md#weight-value",
    }
    assert json.loads(lint("good.yaml", "--json")[1]) == {
        "schema": "judge.lint/1",
        "errors": 0,
        "warnings": 0,
        "findings": [],
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nope"], "no built-in rubric is called 'nope'"),
        (["nope.yaml"], "nope.yaml: cannot be read"),
        (["good.yaml", "--ignore", "vague"], "--ignore 'vague' is no rule of warnings; they are: template-text, "),
        (["good.yaml", "--ignore", "yaml-alias"], "--ignore 'yaml-alias' is no rule of warnings"),
        (["good.yaml", "--records", "empty.zip"], "ZIP"),
        (["good.yaml", "--records", "none.jsonl"], "does not exist"),
        ([], "Missing argument 'RUBRIC...'"),
    ],
)
def test_bad_usage(words, says, folder):
    (folder / "empty.zip").write_bytes(b"PK\x03\x04")
    code, out, err = lint(*words)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())


def test_what_is_shown_cannot_forge_a_line(folder):
    (folder / "bad.yaml").write_text(CHECKLIST + '"\\e[2J": 1\n')
    code, out, _ = lint("bad.yaml")
    assert code == 1
    assert "\x1b" not in out


def test_help_lists_the_command_and_its_codes():
    done = CliRunner().invoke(cli, ["rubric", "--help"])
    assert "lint" in done.output
    assert "docs/rules.md" in CliRunner().invoke(cli, ["rubric", "lint", "--help"]).output


def test_the_output_that_the_guide_shows(folder):
    page = (ROOT / "docs" / "rubrics.md").read_text(encoding="utf-8").partition("## Lint it\n")[2]
    (folder / "fever.yaml").write_text(re.search(r"```yaml fever.yaml\n(.*?)```", page, re.DOTALL)[1])
    command, _, shown = re.search(r"```console\n\$ (.*?)```", page, re.DOTALL)[1].partition("\n")
    code, out, _ = lint(*command.split()[3:])
    assert (code, command) == (1, "judge rubric lint fever.yaml")
    # Which kinds there are is not lint's to say.
    told = [line for line in out.splitlines() if " error format: " not in line]
    assert told[:-1] == shown.splitlines()[:-1]
    assert set(re.findall(r" error ([a-z-]+):", shown)) == {"yaml-value", "sign-polarity", "duplicate-id"}


def test_every_rule_has_its_page_and_its_severity_there():
    headed = re.findall(r"^## ([a-z-]+)\n\n(Error|Warning)[.,]", PAGES, re.MULTILINE)
    assert [(rule, severity.lower()) for rule, severity in headed] == list(RULES.items())


def examples():
    """Rule, whether it is the bad one, language, text."""
    for page in re.split(r"^## ", PAGES, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^(Bad|Good):\n\n```(yaml|json)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        rule = page.split("\n", maxsplit=1)[0]
        assert [name for name, _, _ in blocks] == ["Bad", "Good"], rule
        yield from ((rule, name == "Bad", language, text) for name, language, text in blocks)


@pytest.mark.parametrize(("rule", "bad", "language", "text"), list(examples()), ids=lambda given: str(given)[:20])
def test_the_examples_of_a_page_are_what_it_says(rule, bad, language, text, tmp_path):
    file = tmp_path / f"r.{language}"
    file.write_text(text if language == "yaml" else json.dumps(json.loads(text)), encoding="utf-8")
    findings = lint_rubric(str(file)) if language == "yaml" else RecordsLint(str(file), ()).findings()
    assert (rule in {finding.rule for finding in findings}) is bad
