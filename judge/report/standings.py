"""Preferences of the runs -> who is preferred to whom: the numbers of `judge compare`, as tables and drawings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from judge.errors import ConfigError
from judge.report.figure import Figure
from judge.report.plots import Mean, draw_matrix, draw_strengths
from judge.report.runs import ReportedRun
from judge.report.section import Cell, Interval, Section, Table
from judge.runs.together import refuse_other_rubrics
from judge.standing import Standing, find_standings
from judge.win_rate import WinRate

__all__ = ["Compared", "describe_standings", "draw_standings", "stand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What preferences come to.

    Attributes:
        of: The run that they are of; empty where they are of all runs together.
        standings: Of each judge and axis.
    """

    of: str
    standings: tuple[Standing, ...]


def stand(runs: Sequence[ReportedRun], *, seed: int = 0) -> tuple[list[Compared], str]:
    """Work out where the models stand.

    Returns:
        One of all runs together, where these can be compared, as `judge compare RUN…` does it; else one a run, and why.

    Raises:
        ConfigError: A judge has two preferences on one question in one run.
    """
    compared = [run for run in runs if run.preferences.height]
    if not compared:
        return [], ""
    try:
        refuse_other_rubrics([run.path for run in compared], [run.story for run in compared])
        whole = find_standings(pl.concat([run.preferences for run in compared]), seed=seed)
        return [Compared(of="", standings=whole)], ""
    except ConfigError as exc:
        if len(compared) == 1:
            raise
        each = [Compared(of=run.name, standings=find_standings(run.preferences, seed=seed)) for run in compared]
        return each, f"Each run by itself: {exc.message}"


def describe_standings(compared: Sequence[Compared], why: str) -> Section | None:
    """As tables; None where nothing was compared."""
    if not compared:
        return None
    tables = [table for one in compared for table in _tables(one) if table.rows]
    found = [line for one in compared for standing in one.standings for line in _about(standing)]
    return Section(
        name="preferences",
        title="Preferences",
        short="Preferences",
        about=[why] if why else [],
        tables=tables,
        found=list(dict.fromkeys(found)),
    )


def _tables(compared: Compared) -> Iterator[Table]:
    of = f", {compared.of}" if compared.of else ""
    rates = [rate for standing in compared.standings for rate in standing.rates]
    yield Table(
        caption=f"How often the first model is preferred to the second{of}: win rates with 95 % intervals",
        head=("judge", "axis", "model", "other", "win rate", "n", "won", "lost", "tie", "inconsistent", "failed", "p"),
        rows=[_rate(rate) for rate in rates],
    )
    yield Table(
        caption=f"The same answer in both orders{of}",
        head=("judge", "axis", "model", "other", "same twice", "n", "first twice", "second twice", "tie once"),
        rows=[row for rate in rates if (row := _order(rate)) is not None],
    )
    yield Table(
        caption=f"Bradley–Terry strengths{of}: log-odds, the mean over the models being 0",
        head=("judge", "axis", "rank", "model", "strength", "n"),
        rows=[row for standing in compared.standings for row in _ranked(standing)],
    )


def _rate(rate: WinRate) -> Sequence[Cell]:
    counts = (rate.judged, rate.wins, rate.losses, rate.ties, rate.inconsistent, rate.failed)
    share = Interval(value=rate.rate, low=rate.low, high=rate.high)
    return (rate.judge, rate.axis, rate.model, rate.other, share, *counts, rate.p_value)


def _order(rate: WinRate) -> Sequence[Cell] | None:
    order = rate.order
    if order is None:
        return None
    same = Interval(value=order.consistency, low=order.low, high=order.high)
    return (rate.judge, rate.axis, rate.model, rate.other, same, order.n, order.first, order.second, order.half)


def _ranked(standing: Standing) -> Iterator[Sequence[Cell]]:
    for one in standing.strengths.ranked if standing.strengths else ():
        strength = Interval(value=one.strength, low=one.low, high=one.high)
        yield standing.judge, standing.axis, one.rank, one.model, strength, one.n


def _about(standing: Standing) -> Iterator[str]:
    strengths, named = standing.strengths, f"{standing.judge}, {standing.axis}"
    if strengths is not None and strengths.reason is not None:
        yield f"{named}: no strengths: {strengths.reason}."
    elif strengths is not None and strengths.draws_without:
        left = "left out of the intervals" if strengths.interval else "too many for intervals"
        yield f"{named}: {strengths.draws_without:,} of {strengths.draws:,} draws have no strengths: {left}."


def draw_standings(compared: Sequence[Compared]) -> Iterator[Figure]:
    """A matrix of win rates for each judge and axis; of three models and more also their strengths."""
    standings = [(one.of, standing) for one in compared for standing in one.standings]
    for number, (of, standing) in enumerate(standings):
        yield _matrix(number, standing, of)
    for number, (of, standing) in enumerate(standings):
        if standing.strengths is not None and standing.strengths.ranked:
            yield _strengths(number, standing, of)


def _named(standing: Standing, of: str) -> str:
    return ", ".join(filter(None, (standing.axis, standing.judge, of)))


def _matrix(number: int, standing: Standing, of: str) -> Figure:
    names, cross = standing.models, standing.cross
    cells = [[cross.get((one, other), (None, 0)) for other in names] for one in names]
    values, n = ([[cell[part] for cell in row] for row in cells] for part in (0, 1))
    title = f"How often the model of the row is preferred to that of the column ({_named(standing, of)})"
    return Figure(
        title=title,
        svg=draw_matrix(f"wins{number}", title, names, values, n),  # type: ignore[arg-type]
        head=("model", "other", "rate", "n"),
        rows=[(*pair, *cell) for pair, cell in cross.items()],
    )


def _strengths(number: int, standing: Standing, of: str) -> Figure:
    assert standing.strengths is not None
    ranked = standing.strengths.ranked
    means: list[tuple[str, Mean]] = [(one.model, (one.strength, one.low, one.high)) for one in ranked]
    title = f"How strong each model is: Bradley–Terry, with 95 % intervals ({_named(standing, of)})"
    return Figure(
        title=title,
        svg=draw_strengths(f"strengths{number}", title, means),
        head=("model", "strength", "low", "high", "n"),
        rows=[(one.model, one.strength, one.low, one.high, one.n) for one in ranked],
    )
