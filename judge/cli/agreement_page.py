"""What `judge agree` prints: a line a judge and axis, confusion tables, and what they mean in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from judge.cli.terminal import Screen, clean
from judge.statistics.estimate import Estimate
from judge.trust.compared import Compared
from judge.trust.lines import TOLD, Line
from judge.trust.matching import Ratings
from judge.trust.words import many, sentences, unmatched_words

__all__ = ["print_agreement"]

_NONE: Final = "–"
_LEGEND: Final = (
    "constant: agreement of one who always gives the commonest answer; raters: mean kappa of two raters; "
    "unused: answers that could not be used, which are left out"
)
_LEFT: Final[Mapping[str, str]] = {
    "kappa_linear": "linear kappa",
    "kappa_quadratic": "quadratic kappa",
    "alpha": "alpha",
    "alpha_ordinal": "ordinal alpha",
    "ac1": "AC1",
    "macro_f1": "macro F1",
    "balanced_f1": "balanced F1",
    "spearman": "Spearman",
    "kendall": "Kendall",
    "pearson": "Pearson",
    "auc": "AUC",
}
"""Numbers that are listed below a confusion table, in their order."""


def print_agreement(screen: Screen, ratings: Ratings, lines: Sequence[Line], *, asked: Collection[str]) -> None:
    """Print all of it.

    Args:
        screen: Where to.
        ratings: That were compared.
        lines: At least one.
        asked: Probes that are told at length; none given means those that say most.
    """
    people = many(len(ratings.raters), "rater")
    names = f"{', '.join(ratings.judges)} against {people} ({_some(ratings.raters)}): {ratings.labels:,} labels"
    screen.print(clean(names), style="bold", soft_wrap=True)
    for one in ratings.unmatched:
        screen.print(clean(unmatched_words(one)), soft_wrap=True)
    screen.print()
    screen.print(_headline(lines, several=len(ratings.judges) > 1))
    screen.print(_LEGEND, style="dim")
    for line in lines:
        if line.agreement.probe in (asked or TOLD) and line.agreement.unit_id is None:
            _print_line(screen, line)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + f" and {len(names) - 4} more" * (len(names) > 4)


def _headline(lines: Sequence[Line], *, several: bool) -> Table:
    """Lines below what they have in common: of one judge the axis, of several the axis and what was asked."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    ranked = any(line.compared is None for line in lines)
    table.add_column("judge" if several else "asked", overflow="fold")
    for name in ("n", "agreement", "constant", "kappa", "raters", *["Spearman"] * ranked, "unused"):
        table.add_column(name, justify="right", no_wrap=True)
    above = None
    for line in lines:
        named = (line.what, line.judge) if several else (line.where, line.agreement.probe)
        if named[0] != above:
            table.add_row(Text(clean(named[0]), style="bold"))
            above = named[0]
        table.add_row(*map(Text, (f" {clean(named[1])}", *_cells(line, ranked=ranked))))
    return table


def _cells(line: Line, *, ranked: bool) -> Iterator[str]:
    people, shown = line.agreement.people, line.shown
    yield f"{shown.n:,}"
    yield _number(line.number("agreement"))
    yield _NONE if shown.baseline is None or shown.baseline.value is None else _rounded(shown.baseline.value)
    yield _number(line.number("kappa"))
    yield _number(None if people is None else people.numbers.get("kappa"))
    if ranked:
        yield _number(line.number("spearman"))
    yield _NONE if shown.unparsed_share is None else f"{shown.unparsed_share:.0%}"


def _number(estimate: Estimate | None) -> str:
    if estimate is None:
        return _NONE
    if estimate.value is None:
        return "null"
    bounds = f" {_bound(estimate.low)}–{_bound(estimate.high)}" if None not in (estimate.low, estimate.high) else ""
    return f"{_rounded(estimate.value)}{bounds}"


def _rounded(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def _bound(value: float | None) -> str:
    return "" if value is None else _rounded(value).removeprefix("0")


def _print_line(screen: Screen, line: Line) -> None:
    shown = line.shown
    screen.print()
    screen.print(
        clean(f"{line.what}: {line.judge} against {_called(shown.against, line.agreement.raters)}"),
        style="bold",
        soft_wrap=True,
    )
    if line.compared is not None:
        screen.print(_confusion(line.compared))
    told = [f"{name} {_number(found)}" for key, name in _LEFT.items() if (found := line.number(key)) is not None]
    if told:
        screen.print("; ".join(told), soft_wrap=False)
    people = line.agreement.people
    if people is not None:
        between = "; ".join(f"{_PEOPLE[name]} {_number(one)}" for name, one in people.numbers.items())
        screen.print(f"Among the raters: {between}; {many(people.units, 'unit')}")
    for sentence in sentences(line.agreement, shown, line.ceiling):
        screen.print(clean(sentence))


_PEOPLE: Final = {
    "agreement": "agreement",
    "kappa": "mean kappa of two",
    "fleiss": "Fleiss' kappa",
    "ac1": "AC1",
    "alpha": "alpha",
    "alpha_ordinal": "ordinal alpha",
    "alpha_interval": "interval alpha",
}


def _called(against: str, raters: Sequence[str]) -> str:
    if len(raters) == 1:
        return raters[0]
    return {"majority": "the raters' majority", "mean": "the raters' mean"}.get(against, against)


def _confusion(compared: Compared) -> Table:
    """Rows are the judge's; the rightmost column is F1 of the class."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("judge \\ raters")
    for name in (*compared.classes, "F1"):
        table.add_column(clean(name), justify="right", no_wrap=True)
    for name, row in zip(compared.classes, compared.table, strict=True):
        counts = (f"{count:,}" for count in row)
        table.add_row(*map(Text, (clean(name), *counts, _number(compared.f1[name]))))
    return table
