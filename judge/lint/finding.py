"""What was found: a remark on a text, and a finding in a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from judge.lint.rule import RULES, Severity

__all__ = ["Finding", "Remark", "in_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What is wrong with a text.

    Attributes:
        rule: Its id.
        start: Of the words in question, in code points of the text.
        end: One past the last; equal to `start` where the text as a whole is meant.
        what: What was found, without a full stop.
        to_do: What to do about it.
    """

    rule: str
    what: str
    to_do: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong at one place of a file.

    Attributes:
        file: Its path as it was given.
        line: From 1.
        column: From 1, in code points.
        rule: Id, a key of `RULES` and a heading of `docs/rules.md`.
        what: What was found, without a full stop.
        to_do: What to do about it.
    """

    file: str
    line: int
    column: int
    rule: str
    what: str
    to_do: str

    @property
    def severity(self) -> Severity:
        return RULES[self.rule]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.rule}: {self.what}; {self.to_do}"


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By place in the file."""
    return sorted(findings, key=lambda finding: (finding.line, finding.column, list(RULES).index(finding.rule)))
