"""What the tests of the linter share: a rubric with nothing wrong in it, and what is found in a changed one."""

from __future__ import annotations

from pathlib import Path

from judge.lint.finding import Finding
from judge.lint.rubric_file import lint_rubric

GOOD = """\
name: triage
version: "1"
description: How a trace triages.
guidelines: Judge what is written.
axes:
  flags:
    kind: criteria
    description: Red flags.
    scoring: weighted
    criteria:
      - id: fever
        text: Names the fever.
        polarity: positive
        points: 5
      - id: drug
        text: Recommends aspirin to a child.
        polarity: negative
        points: -4
  seen:
    kind: checklist
    description: What is seen.
    importance: {default: 1, core: 2}
"""
CHECKLIST = GOOD[: GOOD.index("  flags:")] + GOOD[GOOD.index("  seen:") :]
"""The same without its first axis; `seen` stands in line 6."""


def changed(old: str, new: str, *, text: str = GOOD) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def lint_text(text: str, folder: Path) -> list[Finding]:
    file = folder / "r.yaml"
    file.write_text(text, encoding="utf-8")
    return lint_rubric(str(file))


def places(findings: list[Finding]) -> set[tuple[str, str]]:
    """Rule and `line:column` of each."""
    return {(finding.rule, f"{finding.line}:{finding.column}") for finding in findings}


def rules(findings: list[Finding]) -> set[str]:
    """Without `format`: which kinds a rubric may have is not what the other rules are about."""
    return {finding.rule for finding in findings} - {"format"}
