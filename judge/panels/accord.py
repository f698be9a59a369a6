"""Outcomes of several judges on the same units -> how far they agree.

    agreement   of a unit the share of pairs of judges with the same outcome, of a record the mean over its units;
                the mean over records with its 95 % interval
    alpha       Krippendorff's: 1 - D_o / D_e, of all outcomes of units that two judges or more have a verdict on

        D_o = 1/n Σ_ck o_ck δ²(c, k)              o_ck: pairs of outcomes within units, each unit of m judges / (m - 1)
        D_e = 1/(n (n - 1)) Σ_ck n_c n_k δ²(c, k)      n_c = Σ_k o_ck, n = Σ_c n_c

δ² is 1 for outcomes that differ; of levels it is the square of their difference. Alpha is 1 where all agree, 0 where
they agree as chance would, and None where there is only one outcome.

Source:
    Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations, permutations
from statistics import fmean

import polars as pl
from pydantic import JsonValue

from judge.aggregate import interval

__all__ = ["Accord", "AxisAccord", "PairAccord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisAccord:
    """How far judges agree on one axis.

    Attributes:
        units: That two judges or more have a verdict on, samples counted.
        records: That have such units.
        agreement, low, high: In [0, 1], with the 95 % interval over records; None where there is nothing.
        alpha: At most 1; None where all outcomes are the same.
    """

    axis: str
    units: int
    records: int
    agreement: float | None
    low: float | None
    high: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAccord:
    """How often two judges have the same outcome, over the units that both have a verdict on."""

    judge: str
    other: str
    units: int
    agreement: float


@dataclass(slots=True)
class Accord:
    """Grows unit by unit; what it holds is a number a record, whatever the length of a run."""

    _axes: dict[str, _Axis] = field(default_factory=dict)
    _pairs: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def add(self, axis: str, line: int, outcomes: Mapping[str, str], *, levels: bool = False) -> None:
        """Count one unit in one sample.

        Args:
            axis: That it is on.
            line: Of its record.
            outcomes: By judge id, of those that have a verdict.
            levels: The outcomes are numbers, with distances between them.
        """
        for one, other in combinations(outcomes, 2):
            both = self._pairs[one, other]
            both[0] += outcomes[one] == outcomes[other]
            both[1] += 1
        if len(outcomes) > 1:
            self._axes.setdefault(axis, _Axis(levels=levels)).add(line, list(outcomes.values()))

    def axes(self, *, seed: int = 0) -> list[AxisAccord]:
        """What is known of each axis, in the order of first appearance."""
        return [one.told(axis, seed) for axis, one in self._axes.items()]

    def told(self, *, seed: int = 0) -> dict[str, JsonValue]:
        """For `run.json` and `--json`: `axes` and `pairs`."""
        axes, pairs = self.axes(seed=seed), self.pairs()
        return {"axes": [asdict(one) for one in axes], "pairs": [asdict(one) for one in pairs]}

    def pairs(self) -> list[PairAccord]:
        """Every two judges that have verdicts on a common unit, those that agree least first."""
        found = [
            PairAccord(judge=one, other=other, units=units, agreement=same / units)
            for (one, other), (same, units) in self._pairs.items()
        ]
        return sorted(found, key=lambda pair: pair.agreement)


@dataclass(slots=True)
class _Axis:
    levels: bool
    units: int = 0
    pairs: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    shares: dict[int, tuple[float, int]] = field(default_factory=dict)

    def add(self, line: int, outcomes: list[str]) -> None:
        share = 1 / (len(outcomes) - 1)
        same = 0.0
        for pair in permutations(outcomes, 2):
            self.pairs[pair] += share
            same += pair[0] == pair[1]
        total, units = self.shares.get(line, (0.0, 0))
        self.shares[line] = total + same * share / len(outcomes), units + 1
        self.units += 1

    def told(self, axis: str, seed: int) -> AxisAccord:
        shares = pl.Series([total / units for total, units in self.shares.values()], dtype=pl.Float64)
        low, high, _ = interval(shares, seed=seed)
        mean = fmean(shares) if len(shares) else None
        return AxisAccord(
            axis=axis, units=self.units, records=len(shares), agreement=mean, low=low, high=high, alpha=self.alpha()
        )

    def alpha(self) -> float | None:
        of_each: dict[str, float] = defaultdict(float)
        for (one, _), count in self.pairs.items():
            of_each[one] += count
        n = sum(of_each.values())
        expected = sum(of_each[c] * of_each[k] * self._apart(c, k) for c, k in permutations(of_each, 2))
        observed = sum(count * self._apart(*pair) for pair, count in self.pairs.items())
        return 1 - (n - 1) * observed / expected if expected else None

    def _apart(self, one: str, other: str) -> float:
        return (float(one) - float(other)) ** 2 if self.levels else float(one != other)
