"""Two columns of a sheet -> Compared: how far the one agrees with the other, in every number that fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from judge.statistics.bootstrap import Draws
from judge.statistics.estimate import Estimate, Stack, Statistic, within
from judge.statistics.rank import RANKED, correlate, of_table
from judge.statistics.raters import ALPHA_NOMINAL, ALPHA_ORDINAL, of_two
from judge.statistics.table import (
    AC1,
    AGREEMENT,
    BALANCED_F1,
    MACRO_F1,
    class_f1,
    class_share,
    cohen_kappa,
    pair_tables,
)
from judge.trust.sheet import UNPARSED
from judge.trust.space import Space

__all__ = ["NUMBERS", "Compared", "compare_classes", "compare_numbers"]

NUMBERS = (
    *("agreement", "kappa", "kappa_linear", "kappa_quadratic", "kappa_with_unparsed", "alpha", "alpha_ordinal"),
    *("ac1", "macro_f1", "balanced_f1", *RANKED),
)
"""Names of what is measured of two raters; of each only those that fit its space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How far one rater agrees with another.

    Attributes:
        rater: Mostly a judge.
        against: A rater, the people's `majority`, or the `mean` of their numbers.
        labelled: Units that `against` has a label for.
        n: Of these, units for which `rater` has a usable one too; all numbers but one are over them.
        records: That these n are of; draws are of records.
        unparsed: Of `labelled`, where `rater` was asked and gave no usable answer.
        unasked: Of `labelled`, where `rater` was not asked.
        classes: Of the table.
        table: A row for each class of `rater`, a column for each of `against`.
        numbers: Name of `NUMBERS` -> its estimate. `kappa_with_unparsed` is over n + unparsed, and takes
            `unparsed` as a class of its own, on which nobody agrees.
        f1: Class -> F1.
        commonest: The class that `against` gives most.
        baseline: Of one who always says that class: how often it agrees. Its kappa is 0.
    """

    rater: str
    against: str
    labelled: int
    n: int
    records: int
    unparsed: int
    unasked: int
    numbers: Mapping[str, Estimate]
    classes: tuple[str, ...] = ()
    table: tuple[tuple[int, ...], ...] = ()
    f1: Mapping[str, Estimate]
    commonest: str | None = None
    baseline: Estimate | None = None

    @property
    def coverage(self) -> float | None:
        """Share of `labelled` that n is."""
        return self.n / self.labelled if self.labelled else None

    @property
    def unparsed_share(self) -> float | None:
        """Share of what was asked that is unparsed."""
        return self.unparsed / asked if (asked := self.n + self.unparsed) else None


def compare_classes(
    rater: tuple[str, pl.Series], against: tuple[str, pl.Series], records: pl.Series, space: Space, *, seed: int = 0
) -> Compared:
    """Compare two columns of codes.

    Args:
        rater: Name and (units,) codes.
        against: The same.
        records: (units,) as of `Sheet`.
        space: Of the codes; it has classes.
        seed: Of the draws.
    """
    (name, mine), (other, theirs) = rater, against
    labelled = theirs >= 0
    mine, theirs, of = (column.filter(labelled) for column in (mine, theirs, records))
    beside = len(space.classes)
    # What is unparsed is one class more, which all numbers but one are without.
    draws = Draws(pair_tables(of, mine.replace(UNPARSED, beside), theirs, classes=beside + 1), seed=seed)
    whole = _parsed(draws.whole).astype(int).tolist()
    columns = [sum(column) for column in zip(*whole, strict=True)]
    commonest = columns.index(max(columns))
    known = mine >= 0

    def estimate(statistic: Statistic) -> Estimate:
        return draws.estimate(within(statistic, _parsed))

    numbers = {named: estimate(statistic) for named, statistic in _statistics(space).items()}
    return Compared(
        rater=name,
        against=other,
        labelled=len(theirs),
        n=int(known.sum()),
        records=of.filter(known).n_unique(),
        unparsed=int((mine == UNPARSED).sum()),
        unasked=int((mine < UNPARSED).sum()),
        classes=space.classes,
        table=tuple(map(tuple, whole)),
        numbers=numbers | {"kappa_with_unparsed": draws.estimate(cohen_kappa())},
        f1={named: estimate(class_f1(place)) for place, named in enumerate(space.classes)},
        commonest=space.classes[commonest] if any(columns) else None,
        baseline=estimate(class_share(commonest)),
    )


def _parsed(tables: Stack) -> Stack:
    return tables[..., :-1, :-1]


def _statistics(space: Space) -> dict[str, Statistic]:
    found = {"agreement": AGREEMENT, "kappa": cohen_kappa(), "alpha": of_two(ALPHA_NOMINAL), "ac1": AC1}
    found |= {"macro_f1": MACRO_F1}
    if len(space.classes) == 2:
        found |= {"balanced_f1": BALANCED_F1}
    if space.positions:
        found |= {"kappa_linear": cohen_kappa(space.positions, power=1)}
        found |= {"kappa_quadratic": cohen_kappa(space.positions, power=2)}
        found |= {"alpha_ordinal": of_two(ALPHA_ORDINAL)}
        found |= {name: of_table(name, space.positions) for name in RANKED}
    return found


def compare_numbers(
    rater: tuple[str, pl.Series],
    against: tuple[str, pl.Series],
    records: pl.Series,
    *,
    asked: pl.Series,
    seed: int = 0,
) -> Compared:
    """Compare two columns of numbers, null where there is none.

    Args:
        rater: Name and (units,) numbers.
        against: The same.
        records: (units,) as of `Sheet`.
        asked: (units,) whether `rater` was.
        seed: Of the draws.
    """
    (name, mine), (other, theirs) = rater, against
    labelled = theirs.is_not_null()
    both = labelled & mine.is_not_null()
    of = records.filter(both)
    pairs = [column.filter(both) for column in (mine, theirs)]
    return Compared(
        rater=name,
        against=other,
        labelled=int(labelled.sum()),
        n=len(of),
        records=of.n_unique(),
        unparsed=int((labelled & asked & ~both).sum()),
        unasked=int((labelled & ~asked).sum()),
        numbers={named: correlate(named, of, *pairs, seed=seed) for named in RANKED},
        f1={},
    )
