"""What a run comes to, as a reader sees it below the means: answers, differences between models, cautions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.table import Table
from rich.text import Text

from judge.caution import Caution
from judge.cli.means import by_model, model_name
from judge.cli.terminal import clean
from judge.difference import Difference

__all__ = ["answer_lines", "caution_lines", "difference_table", "prefix_lines"]

_MOST_CAUTIONS = 6
_MOST_DIFFERENCES = 10
_MILLION = 1_000_000


def answer_lines(summary: pl.DataFrame) -> list[str]:
    """How many final answers of each model were right, where its records have a reference answer."""
    return [_answers(model, rows) for model, rows in by_model(summary) if rows["answer_correct"]["n"]]


def _answers(model: str | None, rows: dict[str, dict[str, Any]]) -> str:
    right, given = rows["answer_correct"], rows["answered"]
    share = f"{right['mean']:.0%} right, {given['mean']:.0%} gave one"
    return f"Final answers of {model_name(model)}: {share} (n = {right['n']})"


def prefix_lines(spent: Mapping[str, int | float | None]) -> list[str]:
    """How much of the prompts the server had in its prefix cache; nothing where it does not tell."""
    cached, prompt = spent.get("cached_tokens"), spent.get("prompt_tokens")
    if cached is None or not prompt:
        return []
    size = f"{prompt / _MILLION:.1f} M" if prompt >= _MILLION else f"{prompt:,}"
    return [f"prefix cache: {100 * cached / prompt:.0f} % of {size} prompt tokens"]


def difference_table(differences: Sequence[Difference]) -> Table:
    """Pairs of models on the records that both have: mean, interval, and whether it tells them apart."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trace score on shared records", overflow="fold")
    for name in ("difference", "n", "told apart"):
        table.add_column(name, justify="left" if name == "told apart" else "right", no_wrap=True)
    for one in differences[:_MOST_DIFFERENCES]:
        pair = f"{clean(one.model)} \N{MINUS SIGN} {clean(one.other)}"
        table.add_row(Text(pair), _signed(one), str(one.n), _told_apart(one))
    if len(differences) > _MOST_DIFFERENCES:
        table.add_row(f"… and {len(differences) - _MOST_DIFFERENCES} more in --json")
    return table


def _signed(one: Difference) -> str:
    if one.low is None or one.high is None:
        return f"{one.mean:+.2f}"
    return f"{one.mean:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"


def _told_apart(one: Difference) -> str:
    if one.separated:
        return "yes"
    return f"with about {one.needed:,} records" if one.needed is not None and one.needed > one.n else "no"


def caution_lines(cautions: Sequence[Caution]) -> list[str]:
    """What to doubt, one line each; of many, the first few."""
    lines = [f"Caution: {clean(caution.message)}" for caution in cautions[:_MOST_CAUTIONS]]
    more = len(cautions) - _MOST_CAUTIONS
    return lines + ([f"{more} more cautions are in run.json."] if more > 0 else [])
