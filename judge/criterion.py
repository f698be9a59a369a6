"""One statement about a trace, alone or as a part of a tree, and the values that YAML gives for it.

{id: c1, text: Says when to seek help., points: 5, polarity: positive}
{id: data, text: The data are made ready., children: [{id: source, text: Names the source.}, …]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SkipValidation

from judge.misfit import MisfitError
from judge.record import Polarity, Unit

__all__ = [
    "MAX_DEPTH",
    "RAR_WEIGHTS",
    "Criterion",
    "Leaf",
    "Meta",
    "Scoring",
    "Weights",
    "as_number",
    "as_tuple",
    "each_criterion",
    "each_family",
    "misfit_of",
    "polarity_of",
    "refuse_depth",
]

Scoring: TypeAlias = Literal["weighted", "healthbench", "rar_explicit", "rar_implicit", "tree"]
MAX_DEPTH: Final = 32
"""Levels of a tree. Published ones have fewer than ten; what walks a tree calls itself for each."""
RAR_WEIGHTS: Final[Mapping[str, float]] = {"Essential": 1.0, "Important": 0.7, "Optional": 0.3, "Pitfall": 0.9}
"""Rubrics as Rewards, arXiv 2507.17746."""


Meta: TypeAlias = dict[str, SkipValidation[JsonValue]]
"""What people and other tools keep beside it. No judge sees it and no fingerprint counts it, so it is in no dump."""


def as_number(value: Any) -> Any:
    """YAML's whole numbers are numbers."""
    return float(value) if type(value) is int else value


def as_tuple(value: Any) -> Any:
    """YAML's lists do not change."""
    return tuple(value) if isinstance(value, list) else value


def _checked_weights(value: dict[str, float]) -> dict[str, float]:
    for name, weight in value.items():
        if not math.isfinite(weight) or weight < 0:
            raise MisfitError(
                f"the weight of {name!r} is {weight}; it must be finite and at least 0",
                "Write a number such as 2 or 0.5.",
            )
    return value


Weights: TypeAlias = Annotated[
    dict[str, Annotated[float, BeforeValidator(as_number)]], AfterValidator(_checked_weights)
]


class Criterion(BaseModel):
    """One statement about a trace that holds or does not.

    Attributes:
        id: Unique in its axis.
        text: The statement, shown to the judge.
        polarity: `positive`: that it holds is good. `negative`: that it holds is bad. Where none is given, the sign of
            the points says so.
        points: What it is worth where it holds, finite; its importance says so where there are none.
        importance: A name that the axis gives a weight to.
        gate: If its good side does not hold, the axis scores 0 at most; in a tree, its parent.
        meta: What is kept beside it, such as tags of another tool.
        children: Of a tree: what it is made of. It is not asked itself then, and scores what they do.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    polarity: Polarity | None = None
    points: Annotated[float, Field(allow_inf_nan=False), BeforeValidator(as_number)] | None = None
    importance: str | None = None
    gate: bool = False
    meta: Meta = Field(default_factory=dict, exclude=True, repr=False)
    children: Annotated[tuple[Criterion, ...], BeforeValidator(as_tuple)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """Where a leaf stands in its tree.

    Attributes:
        share: What it counts at the root, in [0, 1]: the product of w / Σ w of its siblings on the way.
        within: The texts of what it is a part of, from the root.
    """

    share: float
    within: tuple[str, ...]


def each_criterion(criteria: Sequence[Criterion]) -> Iterator[Criterion]:
    """All of a tree in the order of the file, parents before their children."""
    for criterion in criteria:
        yield criterion
        yield from each_criterion(criterion.children)


def each_family(criteria: Sequence[Criterion]) -> Iterator[tuple[Criterion | None, Sequence[Criterion]]]:
    """Criteria side by side, with their parent: first the roots, which have none."""
    yield None, criteria
    yield from ((one, one.children) for one in each_criterion(criteria) if one.children)


def refuse_depth(value: Any) -> Any:
    """Looks at what is not read yet, and goes by levels: what reads it calls itself for each."""
    level, depth = as_tuple(value), 0
    while isinstance(level, tuple) and level:
        depth += 1
        if depth > MAX_DEPTH:
            raise MisfitError(f"the tree has more than {MAX_DEPTH} levels", "Join some of them.")
        level = tuple(child for one in level for child in _children(one))
    return value


def _children(one: Any) -> Sequence[Any]:
    given = one.get("children") if isinstance(one, dict) else getattr(one, "children", ())
    return given if isinstance(given, list | tuple) else ()


def polarity_of(criterion: Criterion | Unit) -> Polarity:
    """As it is stated, or else as its points have it."""
    return criterion.polarity or ("negative" if (criterion.points or 0) < 0 else "positive")


def misfit_of(criterion: Criterion, scoring: Scoring) -> tuple[str, str] | None:
    """Why a criterion cannot be scored so, and what to do; None where it can."""
    if criterion.children and scoring != "tree":
        return (
            f"has children, and `scoring: {scoring}` has no use for them",
            "Write `scoring: tree`, or leave them away.",
        )
    if criterion.children and criterion.gate:
        return "is a gate and has children; a gate is asked, so it has none", "Make one of its children the gate."
    if criterion.children and criterion.polarity == "negative":
        return "has children and `polarity: negative`", "Write it with those without children, which are asked."
    if scoring == "tree" and (criterion.points or 0) < 0:
        problem = f"has {criterion.points:g} points; in a tree, points are a weight of at least 0"
        return problem, "Write them without the sign; what is bad has `polarity: negative`."
    if scoring == "rar_implicit" and criterion.gate:
        return "is a gate, and `scoring: rar_implicit` asks about no criterion alone", "Leave `gate` away."
    return None
