"""The README's commands and code are run as they are written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
JUDGE = Path(sys.executable).with_name("judge")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(tmp_path):
    """The checkout without the runs that somebody may have left there under an older judge."""
    for path in ROOT.iterdir():
        if path.name != "runs":
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def run(command, folder, **environment):
    return subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_commands_run_one_after_the_other(checkout):
    commands = [block for block in blocks("sh") if block.strip() != "make test"]  # which runs this test
    done = run("".join(commands), checkout, JUDGE_CACHE=str(checkout / "cache"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("15 records read = 15 scored + 0 failed") == 3


def test_the_two_commands_are_there():
    assert [block.strip() for block in blocks("sh")][:2] == ["make demo", "make test"]
    assert "exec make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_python_code_prints_what_it_says(capsys):
    code = "\n".join(blocks("python"))
    exec(compile(code, "README.md", "exec"), {})
    said = re.findall(r"print\(.*\)\s+# (.*)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


def test_the_table_shown_is_what_the_demo_prints(checkout):
    shown = next(block for block in blocks("text") if block.startswith("model"))
    done = run(f"{JUDGE} score examples/traces.jsonl --out runs/readme", checkout)
    for line in shown.splitlines():
        assert line.split() in [printed.split() for printed in done.stdout.splitlines()]


def test_the_rubric_shown_can_be_used(tmp_path):
    (rubric,) = blocks("yaml")
    (tmp_path / "triage.yaml").write_text(rubric, encoding="utf-8")
    unit = {"unit_id": "1", "claim": "Chest pain at rest.", "importance": "critical"}
    record = {"trace": "Chest pain at rest.", "units": {"red_flags": [unit]}}
    (tmp_path / "notes.jsonl").write_text(json.dumps(record), encoding="utf-8")
    done = run(f"{JUDGE} score notes.jsonl --rubric triage.yaml --out run", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "red_flags" in done.stdout


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()
