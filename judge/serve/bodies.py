"""What clients send and are answered: the OpenAPI schema, with an example of each."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

__all__ = [
    "Error",
    "OpenRLHFBody",
    "OpenRLHFRewards",
    "RewardBody",
    "Rewards",
    "ScoreBody",
    "Scores",
    "SlimeBody",
    "State",
    "VerifyBody",
]

_UNIT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["unit_id", "claim"],
    "properties": {
        "unit_id": {"type": "string", "minLength": 1},
        "claim": {"type": "string", "minLength": 1},
        "importance": {"type": ["string", "null"]},
    },
}
_UNITS: Final[dict[str, Any]] = {"type": "object", "additionalProperties": {"type": "array", "items": _UNIT}}
_RECORD: Final[dict[str, Any]] = {
    "title": "Record",
    "description": "One line of an input file. Unknown fields are kept in `meta`; images are data URLs.",
    "type": "object",
    "required": ["trace"],
    "properties": {
        "id": {"type": ["string", "integer", "null"]},
        "question": {"type": ["string", "null"]},
        "context": {"type": ["string", "null"]},
        "model": {"type": ["string", "null"]},
        "options": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "reference": {
            "type": ["object", "null"],
            "properties": {"answer": {"type": ["string", "null"]}, "reasoning": {"type": ["string", "null"]}},
        },
        "units": _UNITS,
        "trace": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
        "meta": {"type": ["object", "null"]},
    },
}
_Record: TypeAlias = Annotated[dict[str, Any], WithJsonSchema(_RECORD)]
_CLAIM: Final = {"unit_id": "P1", "claim": "The fracture is in the left wrist."}
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "r1",
    "question": "What does the X-ray show?",
    "trace": "I see a fracture in the left wrist.",
    "units": {"perception": [_CLAIM]},
}
_NAMES: Final = "Of those that the service was started with; the first where none is given."


def _like(*examples: dict[str, Any], extra: Literal["forbid", "allow"] = "forbid") -> ConfigDict:
    return ConfigDict(frozen=True, extra=extra, json_schema_extra={"examples": [*examples]})


class ScoreBody(BaseModel):
    """Records to score."""

    model_config = _like({"records": [_EXAMPLE]})

    records: list[_Record] = Field(min_length=1)
    rubric: str | None = Field(default=None, description=_NAMES)
    judge: str | None = Field(default=None, description=_NAMES)
    verdicts: bool = Field(default=False, description="Tell the verdict on each unit, with its evidence.")


class RewardBody(BaseModel):
    """Records to reward: completions of one batch."""

    model_config = _like({"records": [_EXAMPLE], "groups": [0]})

    records: list[_Record] = Field(min_length=1)
    groups: list[str | int] | None = Field(
        default=None, description="The group of each record: completions of one prompt. By their question where null."
    )
    rubric: str | None = Field(default=None, description=_NAMES)
    judge: str | None = Field(default=None, description=_NAMES)

    @model_validator(mode="after")
    def _a_group_each(self) -> RewardBody:
        if self.groups is not None and len(self.groups) != len(self.records):
            raise ValueError(f"groups has {len(self.groups)} entries, and there are {len(self.records)} records")
        return self


class OpenRLHFBody(BaseModel):
    """What OpenRLHF posts to `--reward.remote_url`."""

    model_config = _like(
        {
            "query": ["What does the X-ray show?\nI see a fracture in the left wrist.</s>"],
            "prompts": ["What does the X-ray show?\n"],
            "labels": [{"units": {"perception": [_CLAIM]}}],
        },
        extra="allow",
    )

    query: list[str] = Field(min_length=1, description="Prompt and completion together.")
    prompts: list[str]
    labels: list[Any] = Field(description="The right answer, or fields of the record, also as JSON text.")

    @model_validator(mode="after")
    def _one_each(self) -> OpenRLHFBody:
        if not len(self.query) == len(self.prompts) == len(self.labels):
            counts = f"{len(self.query)} queries, {len(self.prompts)} prompts and {len(self.labels)} labels"
            raise ValueError(f"there are {counts}; it must be one of each for each sample")
        return self


class SlimeBody(BaseModel):
    """What slime posts to `--rm-url`."""

    model_config = _like(
        {
            "prompt": "What does the X-ray show?",
            "response": "I see a fracture in the left wrist.",
            "label": {"units": {"perception": [_CLAIM]}},
        },
        extra="allow",
    )

    prompt: str | list[dict[str, Any]] | None = None
    response: str | list[dict[str, Any]]
    label: Any = None
    metadata: dict[str, Any] | None = None


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    output: list[dict[str, Any]] = Field(default_factory=list)


class _Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    input: str | list[dict[str, Any]] | None = None


class VerifyBody(BaseModel):
    """What NeMo-Gym posts to `/verify`: a line of the data set, and the response to it."""

    model_config = _like(
        {
            "responses_create_params": {"input": [{"role": "user", "content": "What does the X-ray show?"}]},
            "response": {
                "output": [
                    {
                        "type": "message",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "I see a fracture in the left wrist."}],
                    }
                ]
            },
            "units": {"perception": [_CLAIM]},
        },
        extra="allow",
    )

    responses_create_params: _Params
    response: _Response
    instance_config: dict[str, Any] | None = None


class _Part(BaseModel):
    code: str
    message: str
    hint: str


class Error(BaseModel):
    """Why a request was not answered as it was meant."""

    model_config = _like({"error": {"code": "queue_full", "message": "…", "hint": "…"}})

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
