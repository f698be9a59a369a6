"""What a rubric scores: axes, each of one kind, and what their units and criteria are worth.

perception: {kind: checklist, description: What is seen., importance: {default: 1, core: 2}}
safety:     {kind: criteria, description: …, criteria: [{id: c1, text: Says when to seek help., points: 5}]}

With `scoring: tree` a criterion may have children in place of being asked itself:

- {id: method, text: The method is reproduced., children: [{id: data, text: The data are loaded., points: 2}, …]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from judge.criterion import (
    RAR_WEIGHTS,
    Criterion,
    Leaf,
    Scoring,
    Weights,
    as_tuple,
    each_criterion,
    each_family,
    misfit_of,
    polarity_of,
    refuse_depth,
)
from judge.misfit import MisfitError
from judge.record import Polarity, Unit
from judge.view import View

__all__ = [
    "RATINGS",
    "AskedKind",
    "Axis",
    "Checklist",
    "Criteria",
    "Faithfulness",
    "Kind",
    "Level",
    "Preference",
    "Scale",
    "ScoredAxis",
    "asked_kind",
    "form_of",
    "takes_units",
]

Kind: TypeAlias = Literal["checklist", "criteria", "scale", "faithfulness", "preference"]
AskedKind: TypeAlias = Kind | Literal["rating"]
"""Of what is asked: the kind of its axis, but `rating` where all criteria of an axis are one question."""
RATINGS: Final = range(1, 11)
"""What a judge may give for all criteria together, with `rar_implicit`."""


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
            raise MisfitError(
                "the weight `default` is missing; units without an importance get it", "Add `default: 1`."
            )
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


class Criteria(_Axis):
    """Statements about a trace: the rubric's own, or those that a record has for this axis.

    Attributes:
        scoring: How verdicts become a score; see `criteria.py`.
        importance: Weight (finite, at least 0) per importance name. `rar_…` have their own where none is given.
        cannot_assess: What a criterion is that the judge cannot assess: not judged, or as if it did not hold.
        criteria: Empty where records bring theirs, as HealthBench's do.
    """

    kind: Literal["criteria"]
    scoring: Scoring = "weighted"
    importance: Weights | None = None
    cannot_assess: Literal["unjudged", "unmet"] = "unjudged"
    criteria: Annotated[tuple[Criterion, ...], BeforeValidator(as_tuple), BeforeValidator(refuse_depth)] = ()

    @field_validator("criteria")
    @classmethod
    def _ids_are_unique(cls, value: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        seen: set[str] = set()
        for criterion in each_criterion(value):
            if criterion.id in seen:
                raise MisfitError(
                    f"two criteria have the id {criterion.id!r}; ids must be unique", "Rename one of them."
                )
            seen.add(criterion.id)
        return value

    @model_validator(mode="after")
    def _fits_its_scoring(self) -> Criteria:
        if self.scoring == "rar_implicit" and self.cannot_assess == "unmet":
            problem = "`cannot_assess` says nothing with `scoring: rar_implicit`, which asks for a number only"
            raise MisfitError(problem, "Leave it away.")
        for criterion in each_criterion(self.criteria):
            if misfit := misfit_of(criterion, self.scoring):
                raise MisfitError(f"{criterion.id!r} {misfit[0]}", misfit[1])
        return self

    @model_validator(mode="after")
    def _can_score(self) -> Criteria:
        if self.scoring == "tree" and not self.criteria:
            raise MisfitError("`scoring: tree` needs criteria here, as records have no trees", "Add `criteria:`.")
        for parent, siblings in each_family(self.criteria):
            worth = [self.worth(one) for one in siblings]
            if worth and not any(worth):
                named = f"all children of {parent.id!r}" if parent else "all criteria"
                problem = f"{named} are worth 0 points, so there is nothing to score"
                raise MisfitError(problem, "Give at least one of them points or an importance that weighs something.")
        return self

    def worth(self, criterion: Criterion) -> float:
        """What a criterion of the rubric is worth; see `points`.

        Raises:
            MisfitError: The axis does not list its importance.
        """
        try:
            return self.points(criterion.points, criterion.importance, polarity_of(criterion))
        except KeyError:
            named = ", ".join(self.weights) or "none"
            message = f"the importance of {criterion.id!r} is {criterion.importance!r}; the axis lists: {named}"
            raise MisfitError(message, "Add it to the axis's `importance`, with its weight.") from None

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The criteria as what is asked of every record; of a tree, its leaves."""
        asked = [one for one in each_criterion(self.criteria) if not one.children]
        named = ((one.id, one.text, one.model_dump(exclude={"id", "text", "children"})) for one in asked)
        return tuple(Unit(unit_id=name, claim=text, **rest) for name, text, rest in named)

    @cached_property
    def leaves(self) -> Mapping[str, Leaf]:
        """Of a tree: where each leaf stands, by its id."""
        return dict(self._leaves(self.criteria, 1.0, ()))

    def _leaves(
        self, siblings: Sequence[Criterion], share: float, within: tuple[str, ...]
    ) -> Iterator[tuple[str, Leaf]]:
        whole = sum([self.worth(one) for one in siblings])
        for one in siblings:
            part = share * self.worth(one) / whole
            if one.children:
                yield from self._leaves(one.children, part, (*within, one.text))
            else:
                yield one.id, Leaf(share=part, within=within)

    @property
    def weights(self) -> Mapping[str, float]:
        """Importance name -> weight."""
        if self.importance is None and self.scoring in ("rar_explicit", "rar_implicit"):
            return RAR_WEIGHTS
        return self.importance or {}

    def points(self, points: float | None, importance: str | None, polarity: Polarity) -> float:
        """What a criterion is worth where it holds: its points, or else the weight of its importance, or 1.

        A weight counts against the trace where the polarity is negative; points are taken as they were written. In a
        tree it is what the criterion weighs among its siblings.

        Raises:
            KeyError: The axis does not list this importance.
        """
        if points is not None:
            return points
        weight = 1.0 if importance is None and "default" not in self.weights else self.weights[importance or "default"]
        return weight if polarity == "positive" or self.scoring == "tree" else -weight


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
                problem = f"level {higher.level} follows level {lower.level}; levels must ascend"
                raise MisfitError(problem, "Write the lowest level first, and each level once.")
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
_FORMS: Final[Mapping[Kind, type[ScoredAxis | Preference]]] = {
    "checklist": Checklist,
    "criteria": Criteria,
    "scale": Scale,
    "faithfulness": Faithfulness,
    "preference": Preference,
}


def form_of(kind: Kind) -> type[ScoredAxis | Preference]:
    """The fields of an axis of this kind."""
    return _FORMS[kind]


def asked_kind(axis: Axis) -> AskedKind:
    """As what an axis is asked about."""
    return "rating" if axis.kind == "criteria" and axis.scoring == "rar_implicit" else axis.kind


def takes_units(axis: Axis) -> bool:
    """Whether records say what is asked on it."""
    return axis.kind == "checklist" or (axis.kind == "criteria" and not axis.criteria)
