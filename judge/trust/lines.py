"""Agreements -> lines: each judge on each probe and axis, by the numbers that fit what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from judge.statistics.estimate import Estimate
from judge.trust.agreement import MEAN, Agreement
from judge.trust.compared import Compared
from judge.trust.people import Ceiling
from judge.trust.sheet import MAJORITY

__all__ = ["TOLD", "Line", "find_lines"]

TOLD: Final = ("outcome", "verdict", "value", "preference")
"""Probes that are told at length though nobody asked for them: the others say the same in other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A judge on one probe and axis.

    Attributes:
        compared: Against whom --against says, by classes; None where answers are no classes.
        numbers: The same by numbers; None where they are none.
    """

    agreement: Agreement
    judge: str
    compared: Compared | None
    numbers: Compared | None

    @property
    def what(self) -> str:
        """Axis, unit and probe, as they are told."""
        return f"{self.where} ({self.agreement.probe})"

    @property
    def where(self) -> str:
        """Axis and unit."""
        unit = f" {self.agreement.unit_id}" if self.agreement.unit_id is not None else ""
        return f"{self.agreement.axis or 'all axes'}{unit}"

    @property
    def shown(self) -> Compared:
        """The one of both that there is; by classes where there are both."""
        shown = self.compared or self.numbers
        assert shown is not None
        return shown

    @property
    def ceiling(self) -> Ceiling | None:
        """Of this judge."""
        return next((one for one in self.agreement.ceilings if one.judge == self.judge), None)

    def number(self, name: str) -> Estimate | None:
        """A number by its name: of classes, else of numbers."""
        both = [one.numbers[name] for one in (self.compared, self.numbers) if one is not None and name in one.numbers]
        return both[0] if both else None


def find_lines(agreements: Sequence[Agreement], against: str = MAJORITY) -> Iterator[Line]:
    """A line for each judge of each agreement; of numbers that are no classes, people's mean is their majority."""
    for agreement in agreements:
        for judge in agreement.judges:
            compared = agreement.of(judge, against)
            numbers = agreement.of(judge, MEAN if against == MAJORITY else against)
            if compared is not None or numbers is not None:
                yield Line(agreement=agreement, judge=judge, compared=compared, numbers=numbers)
