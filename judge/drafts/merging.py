"""Units of all axes -> the same, each said once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judge.drafts.claim import is_same
from judge.drafts.reply import DraftUnit

__all__ = ["Merged", "merge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A unit that said what an earlier one says, and that earlier one."""

    unit: DraftUnit
    into: DraftUnit


def merge(units: Iterable[DraftUnit]) -> tuple[list[DraftUnit], list[Merged]]:
    """Keep the first of the units that say the same, across axes too.

    Only the same words count, so that two claims that differ by one word (left, right) both stay.

    Args:
        units: In the rubric's order of axes: the first axis wins.

    Returns:
        Those that are kept, in order; and those that are not.
    """
    kept: list[DraftUnit] = []
    merged: list[Merged] = []
    for unit in units:
        earlier = _same(unit, kept)
        if earlier is None:
            kept.append(unit)
        else:
            merged.append(Merged(unit=unit, into=earlier))
    return kept, merged


def _same(unit: DraftUnit, kept: Sequence[DraftUnit]) -> DraftUnit | None:
    return next((other for other in kept if is_same(other.claim, unit.claim)), None)
