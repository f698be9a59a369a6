"""The guide for authors: its `console` blocks are run, and print what they show. A line `…` stands for any lines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from run_kit import environment

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "rubrics.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:json|yaml|toml) (\S+)\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE))
BLOCKS = re.findall(r"^```console\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader works, with the files that the guide shows."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a block, and the lines under it."""
    parts = re.split(r"^\$ judge (.*)$", block, flags=re.MULTILINE)[1:]
    return [(command, said.strip("\n").splitlines()) for command, said in zip(parts[::2], parts[1::2], strict=True)]


def printed(command: str, folder: Path) -> list[str]:
    env = {name: value for name, value in environment().items() if name != "COLUMNS"}
    words = [sys.executable, "-m", "judge", *command.split()]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).replace(f"{ROOT}/", "")  # as a reader in the checkout sees it
    return [line.rstrip() for line in said.rstrip("\n").splitlines()]


def pattern(shown: list[str]) -> str:
    """Of the text that may be printed; what may differ between checkouts and versions of the package, too."""
    lines = ["(?:.*\n)*?" if line == "…" else f"{re.escape(line)}\n" for line in shown]
    return re.sub(r"lexical\\#[0-9a-f]{8}", r"lexical\\#[0-9a-f]{8}", "".join(lines))


def test_the_guide_shows_something() -> None:
    shown = {
        "fever.yaml",
        "film-1.yaml",
        "film-2.yaml",
        "notes.jsonl",
        "triage.cases.jsonl",
        "grader.toml",
        "cough.jsonl",
    }
    assert len(BLOCKS) >= 4 and FILES.keys() == shown


def test_what_is_shown_is_what_is_printed(folder: Path) -> None:
    """In the order of the guide: a later command may need what an earlier one wrote."""
    for command, shown in (each for block in BLOCKS for each in commands(block)):
        said = "".join(f"{line}\n" for line in printed(command, folder))
        assert re.fullmatch(pattern(shown), said), f"judge {command} prints:\n{said}"
