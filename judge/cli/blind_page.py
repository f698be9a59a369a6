"""What a blind check says, below the means of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from judge.cli.terminal import Screen, clean
from judge.trust.blind import BlindArm, BlindCheck, BlindMove

__all__ = ["print_blind", "unmoved_lines"]

_SHOWN: Final[Mapping[BlindArm, str]] = {
    "without": "without its image",
    "swapped": "with the image of another record",
}
_STILL: Final = "No score changed at all: it is scored from the texts."
_NOISY: Final = "Scores change by {:.3f} on average, up as much as down: judge noise says how much of that is noise."
_ROUNDING: Final = 1e-9


def print_blind(screen: Screen, check: BlindCheck) -> None:
    """Print how far each axis moves, and name those that do not."""
    screen.print(f"Blind check: {len(check.lines)} records asked about again, axis scores less those with their image")
    screen.print(_table(check))
    for line in unmoved_lines(check):
        screen.print(clean(line))
    cost = check.spent.get("cost_usd")
    price = "price unknown" if cost is None else f"${cost:.4f}"
    screen.print(f"It took {check.spent.get('replies') or 0:,} calls paid for ({price}), which are counted below.\n")


def unmoved_lines(check: BlindCheck) -> Iterator[str]:
    """A line for each axis and arm in which the judge scores as if it did not look."""
    for one in check.unmoved:
        size = one.mean_absolute or 0.0
        said = f"{one.axis} did not move {_SHOWN[one.arm]}: mean difference {_signed(one)}, {one.n} records."
        yield f"{said} {_STILL if size < _ROUNDING else _NOISY.format(size)}"


def _table(check: BlindCheck) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("axis", "asked", "mean |difference|", "mean difference", "n", "failed"):
        words = name in ("axis", "asked")
        table.add_column(name, justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for one in check.moves:
        size = "–" if one.mean_absolute is None else f"{one.mean_absolute:.3f}"
        cells = (clean(one.axis), _SHOWN[one.arm], size, _signed(one), str(one.n), str(one.n_failed))
        table.add_row(*map(Text, cells))
    return table


def _signed(one: BlindMove) -> str:
    if one.mean is None:
        return "–"
    bounds = "" if one.low is None or one.high is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.mean:+.3f}{bounds}"
