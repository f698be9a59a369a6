"""A blind check -> what it says, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from judge.trust.blind import BlindArm, BlindCheck, BlindMove

__all__ = ["ARM_WORDS", "signed", "unmoved_lines"]

ARM_WORDS: Final[Mapping[BlindArm, str]] = {
    "without": "without its image",
    "swapped": "with the image of another record",
}
_STILL: Final = "No score changed at all: it is scored from the texts."
_NOISY: Final = "Scores change by {:.3f} on average, up as much as down: judge noise says how much of that is noise."
_ROUNDING: Final = 1e-9


def unmoved_lines(check: BlindCheck) -> Iterator[str]:
    """A line for each axis and arm in which the judge scores as if it did not look."""
    for one in check.unmoved:
        size = one.mean_absolute or 0.0
        said = f"{one.axis} did not move {ARM_WORDS[one.arm]}: mean difference {signed(one)}, {one.n} records."
        yield f"{said} {_STILL if size < _ROUNDING else _NOISY.format(size)}"


def signed(one: BlindMove) -> str:
    """The mean difference with its sign and its interval."""
    if one.mean is None:
        return "–"
    bounds = "" if one.low is None or one.high is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.mean:+.3f}{bounds}"
