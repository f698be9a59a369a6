"""What `judge noise` prints: flip rates, what the variance of scores is made of, and the units that flip most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from judge.beside import total_spent
from judge.cli.means import NO_SUCH_NUMBER, with_interval
from judge.cli.terminal import Screen, clean
from judge.estimate import Estimate
from judge.progress import RunReport
from judge.trust.flips import Flipped, FlipRate, Sway, Told
from judge.trust.noise import Noise, Split

__all__ = ["call_line", "print_noise"]

_SHOWN: Final = 10
_PARTS: Final[tuple[Told, ...]] = ("presence", "correctness")
_VARIED: Final = {"orders": "the order of the units", "templates": "the wording of the rules"}


def call_line(found: Sequence[Estimate]) -> str:
    """What all asks together would take, in a sentence."""
    calls, stored = (sum(getattr(one, name) for one in found) for name in ("calls", "stored"))
    costs = [one.cost_usd for one in found]
    price = "price not known" if None in costs else f"about ${sum(cost for cost in costs if cost):.4f}"
    asked = f"{found[0].records:,} records asked about in {len(found)} ways"
    return f"{asked}: at most {calls:,} calls, {stored:,} of them paid for already, {price}."


def print_noise(screen: Screen, noise: Noise, reports: Sequence[RunReport], out: Path) -> None:
    """Print what is known of a judge's noise."""
    plain = noise.asks[0]
    screen.print(f"\n{clean(plain.judge)} asked in {len(noise.asks)} ways about {plain.read:,} records\n")
    for title, table in _tables(noise):
        screen.print(title, style="bold")
        screen.print(table)
        screen.print()
    if noise.flipped:
        screen.print("Units that differ most, with two asks that do", style="bold")
        for line in _unit_lines(noise.flipped[:_SHOWN]):
            screen.print(clean(line))
        screen.print()
    for line in _findings(noise):
        screen.print(clean(line))
    screen.print(_counts(noise, reports))
    for note in dict.fromkeys(note for report in reports for note in report.notes):
        screen.print(clean(f"Note: {note}"))
    screen.print(clean(f"Written to {out}: noise.parquet, noise.json, run.json, and a run for each way of asking"))


def _tables(noise: Noise) -> Iterator[tuple[str, Table]]:
    yield "How often two asks about one unit differ, mean over records with 95 % interval", _flip_table(noise.flips)
    yield "How much of the variance of a score is noise", _split_table(noise.splits)


def _table(*names: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        number = name in right  # of which none is cut to fit a line
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def _flip_table(flips: Sequence[FlipRate]) -> Table:
    """A line an arm and axis; a criterion's verdict and a scale's level are all that there is of it."""
    parts = [part for part in _PARTS if any(one.told == part for one in flips)]
    rates = ("any", *parts)
    table = _table("arm", "axis", *rates, "records", "units", right=(*rates, "records", "units"))
    found = {(one.arm, one.axis, one.told): one for one in flips}
    for one in flips:
        if one.told == "any":
            shares = [_rate(one), *(_rate(found.get((one.arm, one.axis, part))) for part in parts)]
            table.add_row(*map(Text, (one.arm, clean(one.axis or "all"), *shares, f"{one.n:,}", f"{one.units:,}")))
    return table


def _rate(one: FlipRate | None) -> str:
    return NO_SUCH_NUMBER if one is None or one.rate is None else with_interval(one.rate, one.low, one.high)


def _split_table(splits: Sequence[Split]) -> Table:
    numbers = ("between\nrecords", "noise", "noise share", "records", "SE of\nmean", "asks\nenough")
    table = _table("arm", "score", *numbers, right=numbers)
    for one in splits:
        found = one.variance
        share = NO_SUCH_NUMBER if found.share is None else with_interval(found.share, found.low, found.high)
        enough = NO_SUCH_NUMBER if found.enough is None else str(found.enough)
        amounts = (_small(found.between), _small(found.noise), share, f"{found.records:,}")
        measure = clean(one.measure.removesuffix("_score"))
        table.add_row(*map(Text, (one.arm, measure, *amounts, _small(found.standard_error), enough)))
    return table


def _unit_lines(flipped: Sequence[Flipped]) -> Iterator[str]:
    """Each unit with two asks that differ: columns would leave a reason no room."""
    for one in flipped:
        where = f"{one.record_id} (line {one.line}), {one.axis}.{one.unit_id}"
        yield f"{where}: {one.differ} of {one.pairs} pairs of {one.arm}"
        for ask, said, reason in (
            (one.one_ask, one.one, one.one_reason),
            (one.other_ask, one.other, one.other_reason),
        ):
            yield f"  {ask}: {said}{f' – {reason}' if reason else ''}"


def _findings(noise: Noise) -> Iterator[str]:
    yield from (_sway(one) for one in noise.sways)
    clipped = [f"{one.measure} ({one.arm})" for one in noise.splits if one.variance.clipped]
    if clipped:
        said = "Variance between records was estimated below 0 and is cut to 0"
        yield f"{said}: {', '.join(clipped)}. The records are too alike, or too few, to tell them from noise."


def _sway(one: Sway) -> str:
    varied = _VARIED[one.arm]
    more = f"{one.more:+.3f}{_interval(one.low, one.high)} against asking the same again, {one.n} records"
    if one.sways:
        return f"{one.arm}: {varied} moves verdicts by itself ({more})."
    return f"{one.arm}: no sign that {varied} moves verdicts by itself ({more})."


def _counts(noise: Noise, reports: Sequence[RunReport]) -> str:
    read, scored = (sum(getattr(ask, name) for ask in noise.asks) for name in ("read", "scored"))
    spent = total_spent([report.spent for report in reports])
    cost = spent.get("cost_usd")
    price = "price unknown; --price IN,OUT gives one" if cost is None else f"${cost:.4f}"
    paid = f"{spent.get('replies') or 0:,} calls paid for ({price})"
    return f"{read} records read in all ways = {scored} scored + {noise.failed} failed; {paid}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"


def _small(value: float | None) -> str:
    return NO_SUCH_NUMBER if value is None else f"{value:.4f}"
