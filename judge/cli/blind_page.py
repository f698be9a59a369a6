"""What a blind check says, below the means of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from judge.cli.terminal import Screen, clean
from judge.trust.blind import BlindArm, BlindCheck
from judge.trust.blind_words import signed, unmoved_lines

__all__ = ["print_blind"]

_IMAGE: Final[Mapping[BlindArm, str]] = {"without": "none", "swapped": "of another"}


def print_blind(screen: Screen, check: BlindCheck) -> None:
    """Print how far each axis moves, and name those that do not."""
    screen.print(f"Blind check: {len(check.lines)} records asked about again, axis scores less those with their image")
    screen.print(_table(check))
    for line in unmoved_lines(check):
        screen.print(clean(line))
    cost = check.spent.get("cost_usd")
    price = "price unknown" if cost is None else f"${cost:.4f}"
    screen.print(f"It took {check.spent.get('replies') or 0:,} calls paid for ({price}), which are counted below.\n")


def _table(check: BlindCheck) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("axis", "image", "mean |difference|", "mean difference", "n", "failed"):
        words = name in ("axis", "image")
        table.add_column(name, justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for one in check.moves:
        size = "–" if one.mean_absolute is None else f"{one.mean_absolute:.3f}"
        cells = (clean(one.axis), _IMAGE[one.arm], size, signed(one), str(one.n), str(one.n_failed))
        table.add_row(*map(Text, cells))
    return table
