"""What clients are answered: the OpenAPI schema."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Comparisons", "Error", "OpenRLHFRewards", "Rewards", "Scores", "State"]

_QUEUE_FULL: Final[Any] = {"error": {"code": "queue_full", "message": "…", "hint": "…"}}


class _Part(BaseModel):
    code: str
    message: str
    hint: str


class Error(BaseModel):
    """Why a request was not answered as it was meant."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [_QUEUE_FULL]})

    error: _Part


class _AxisScore(BaseModel):
    grounding: float | None
    correctness: float | None
    score: float | None
    coverage: float | None
    score_low: float | None
    score_high: float | None
    score_sd: float | None
    contradicted: float | None


class _Failure(BaseModel):
    stage: str
    error: str = Field(description="A short stable word.")
    message: str | None = Field(description="Of what the client sent only; null for what happened behind.")
    axis: str | None
    unit_ids: list[str]


class _Score(BaseModel):
    record_id: str | None
    record_key: str | None
    model: str | None
    trace_grounding: float | None
    trace_correctness: float | None
    trace_score: float | None
    axes: dict[str, _AxisScore]
    answer: str | None
    answer_correct: bool | None
    units_asked: int
    units_judged: int
    failure: str | None = Field(description="Why there is no trace_score; null where there is one.")
    failures: list[_Failure]
    verdicts: list[dict[str, Any]] | None = None


class Scores(BaseModel):
    """One score for each record, in their order."""

    judge: str
    rubric: str
    scores: list[_Score]


class _Preference(BaseModel):
    axis: str = Field(description="Of the rubric, or `overall`.")
    order_ab: Literal["A", "B", "tie"] | None = Field(description="What was said with `a` first; A is always `a`.")
    order_ba: Literal["A", "B", "tie"] | None = Field(description="What was said with `b` first, in the same letters.")
    outcome: Literal["A", "B", "tie", "inconsistent"] | None = Field(description="Null with a `failure`.")
    reason: str | None
    reason_ba: str | None
    evidence_ab: str | None = Field(description="A passage of the trace that was called better.")
    evidence_ab_found: str | None = Field(description="How it was found there: exact, normalised, near, no.")
    evidence_ba: str | None
    evidence_ba_found: str | None
    failure: str | None = Field(description="Why there is no outcome, as a short stable word.")


class _PairFailure(BaseModel):
    stage: str
    error: str = Field(description="A short stable word.")
    message: str | None = Field(description="Of what the client sent only; null for what happened behind.")
    axis: str | None
    order: Literal["ab", "ba"] | None = Field(description="Where one order only has failed.")
    record: Literal["a", "b"] | None = Field(description="Where one of the two records is none.")


class _Comparison(BaseModel):
    record_id: str | None
    model_a: str | None
    model_b: str | None
    preferences: list[_Preference] = Field(description="One for each axis.")
    failure: str | None = Field(description="Why an axis has no outcome; null where each has one.")
    failures: list[_PairFailure]


class Comparisons(BaseModel):
    """One comparison for each pair, in their order."""

    judge: str
    rubric: str
    comparisons: list[_Comparison]


class Rewards(BaseModel):
    """One reward for each record, in their order."""

    judge: str
    rubric: str
    rewards: list[float | None] = Field(description="What the trainer gets; null where it is to leave one out.")
    statuses: list[Literal["ok", "gated", "failed"]]
    reasons: list[str | None]
    contributions: list[dict[str, float]] = Field(description="They add up to a reward that did not fail.")
    scores: list[dict[str, float | None]] = Field(description="Of each axis.")
    metrics: dict[str, float] = Field(description="Of the batch; always the same names.")


class OpenRLHFRewards(BaseModel):
    """What OpenRLHF reads."""

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float]]


class State(BaseModel):
    """Whether the service is well."""

    status: str
