"""What `judge redteam` prints: families by harm, the attacks that raised most, quotes, gate, drift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from judge.cli.terminal import Screen, clean
from judge.redteam.attack import Aim, Family
from judge.redteam.campaign import Attacked, Campaign
from judge.redteam.drift import Drift, Gate
from judge.redteam.measure import TRACE_SCORE, Effect, Rate, Worst, not_tried
from judge.redteam.quotes import Quotes
from judge.settings import Settings

__all__ = ["print_attacked"]

_SHOWN: Final = 5
_PARTS: Final[tuple[tuple[str, Aim], ...]] = (
    ("Added to the trace: should change nothing", "raise"),
    ("In place of the trace: answers nothing", "nothing"),
    ("With the reference's words, or another's trace: shown, and checked by no bound", "limit"),
)


def print_attacked(screen: Screen, report: Attacked, settings: Settings, campaign: Campaign) -> None:
    """Print what came of the attacks.

    Args:
        screen: Where.
        report: Of `attack`.
        settings: Of the judge.
        campaign: What was tried, and how it is counted.
    """
    screen.print()
    screen.print(clean(f"{settings.labels.rubric} judged by {settings.labels.judge}, attacked"), style="bold")
    targets, run = len(report.gathered.targets), report.run
    screen.print(
        f"{targets} records, {run.read - targets:,} attacks; {run.read:,} judged = {run.scored:,} scored + "
        f"{run.failed:,} failed. Means of trace scores, with 95 % intervals over records; "
        f"{campaign.pass_mark:g} passes.\n"
    )
    mine = [one for one in report.effects if one.measure == TRACE_SCORE]
    for title, aim in _PARTS:
        if effects := [one for one in mine if one.aim == aim]:
            screen.print(title, style="bold")
            screen.print(_table(effects))
            screen.print()
    if axes := _axis_table(report.effects):
        screen.print(axes)
        screen.print()
    for line in _findings(report, mine, campaign.families):
        screen.print(clean(line))


def _findings(report: Attacked, effects: Sequence[Effect], families: Sequence[Family]) -> Iterator[str]:
    yield from _worst(report.worst)
    if missing := not_tried(families, report.effects):
        yield f"Not tried, as no record has what it takes: {', '.join(missing)}"
    yield _quotes(report.quotes)
    yield _flags(effects, report.gate)
    yield from _gate(report.gate)
    yield _drift(report.drift)


def _table(effects: Sequence[Effect]) -> Table:
    """A column that no family needs is left out; what answers nothing is not compared with what was there."""
    alone = all(one.aim == "nothing" for one in effects)
    columns = {
        "family": [one.family for one in effects],
        "tried": [f"{one.tried:,}" for one in effects],
        "failed": [f"{one.failed:,}" for one in effects] if any(one.failed for one in effects) else [],
        "clean": [] if alone else [_mean(one.clean) for one in effects],
        "attacked": [_mean(one.attacked) for one in effects],
        **(_replaced if alone else _added)(effects),
    }
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = {name: cells for name, cells in columns.items() if cells}
    for name in shown:
        table.add_column(name, justify="left" if name == "family" else "right")
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _added(effects: Sequence[Effect]) -> dict[str, list[str]]:
    return {
        "inflation": [_inflation(one) for one in effects],
        "accepted": [_short(one.accepted) for one in effects],
        "lifted": [_short(one.flips) for one in effects],
    }


def _replaced(effects: Sequence[Effect]) -> dict[str, list[str]]:
    return {
        "above 0": [_bounded(one.accepted) for one in effects],
        "pass": [_bounded(one.passed) for one in effects],
    }


def _axis_table(effects: Sequence[Effect]) -> Table | None:
    """Inflation by axis, whose intervals are in `redteam.json`; none where one axis only has any."""
    measures = (one.measure for one in effects if one.measure != TRACE_SCORE and one.inflation is not None)
    axes = list(dict.fromkeys(measures))
    compared = dict.fromkeys(one.family for one in effects if one.aim != "nothing")
    if len(axes) < 2 or not compared:
        return None
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("inflation by axis", *(axis.removesuffix("_score") for axis in axes)):
        first = name == "inflation by axis"
        table.add_column(clean(name), justify="left" if first else "right", overflow="fold", no_wrap=first)
    for family in compared:
        mine = {one.measure: one for one in effects if one.family == family}
        table.add_row(family, *(_signed(mine[axis].inflation) if axis in mine else "–" for axis in axes))
    return table


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    """What is next to 0 has no sign of its own."""
    return "–" if value is None else f"{round(value, 3) + 0.0:+.3f}"


def _inflation(one: Effect) -> str:
    if one.low is None or one.high is None:
        return _signed(one.inflation)
    return f"{_signed(one.inflation)} [{_signed(one.low)}, {_signed(one.high)}]"


def _short(rate: Rate) -> str:
    return f"{rate.count:,}/{rate.n:,}" if rate.n else "–"


def _rate(rate: Rate) -> str:
    return f"{rate.count:,} of {rate.n:,}" if rate.n else "–"


def _bounded(rate: Rate) -> str:
    """With the bound on the rate where nothing was found, or its interval."""
    if not rate.n or rate.high is None:
        return _rate(rate)
    within = f"< {rate.high:.2g}" if not rate.count else f"[{rate.low:.3f}, {rate.high:.3f}]"
    return f"{_rate(rate)} ({within})"


def _worst(worst: Sequence[Worst]) -> Iterator[str]:
    if worst:
        told = (f"{one.family}/{one.attack} {one.inflation:+.3f} (n = {one.pairs})" for one in worst[:_SHOWN])
        yield f"Raised most: {', '.join(told)}"


def _quotes(quotes: Quotes) -> str:
    return (
        f"Quotes: {quotes.invented:,} of {quotes.quoted:,} were invented, {quotes.invented_accepted:,} of these "
        f"counted; {quotes.planted:,} of {quotes.kept:,} that counted are only in what was added"
    )


def _flags(effects: Sequence[Effect], gate: Gate) -> str:
    told = [f"{one.flagged:,} of {one.tried:,} {one.family}" for one in effects if one.family in ("echo", "hidden")]
    return f"Flagged by the text alone: {', '.join([*told, f'{gate.clean_flagged} of {gate.clean} clean traces'])}"


def _gate(gate: Gate) -> Iterator[str]:
    yield (
        f"Gate: {gate.contentless_passed} of {gate.contentless} traces that say nothing pass it; it stops "
        f"{gate.short_gated} of {gate.short} true short answers and {gate.clean_gated} of {gate.clean} clean traces"
    )
    if gate.clean_joined:
        yield f"{gate.clean_joined} of {gate.clean} clean traces hold control tokens, and are shown with a joiner"


def _drift(drift: Drift | None) -> str:
    if drift is None:
        return "Drift of asking for evidence: not measured, as none is asked for"
    if drift.size is None or drift.mean is None:
        failed = f"{drift.failed_with} failed with it, {drift.failed_without} without"
        return f"Drift of asking for evidence: no clean record has a score with it and without it; {failed}"
    rho = "not defined" if drift.rho is None else f"{drift.rho:.3f}"
    within = "" if drift.low is None or drift.high is None else f" [{_signed(drift.low)}, {_signed(drift.high)}]"
    return (
        f"Drift of asking for evidence, on {drift.n} clean records: {_signed(drift.mean)}{within}, "
        f"mean size {drift.size:.3f}, rank correlation {rho}; "
        f"{drift.failed_with} failed with it, {drift.failed_without} without"
    )
