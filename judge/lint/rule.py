"""Every rule: its id, how bad it is, what it finds. `docs/rules.md` has a page of each."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["RULES", "Severity"]

Severity = Literal["error", "warning"]

RULES: Final[dict[str, Severity]] = {
    "yaml-syntax": "error",
    "yaml-duplicate": "error",
    "yaml-alias": "error",
    "yaml-tag": "error",
    "yaml-key": "error",
    "yaml-value": "error",
    "format": "error",
    "duplicate-id": "error",
    "weight-value": "error",
    "weight-zero": "error",
    "sign-polarity": "error",
    "template-escape": "error",
    "template-variable": "error",
    "record": "error",
    "template-text": "warning",
    "compound": "warning",
    "unclear-polarity": "warning",
    "sign-wording": "warning",
    "vague-word": "warning",
    "judge-instruction": "warning",
    "pair-place": "warning",
    "answer-letter": "warning",
    "source-quote": "warning",
    "presence-claim": "warning",
}
"""An error is refused or scores wrongly; a warning makes judges disagree, or a score mean something else."""
