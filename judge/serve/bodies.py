"""What clients send: the OpenAPI schema, with an example of each."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

__all__ = ["CompareBody", "OpenRLHFBody", "RewardBody", "ScoreBody", "SlimeBody", "VerifyBody"]

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
_PREFERRED: Final[dict[str, Any]] = {
    **{name: value for name, value in _EXAMPLE.items() if name != "units"},
    "reference": {"reasoning": "There is a fracture in the left wrist."},
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


class PairBody(BaseModel):
    """Two records of one question; what one of them leaves out, its id too, is taken from the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: _Record
    b: _Record


class CompareBody(BaseModel):
    """Pairs of records: which trace of each is better?"""

    model_config = _like({"pairs": [{"a": _PREFERRED, "b": {"trace": "There is nothing to be seen."}}]})

    pairs: list[PairBody] = Field(min_length=1)
    rubric: str | None = Field(default=None, description=_NAMES)
    judge: str | None = Field(default=None, description=_NAMES)


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
