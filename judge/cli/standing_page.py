"""Standings as they are shown: win rates, what the order did, differences of scores, strengths, and a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from judge.cli.means import NO_SUCH_NUMBER, with_interval
from judge.cli.summary import difference_table
from judge.cli.terminal import clean
from judge.preference import OVERALL
from judge.standing import Standing, find_standings
from judge.statistics.strengths import Strength, Strengths
from judge.win_rate import Order, WinRate

_Pair: TypeAlias = tuple[str, str]
__all__ = ["render_standings", "standing_page"]

_MOST_PAIRS = 10
_MOST_SENTENCES = 3
_COLUMNS = 5
"""Of a table of win rates, so that it fits a line; of more models there is one of `overall` only."""


def standing_page(
    preferences: pl.DataFrame, *, seed: int = 0, baseline: str | None = None, axes: Collection[str] = ()
) -> list[RenderableType]:
    """What preferences come to, to be printed one after the other; arguments and errors of `find_standings`."""
    return render_standings(find_standings(preferences, seed=seed, baseline=baseline, axes=axes))


def render_standings(standings: Sequence[Standing]) -> list[RenderableType]:
    """The same of standings that are known."""
    judges = dict.fromkeys(one.judge for one in standings)
    return [part for judge in judges for part in _of_judge(judge, [one for one in standings if one.judge == judge])]


def _of_judge(judge: str, standings: Sequence[Standing]) -> Iterator[RenderableType]:
    yield Text(f"Preferred by {clean(judge)}: win rates with 95 % intervals", style="bold")
    for table in _tables(_by_pair(standings)):
        yield Text()
        yield table
    for one in standings:
        if one.strengths is not None:
            yield Text()
            yield from _ranking(one, one.strengths)
    yield Text()
    yield from _sentences(standings)


def _by_pair(standings: Sequence[Standing]) -> dict[_Pair, list[WinRate]]:
    """All axes of a pair together."""
    pairs: dict[_Pair, list[WinRate]] = {}
    for one in standings:
        for rate in one.shown:
            pairs.setdefault((rate.model, rate.other), []).append(rate)
    return pairs


def _tables(pairs: Mapping[_Pair, Sequence[WinRate]]) -> Iterator[RenderableType]:
    shown = list(pairs.values())
    yield _first(_rate_table(shown[:_MOST_PAIRS]), len(shown))
    orders = [asked for rates in shown if (asked := [rate for rate in rates if rate.order is not None])]
    if orders:
        yield _first(_order_table(orders[:_MOST_PAIRS]), len(orders))
    rates = (rate for rates in shown for rate in rates if rate.axis == OVERALL)
    if differences := [rate.difference for rate in rates if rate.difference is not None]:
        yield difference_table(differences)


def _first(table: Table, pairs: int) -> Table:
    if pairs > _MOST_PAIRS:
        table.add_row(f"… and {pairs - _MOST_PAIRS} more in --json")
    return table


def _rate_table(pairs: Sequence[Sequence[WinRate]]) -> Table:
    mixed = any(rate.inconsistent for rates in pairs for rate in rates)
    table = _table("pair", "axis", "win rate", "n", "won", "lost", "tie", *["mixed"] * mixed, "failed", "p")
    for rates in pairs:
        _add(table, rates, [_rate_cells(rate, mixed=mixed) for rate in rates])
    return table


def _rate_cells(rate: WinRate, *, mixed: bool) -> tuple[str, ...]:
    counts = (rate.judged, rate.wins, rate.losses, rate.ties, *[rate.inconsistent] * mixed, rate.failed)
    return (with_interval(rate.rate, rate.low, rate.high), *map(str, counts), _p_value(rate.p_value))


def _order_table(pairs: Sequence[Sequence[WinRate]]) -> Table:
    table = _table("both orders", "axis", "same twice", "n", "first twice", "second twice", "tie once")
    for rates in pairs:
        _add(table, rates, [_order_cells(rate.order) for rate in rates if rate.order is not None])
    return table


def _order_cells(order: Order) -> tuple[str, ...]:
    same = with_interval(order.consistency, order.low, order.high)
    return (same, *map(str, (order.n, order.first, order.second, order.half)))


def _table(name: str, axis: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(name, overflow="fold")
    table.add_column(axis, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _add(table: Table, rates: Sequence[WinRate], lines: Sequence[tuple[str, ...]]) -> None:
    """One row of a line an axis, so that long names fold beside the numbers. Text: a str would be read as markup."""
    pair = Text(f"{clean(rates[0].model)} : {clean(rates[0].other)}")
    columns = ([clean(rate.axis) for rate in rates], *zip(*lines, strict=True))
    table.add_row(pair, *(Text("\n".join(cells)) for cells in columns))


def _p_value(value: float | None) -> str:
    if value is None:
        return NO_SUCH_NUMBER
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _ranking(standing: Standing, strengths: Strengths) -> Iterator[RenderableType]:
    """A line a model, the strongest first: its strength, then its win rate against each of the others."""
    axis, order = clean(standing.axis), [one.model for one in strengths.ranked] or [*standing.models]
    if strengths.ranked:
        yield _strength_table(axis, strengths)
    for line in _about(axis, strengths):
        yield Text(line, style="dim")
    if standing.axis == OVERALL or len(order) <= _COLUMNS:
        for start in range(0, len(order), _COLUMNS):
            yield _cross_table(standing, order, range(start, min(start + _COLUMNS, len(order))))


def _strength_table(axis: str, strengths: Strengths) -> Table:
    table = _table(f"{axis}: strongest first", "", "strength", "n")
    for one in strengths.ranked:
        table.add_row(Text(clean(one.model)), str(one.rank), _strength(one), str(one.n))
    return table


def _cross_table(standing: Standing, order: Sequence[str], columns: range) -> Table:
    """Rows against some of the columns, which go by their place among the rows: names would not fit."""
    table = _table(f"{clean(standing.axis)}: row against column", "", *(str(place + 1) for place in columns))
    cross = standing.cross
    for place, model in enumerate(order, start=1):
        cells = (_cell(cross.get((model, order[column]))) for column in columns)
        table.add_row(Text(clean(model)), f"{place}", *cells)
    return table


def _strength(one: Strength) -> str:
    interval = f" [{one.low:+.2f}, {one.high:+.2f}]" if one.low is not None and one.high is not None else ""
    return f"{one.strength:+.2f}{interval}"


def _cell(known: tuple[float, int] | None) -> str:
    return "" if known is None else f"{known[0]:.2f} ({known[1]})"


def _about(axis: str, strengths: Strengths) -> Iterator[str]:
    if strengths.reason is not None:
        yield f"{axis}: no strengths: {clean(strengths.reason)}."
    elif strengths.draws_without:
        without = f"{strengths.draws_without:,} of {strengths.draws:,} draws have no strengths"
        left = "they are left out of the intervals" if strengths.interval else "too many for intervals"
        yield f"{without}, as one group of models won all its pairs in them: {left}."


def _sentences(standings: Sequence[Standing]) -> Iterator[Text]:
    """The question as a whole in plain words; where nobody asked it, the last axis."""
    asked = [one for one in standings if one.axis == OVERALL] or standings[-1:]
    rates = [rate for one in asked for rate in one.shown]
    for rate in rates[:_MOST_SENTENCES]:
        yield Text(f"{_won(rate)}{_changed(rate.order)}{_failed(rate)}.")


def _won(rate: WinRate) -> str:
    model, other, axis = clean(rate.model), clean(rate.other), clean(rate.axis)
    if rate.rate is None:
        return f"No pair of {model} and {other} was judged on {axis}"
    interval = f" [{rate.low:.0%}, {rate.high:.0%}]" if rate.low is not None and rate.high is not None else ""
    pairs = "1 judged pair" if rate.judged == 1 else f"{rate.judged:,} judged pairs"
    return f"{model} wins {rate.rate:.0%}{interval} of {pairs} against {other}, {axis}".replace("%", " %")


def _changed(order: Order | None) -> str:
    if order is None:
        return ""
    if order.consistent == order.n:
        return f"; none of {order.n:,} changed with the order"
    changed = f"{1 - order.consistency:.0%}".replace("%", " %")
    how = f"shown first won both times in {order.first:,}, shown second in {order.second:,}, one tie in {order.half:,}"
    return f"; {changed} of {order.n:,} changed with the order ({how})"


def _failed(rate: WinRate) -> str:
    if not rate.failed:
        return ""
    why = ", ".join(f"{clean(name)} {number:,}" for name, number in rate.failures.items())
    return f"; {rate.failed:,} of {rate.pairs:,} pairs failed ({why})"
