"""YAML -> findings: points and weights that cannot score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from judge.lint.finding import Finding
from judge.lint.source import Field, Source
from judge.lint.statement import criteria, number, pieces

__all__ = ["check_weights", "say_sign", "sign_disagrees"]


def check_weights(source: Source, value: object) -> Iterator[Finding]:
    """All axes of a rubric."""
    for name, axis in pieces(value, "axes").items():
        field = ("axes", name)
        yield from _check_importance(source, axis, (*field, "importance"))
        scoring = pieces(axis).get("scoring")
        for place, criterion in criteria(axis, field):
            yield from _check_criterion(source, place, criterion, scoring)
            yield from _check_sum(source, pieces(criterion), (*place, "children"), "any")
        yield from _check_sum(source, pieces(axis), (*field, "criteria"), scoring)


def sign_disagrees(given: Mapping[str, Any]) -> bool:
    """Whether the points of a criterion or unit say the opposite of its polarity; without one their sign is all."""
    points, polarity = number(given.get("points")), given.get("polarity")
    if not points or polarity not in ("positive", "negative"):
        return False
    return (points > 0) is (polarity == "negative")


def say_sign(given: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with it, and what to do."""
    what = f"points {given['points']:g} and polarity {given['polarity']} contradict each other"
    return what, "negative points go with `polarity: negative`, and positive ones without it"


def _check_importance(source: Source, axis: object, field: Field) -> Iterator[Finding]:
    weights = {name: number(given) for name, given in pieces(axis, "importance").items()}
    if not isinstance(axis, dict) or not isinstance(axis.get("importance"), dict):
        return
    for name, weight in weights.items():
        if weight is not None and not (math.isfinite(weight) and weight >= 0):
            what = f"the weight of {name!r} is {weight:g}, which is no weight"
            yield source.at((*field, name), "weight-value", what, "give a finite number of at least 0")
    if weights and all(weight == 0 for weight in weights.values()):
        yield source.at(
            field, "weight-zero", "every weight is 0, so the axis has no score", "give one a weight above 0"
        )


def _check_criterion(source: Source, field: Field, criterion: Mapping[str, Any], scoring: object) -> Iterator[Finding]:
    for key in ("points", "importance"):
        weight = number(criterion.get(key))
        if weight is not None and (not math.isfinite(weight) or (key == "importance" and weight < 0)):
            what = f"{key} {weight:g} cannot be added up"
            to_do = "give a finite number" if key == "points" else "give a finite number of at least 0"
            yield source.at((*field, key), "weight-value", what, to_do)
    if scoring != "tree" and sign_disagrees(criterion):  # in a tree points are weights, and say nothing of good and bad
        yield source.at((*field, "points"), "sign-polarity", *say_sign(criterion))


def _check_sum(source: Source, parent: dict[str, Any], field: Field, scoring: object) -> Iterator[Finding]:
    """The criteria side by side whose points are added up."""
    listed = parent.get(str(field[-1]))
    given = [number(pieces(one).get("points")) for one in listed] if isinstance(listed, list) else []
    points = [one for one in given if one is not None]
    if not given or len(points) < len(given):
        return
    if not any(points):
        yield source.at(field, "weight-zero", "all points are 0, so nothing is scored", "give one criterion points")
    elif scoring == "healthbench" and max(points) <= 0:
        what = "no points are positive, and `scoring: healthbench` divides by the positive ones"
        yield source.at(field, "weight-zero", what, "give positive points, or `scoring: weighted`")
