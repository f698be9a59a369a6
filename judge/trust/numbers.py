"""Agreements -> one frame with a row a number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from judge.statistics.estimate import Estimate
from judge.trust.agreement import Agreement
from judge.trust.compared import Compared
from judge.trust.people import Ceiling, People

__all__ = ["NUMBER_COLUMNS", "build_numbers"]

NUMBER_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("probe", "axis", "unit_id", "rater", "against", "measure"), pl.String),
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    "reason": pl.String,
    **dict.fromkeys(("n", "records", "labelled", "unparsed", "unasked"), pl.Int64),
}
"""Column -> dtype.

`axis` and `unit_id` are null where all are taken together. A judge stands against a person, `majority` or `mean`, or,
as `left_out:…`, against the majority of the others, on the units that this person rated; people stand against `people`.
Classes have measures `f1:CLASS`, and cells of the confusion table `cell:RATER'S:OTHER'S`, which are counts.
"""
_PEOPLE = "people"


def build_numbers(agreements: Iterable[Agreement]) -> pl.DataFrame:
    """Every number of these agreements: columns `NUMBER_COLUMNS`."""
    rows = [
        {"probe": one.probe, "axis": one.axis, "unit_id": one.unit_id, **row}
        for one in agreements
        for row in _rows(one)
    ]
    return pl.DataFrame(rows, schema=NUMBER_COLUMNS)


def _rows(agreement: Agreement) -> Iterator[dict[str, Any]]:
    for compared in agreement.compared:
        yield from _of_compared(compared)
    if agreement.people is not None:
        yield from _of_people(agreement.people)
    for ceiling in agreement.ceilings:
        yield from _of_ceiling(ceiling)


def _of_compared(compared: Compared) -> Iterator[dict[str, Any]]:
    about = {name: getattr(compared, name) for name in ("rater", "against", "n", "records", "labelled")}
    about |= {"unparsed": compared.unparsed, "unasked": compared.unasked}
    estimates = {**compared.numbers, **{f"f1:{name}": one for name, one in compared.f1.items()}}
    if compared.baseline is not None:
        estimates["baseline_agreement"] = compared.baseline
    cells = {
        f"cell:{mine}:{theirs}": Estimate(value=float(count))
        for mine, row in zip(compared.classes, compared.table, strict=True)
        for theirs, count in zip(compared.classes, row, strict=True)
    }
    yield from (_row(about, name, estimate) for name, estimate in {**estimates, **cells}.items())


def _of_people(people: People) -> Iterator[dict[str, Any]]:
    about = {"rater": _PEOPLE, "against": _PEOPLE, "n": people.units}
    yield from (_row(about, name, estimate) for name, estimate in people.numbers.items())


def _of_ceiling(ceiling: Ceiling) -> Iterator[dict[str, Any]]:
    for one in ceiling.left_out:
        about = {"against": f"left_out:{one.rater}", "n": one.n}
        yield _row({"rater": ceiling.judge, **about}, "kappa", one.judge)
        yield _row({"rater": one.rater, **about}, "kappa", one.person)
    for rater, name, estimate in (
        (ceiling.judge, "kappa", ceiling.reached),
        (_PEOPLE, "kappa", ceiling.person),
        (ceiling.judge, "kappa_less_a_person's", ceiling.difference),
    ):
        yield _row({"rater": rater, "against": "left_out"}, name, estimate)


def _row(about: dict[str, Any], measure: str, estimate: Estimate) -> dict[str, Any]:
    told = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "reason": estimate.reason}
    return {**about, "measure": measure, **told}
