"""What a rubric scores: axes, each of one kind, and what their units and criteria are worth.

perception: {kind: checklist, description: What is seen., importance: {default: 1, core: 2}}
safety:     {kind: criteria, description: …, criteria: [{id: c1, text: Says when to seek help., points: 5}]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from judge.record import Polarity, Unit
from judge.view import View

__all__ = [
    "Axis",
    "Checklist",
    "Criteria",
    "Criterion",
    "Faithfulness",
    "Kind",
    "Level",
    "Preference",
    "Scale",
    "ScoredAxis",
    "Scoring",
    "polarity_of",
]

Kind: TypeAlias = Literal["checklist", "criteria", "scale", "faithfulness", "preference"]
Scoring: TypeAlias = Literal["weighted", "healthbench", "rar_explicit"]
RAR_WEIGHTS: Final[Mapping[str, float]] = {"Essential": 1.0, "Important": 0.7, "Optional": 0.3, "Pitfall": 0.9}
"""Rubrics as Rewards, arXiv 2507.17746."""


def as_number(value: Any) -> Any:
    """YAML's whole numbers are numbers."""
    return float(value) if type(value) is int else value


def as_tuple(value: Any) -> Any:
    """YAML's lists do not change."""
    return tuple(value) if isinstance(value, list) else value


def _checked_weights(value: dict[str, float]) -> dict[str, float]:
    for name, weight in value.items():
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"the weight of {name!r} is {weight}; it must be finite and at least 0")
    return value


Weights: TypeAlias = Annotated[
    dict[str, Annotated[float, BeforeValidator(as_number)]], AfterValidator(_checked_weights)
]


class _Axis(BaseModel):
    """One capability that is scored on its own.

    Attributes:
        description: What the axis is about; shown to the judge.
        view: What the judge sees of a record for this axis; everything where none is given.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    description: str = Field(min_length=1)
    view: Annotated[View, BeforeValidator(as_tuple)] = None


class Checklist(_Axis):
    """Units of the record, each raised or not, and right or wrong.

    Attributes:
        importance: Weight (finite, at least 0) per importance name, with a `default` for units without one.
            None gives every unit weight 1, whatever its importance is called.
    """

    kind: Literal["checklist"]
    importance: Weights | None = None

    @field_validator("importance")
    @classmethod
    def _has_a_default(cls, value: Weights | None) -> Weights | None:
        if value is not None and "default" not in value:
            raise ValueError("the weight `default` is missing; units without an importance get it")
        return value

    @property
    def weights(self) -> Mapping[str, float]:
        """Importance name -> weight."""
        return self.importance or {}

    def weight(self, importance: str | None) -> float:
        """Weight of a unit, at least 0.

        Raises:
            KeyError: The rubric does not list this importance.
        """
        if self.importance is None:
            return 1.0
        return self.importance["default" if importance is None else importance]


class Criterion(BaseModel):
    """One statement about a trace that holds or does not.

    Attributes:
        id: Unique in its axis.
        text: The statement, shown to the judge.
        polarity: `positive`: that it holds is good. `negative`: that it holds is bad. Where none is given, the sign of
            the points says so.
        points: What it is worth where it holds, finite; its importance says so where there are none.
        importance: A name that the axis gives a weight to.
        gate: If its good side does not hold, the axis scores 0 at most.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    polarity: Polarity | None = None
    points: Annotated[float, Field(allow_inf_nan=False), BeforeValidator(as_number)] | None = None
    importance: str | None = None
    gate: bool = False


def polarity_of(criterion: Criterion | Unit) -> Polarity:
    """As it is stated, or else as its points have it."""
    return criterion.polarity or ("negative" if (criterion.points or 0) < 0 else "positive")


class Criteria(_Axis):
    """Statements about a trace: the rubric's own, or those that a record has for this axis.

    Attributes:
        scoring: How verdicts become a score; see `criteria.py`.
        importance: Weight (finite, at least 0) per importance name. `rar_explicit` has its own where none is given.
        cannot_assess: What a criterion is that the judge cannot assess: not judged, or as if it did not hold.
        criteria: Empty where records bring theirs, as HealthBench's do.
    """

    kind: Literal["criteria"]
    scoring: Scoring = "weighted"
    importance: Weights | None = None
    cannot_assess: Literal["unjudged", "unmet"] = "unjudged"
    criteria: Annotated[tuple[Criterion, ...], BeforeValidator(as_tuple)] = ()

    @field_validator("criteria")
    @classmethod
    def _ids_are_unique(cls, value: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        seen: set[str] = set()
        for criterion in value:
            if criterion.id in seen:
                raise ValueError(f"two criteria have the id {criterion.id!r}; ids must be unique")
            seen.add(criterion.id)
        return value

    @model_validator(mode="after")
    def _can_score(self) -> Criteria:
        worth = []
        for criterion in self.criteria:
            try:
                worth.append(self.points(criterion.points, criterion.importance, polarity_of(criterion)))
            except KeyError:
                named = ", ".join(self.weights) or "none"
                message = f"the importance of {criterion.id!r} is {criterion.importance!r}; the axis lists: {named}"
                raise ValueError(message) from None
        if worth and not any(worth):
            raise ValueError("all criteria are worth 0 points, so there is nothing to score")
        return self

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The criteria as what is asked of every record."""
        named = ((one.id, one.text, one.model_dump(exclude={"id", "text"})) for one in self.criteria)
        return tuple(Unit(unit_id=name, claim=text, **rest) for name, text, rest in named)

    @property
    def weights(self) -> Mapping[str, float]:
        """Importance name -> weight."""
        if self.importance is None and self.scoring == "rar_explicit":
            return RAR_WEIGHTS
        return self.importance or {}

    def points(self, points: float | None, importance: str | None, polarity: Polarity) -> float:
        """What a criterion is worth where it holds: its points, or else the weight of its importance, or 1.

        A weight counts against the trace where the polarity is negative; points are taken as they were written.

        Raises:
            KeyError: The axis does not list this importance.
        """
        if points is not None:
            return points
        weight = 1.0 if importance is None and "default" not in self.weights else self.weights[importance or "default"]
        return weight if polarity == "positive" else -weight


class Level(BaseModel):
    """A step of a scale, and what a trace is like there; shown to the judge."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    level: int = Field(ge=-1000, le=1000)
    anchor: str = Field(min_length=1)


class Scale(_Axis):
    """Levels, each with a written anchor, of which the judge chooses one: (v - min) / (max - min).

    Attributes:
        levels: At least two, ascending.
    """

    kind: Literal["scale"]
    levels: Annotated[tuple[Level, ...], BeforeValidator(as_tuple)] = Field(min_length=2)

    @field_validator("levels")
    @classmethod
    def _ascend(cls, value: tuple[Level, ...]) -> tuple[Level, ...]:
        for lower, higher in pairwise(value):
            if lower.level >= higher.level:
                raise ValueError(f"level {higher.level} follows level {lower.level}; levels must ascend")
        return value

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The one thing that is asked of every record."""
        return (Unit(unit_id="level", claim=self.description),)

    @property
    def weights(self) -> Mapping[str, float]:
        """None: there is one thing to weigh."""
        return {}

    @cached_property
    def anchors(self) -> dict[int, str]:
        """Level -> what a trace is like there, from the lowest."""
        return {one.level: one.anchor for one in self.levels}

    def share(self, level: float) -> float:
        """A level as a number in [0, 1]."""
        lowest, highest = self.levels[0].level, self.levels[-1].level
        return (level - lowest) / (highest - lowest)


class Faithfulness(_Axis):
    """What the trace claims, and whether what the view shows supports it: precision, where a checklist is recall.

    Of several such axes with one view, every claim belongs to one: the one that its description fits.
    """

    kind: Literal["faithfulness"]

    @property
    def units(self) -> tuple[Unit, ...]:
        """What is asked at first: the claims. They are the trace's own, so no record has them."""
        return (Unit(unit_id="claims", claim=self.description),)

    @property
    def weights(self) -> Mapping[str, float]:
        """None: every claim weighs the same."""
        return {}


class Preference(_Axis):
    """Which of two traces is better; a score of one trace has nothing of it."""

    kind: Literal["preference"]


ScoredAxis: TypeAlias = Checklist | Criteria | Scale | Faithfulness
"""What one trace has a score on."""
Axis: TypeAlias = Annotated[ScoredAxis | Preference, Field(discriminator="kind")]
