"""Runs in one folder: each finds what the others paid for, and they have one budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from judge.errors import ConfigError
from judge.journal.journal import Journal
from judge.settings import Settings
from judge.traces.reading import Traces

__all__ = ["JOURNAL", "finding", "less_spent", "refuse_pipe", "total_spent"]

JOURNAL: Final = "journal.sqlite"
_NOTHING_LEFT_USD: Final = 1e-12
"""A budget is above 0; what is found costs nothing, so a run may end with it."""


def refuse_pipe(traces: Traces, *, reads: str) -> None:
    """Raise where the input cannot be read more than once.

    Args:
        traces: The input.
        reads: Why it is read more than once, as in "once for each version".

    Raises:
        ConfigError: It is no file.
    """
    for path in (traces.path, traces.references):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{path} is no file, and it is read {reads}.")


def finding(settings: Settings, runs: Iterable[Path]) -> Settings:
    """The settings of a run that looks for replies in the journals of others, as far as they have one."""
    return replace(settings, journals=tuple(path for run in runs if (path := run / JOURNAL).exists()))


def less_spent(
    settings: Settings, runs: Iterable[Path], *, rest: str, tell: Callable[[str], None] | None = None
) -> Settings:
    """The settings with what other runs left of the budget.

    Args:
        settings: Its budget is for all.
        runs: The others; those that have no journal spent nothing.
        rest: What is left of it is for this, in words.
        tell: Given how much that is.
    """
    budget, price = settings.budget_usd, settings.token_price
    if budget is None or price is None:
        return settings
    spent = 0.0
    for path in (path for run in runs if (path := run / JOURNAL).exists()):
        with closing(Journal(path, earlier=0)) as journal:
            spent += journal.billed_usd(price)
    left = max(budget - spent, 0.0)
    if tell is not None:
        tell(f"${left:.6g} of the budget of ${budget:g} are left for {rest}.")
    return replace(settings, budget_usd=max(left, _NOTHING_LEFT_USD))


def total_spent(spent: Iterable[Mapping[str, Any]]) -> dict[str, int | float | None]:
    """What several runs paid for, in all their sessions; None where it is not known of one, empty for a free judge."""
    paid = [one for one in spent if one]
    return {name: _sum([one.get(name) for one in paid]) for name in dict.fromkeys(name for one in paid for name in one)}


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
