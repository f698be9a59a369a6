"""Columns of people -> how far they agree among themselves, and how far one of them with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from judge.statistics.bootstrap import Draws
from judge.statistics.estimate import Estimate, Stack, within
from judge.statistics.raters import (
    ALPHA_INTERVAL,
    ALPHA_NOMINAL,
    ALPHA_ORDINAL,
    FLEISS_KAPPA,
    MULTI_AC1,
    beside,
    coincidences,
    every_pair,
    mean_difference,
    mean_over_pairs,
    moments,
    shares,
)
from judge.statistics.table import AGREEMENT, cohen_kappa
from judge.trust.sheet import UNRATED, Sheet, majority

__all__ = ["MOST_RATERS", "Ceiling", "LeftOut", "People", "people_among_themselves", "reached_by"]

MOST_RATERS = 20
"""Up to which every two raters are compared; a crowd has too many pairs, each of too few units."""
_CROWD = f"more than {MOST_RATERS} raters: see Fleiss' kappa and alpha"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """How far people agree among themselves.

    Attributes:
        raters: Who.
        units: That two or more of them rated.
        numbers: `agreement` and `kappa` are means over every two raters; `fleiss`, `ac1`, `alpha` and, of classes in an
            order or of numbers, `alpha_ordinal` and `alpha_interval` are over all at once.
    """

    raters: tuple[str, ...]
    units: int
    numbers: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One person held against the majority of the others, and the judge too, on the same units.

    Attributes:
        rater: Who was left out.
        n: Units that this person and the judge rated, and that the others have a majority of.
        person, judge: Cohen's kappa of each against that majority.
    """

    rater: str
    n: int
    person: Estimate
    judge: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """How much of what a person reaches a judge reaches.

    Attributes:
        judge: Who.
        left_out: One entry a person.
        person, reached: Means of both kappas over them.
        difference: reached − person, of the same draws; where its interval is below 0, the judge is no stand-in for a
            person.
    """

    judge: str
    left_out: tuple[LeftOut, ...]
    person: Estimate
    reached: Estimate
    difference: Estimate


def people_among_themselves(sheet: Sheet, *, seed: int = 0) -> People | None:
    """How far the people of a sheet agree; None where there is one only."""
    if len(sheet.people) < 2:
        return None
    classes = len(sheet.space.classes)
    numbers = _over_classes(sheet, seed) if classes else {}
    if sheet.numbers:
        values = pl.DataFrame([sheet.numbers[rater].alias(rater) for rater in sheet.people])
        given = values.select(pl.all().fill_null(float("nan"))).to_numpy()
        numbers["alpha_interval"] = Draws(moments(sheet.records, given), seed=seed).estimate(ALPHA_INTERVAL)
        rated = sum(values[rater].is_not_null().cast(pl.Int64) for rater in sheet.people)
    else:
        rated = sum((sheet.codes[rater] >= 0).cast(pl.Int64) for rater in sheet.people)
    assert isinstance(rated, pl.Series)
    return People(raters=sheet.people, units=int((rated > 1).sum()), numbers=numbers)


def _over_classes(sheet: Sheet, seed: int) -> dict[str, Estimate]:
    codes, classes = sheet.of_people().to_numpy(), len(sheet.space.classes)
    of_shares = Draws(shares(sheet.records, codes, classes=classes), seed=seed)
    together = Draws(coincidences(sheet.records, codes, classes=classes), seed=seed)
    found = dict.fromkeys(("agreement", "kappa"), Estimate(value=None, reason=_CROWD))
    if len(sheet.people) <= MOST_RATERS:
        pairs = Draws(every_pair(sheet.records, codes, classes=classes), seed=seed)
        of = {"agreement": AGREEMENT, "kappa": cohen_kappa()}
        found = {name: pairs.estimate(mean_over_pairs(statistic)) for name, statistic in of.items()}
    found |= {"fleiss": of_shares.estimate(FLEISS_KAPPA), "ac1": of_shares.estimate(MULTI_AC1)}
    found["alpha"] = together.estimate(ALPHA_NOMINAL)
    return found | ({"alpha_ordinal": together.estimate(ALPHA_ORDINAL)} if sheet.space.positions else {})


def reached_by(judge: str, sheet: Sheet, *, seed: int = 0) -> Ceiling | None:
    """Leave each person out in turn; None where there is one only, a crowd, or no classes."""
    if not 1 < len(sheet.people) <= MOST_RATERS or not sheet.space.classes:
        return None
    tables = beside(
        sheet.records, [_left_out(judge, rater, sheet) for rater in sheet.people], classes=len(sheet.space.classes)
    )
    kappa, draws = cohen_kappa(), Draws(tables, seed=seed)
    means = [draws.estimate(within(mean_over_pairs(kappa), partial(_side, side))) for side in (0, 1)]
    held = draws.whole[0].sum(axis=(-2, -1))
    return Ceiling(
        judge=judge,
        left_out=tuple(
            LeftOut(
                rater=rater,
                n=int(held[place]),
                judge=draws.estimate(within(kappa, partial(_table, 0, place))),
                person=draws.estimate(within(kappa, partial(_table, 1, place))),
            )
            for place, rater in enumerate(sheet.people)
        ),
        reached=means[0],
        person=means[1],
        difference=draws.estimate(mean_difference(kappa)),
    )


def _side(side: int, tables: Stack) -> Stack:
    """Of (…, 2, people, K, K), those of the judge or of the people."""
    return tables[..., side, :, :, :]


def _table(side: int, place: int, tables: Stack) -> Stack:
    return tables[..., side, place, :, :]


def _left_out(judge: str, rater: str, sheet: Sheet) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Codes of the judge, of a person, and of the majority of the others, where all three have one."""
    others, _ = majority([sheet.codes[other] for other in sheet.people if other != rater])
    mine, theirs = sheet.codes[judge], sheet.codes[rater]
    shared = (mine >= 0) & (theirs >= 0) & (others >= 0)
    return mine, theirs, others.zip_with(shared, others * 0 + UNRATED)
