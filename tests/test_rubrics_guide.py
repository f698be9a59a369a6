"""The guide for authors: its `console` blocks are run, and print what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guide_kit import ROOT, blocks, check

GUIDE = (ROOT / "docs" / "rubrics.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:json|yaml|toml) (\S+)\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE))
BLOCKS = blocks(GUIDE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader works, with the files that the guide shows."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


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
    for block in BLOCKS:
        check(block, folder)
