"""What the tests of rewards share: completions with their units, and rewards and outcomes made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judge.outcome import Failure, Outcome
from judge.record import build_record
from judge.reward import Reward
from judge.rubric import load_rubric
from judge.score import score_trace
from judge.verdict import Verdict

AXES = load_rubric("pkr").scored
UNITS = {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}
RIGHT = "Film {}: a fracture in the left wrist."
"""Of a number, so that no two are equal; judged 1."""
WRONG = "Film {}: the lungs are clear."
"""Judged 0."""


def row(trace: str, **more: Any) -> dict[str, Any]:
    return {"question": "What does the film show?", "units": UNITS, "trace": trace, **more}


def unit(axis: str, presence: int | None, correctness: int | None = None, **more: Any) -> Verdict:
    """A verdict; without a presence it is a failed one."""
    failure = "off_menu" if presence is None else None
    named = {"axis": axis, "unit_id": f"{axis}-1", "claim": "c", "importance": None, "weight": 1.0}
    return Verdict(**{**named, "presence": presence, "correctness": correctness, "failure": failure, **more})


def outcome(*verdicts: Verdict, axes: Mapping[str, Any] = AXES, **fields: Any) -> Outcome:
    """Of a record with this judgement."""
    record = build_record({"id": "r1", "trace": "A trace.", **fields})
    failures = [
        Failure(line=0, record_id="r1", stage="reply", error=one.failure, message="It cannot be used.")
        for one in verdicts
        if one.failure
    ]
    return Outcome(
        line=0, record=record, scores=score_trace(verdicts, axes=axes), verdicts=verdicts, failures=(*failures,)
    )


def scored(perception: float, knowledge: float) -> Outcome:
    """With these scores of two axes."""
    soft = {"p_correct": 1.0}
    return outcome(
        unit("perception", 2, 1, p_present=perception, **soft), unit("knowledge", 2, 1, p_present=knowledge, **soft)
    )


def rewards(*values: float | None, why: str = "timeout") -> list[Reward]:
    """Rewards with these values; None is a failure."""
    return [
        Reward(value=None, contributions={}, scores={}, status="failed", why=why, message=f"Why: {why}.")
        if value is None
        else Reward(value=value, contributions={}, scores={}, status="ok")
        for value in values
    ]


def at(groups: str | Sequence[Any]) -> list[Any]:
    """`aabb`: two groups of two."""
    return list(groups)
