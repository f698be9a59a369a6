"""A probe -> the one space of words that its answers come from, whoever gives them.

A class has one place in it for judges and people alike. LLMBar's published kappas came of two spaces: the verdict "2"
was class 0 on one side and class 1 on the other, which turned 0.878 into 0.264.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["PROBES", "Space", "space_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Classes in their order.

    Attributes:
        classes: At least two; none where answers are numbers that fall into no few classes.
        positions: What number each class stands for; none where classes have no order.
    """

    classes: tuple[str, ...]
    positions: tuple[float, ...] = ()


PROBES: Final = ("outcome", "raised", "presence", "correctness", "verdict", "value", "preference")
_SPACES: Final = {
    "outcome": Space(classes=("absent", "wrong", "unclear", "right")),
    "raised": Space(classes=("not raised", "raised")),
    "presence": Space(classes=("0", "1", "2"), positions=(0, 1, 2)),
    "correctness": Space(classes=("-1", "0", "1"), positions=(-1, 0, 1)),
    "verdict": Space(classes=("UNMET", "MET")),
    "preference": Space(classes=("A", "tie", "B")),
}
_BESIDE: Final = {"verdict": "CANNOT_ASSESS", "preference": "inconsistent"}
_MOST_CLASSES: Final = 20


def space_of(probe: str, *, judged: Collection[str], labelled: Collection[str], whole_traces: bool = False) -> Space:
    """The space of a probe.

    Args:
        probe: One of `PROBES`.
        judged: What judges answered.
        labelled: What people answered.
        whole_traces: The answers are scores of whole traces: numbers, even if they happen to be whole.

    Returns:
        CANNOT_ASSESS is a class where a person says it; a judge's alone is no verdict (contract §2). `inconsistent` is
        one where a judge's two orders differ: an answer that agrees with nobody. Numbers are classes where all are
        whole and they are 20 at most.
    """
    if probe == "value":
        return Space(classes=()) if whole_traces else _levels({*judged, *labelled})
    space, beside = _SPACES[probe], _BESIDE.get(probe)
    if beside is None or not (beside in labelled or (beside == "inconsistent" and beside in judged)):
        return space
    return Space(classes=(*space.classes, beside))


def _levels(values: Collection[str]) -> Space:
    numbers: Sequence[float] = sorted(float(value) for value in values)
    if len(numbers) > _MOST_CLASSES or not all(number.is_integer() for number in numbers):
        return Space(classes=())
    return Space(classes=tuple(str(int(number)) for number in numbers), positions=tuple(numbers))
