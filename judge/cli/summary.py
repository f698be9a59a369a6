"""What a run comes to, as a reader sees it: the table of means, differences between models, cautions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl
from rich.table import Table
from rich.text import Text

from judge.caution import Caution
from judge.cli.terminal import clean
from judge.difference import Difference

__all__ = ["LEGEND", "answer_lines", "caution_lines", "difference_table", "prefix_lines", "summary_table"]

LEGEND = """\
grounding    how much of the reference the trace raised
correctness  how much of what it raised is right, where it raised anything
score        grounding × correctness of each record; trace: mean of the axes
n            records with a score; 3/5 where only 3 of 5 have a correctness"""
_Row: TypeAlias = dict[str, Any]
_Rows: TypeAlias = dict[str, _Row]
_MOST_CAUTIONS = 6
_MOST_DIFFERENCES = 10
_MILLION = 1_000_000


def summary_table(summary: pl.DataFrame, axes: Sequence[str]) -> Table:
    """Means with their intervals: a block per model with a line per axis, the best trace score first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for name in ("axis", "grounding", "correctness", "score", "n", "failed"):
        table.add_column(name, justify="left" if name == "axis" else "right", no_wrap=True)
    shown = [*(axis for axis in axes if _was_asked(summary, axis)), "trace"]
    for model, rows in _by_model(summary):
        # One row of many lines, so that a long name folds beside the numbers. Text, as a str would be read as markup.
        lines = [_axis_line(axis, rows) for axis in shown]
        table.add_row(Text(_name(model), style="bold"), *map(_stacked, zip(*lines, strict=True)))
    return table


def _axis_line(axis: str, rows: _Rows) -> tuple[str, ...]:
    score = rows[f"{axis}_score"]
    means = [_mean(rows[f"{axis}_{part}"]) for part in ("grounding", "correctness", "score")]
    return (clean(axis), *means, _number(rows, axis), str(score["n_failed"]) if axis == "trace" else "")


def _number(rows: _Rows, axis: str) -> str:
    """Correctness is a mean of fewer records than the score where some raised nothing."""
    scored, raised = rows[f"{axis}_score"]["n"], rows[f"{axis}_correctness"]["n"]
    return str(scored) if raised == scored else f"{raised}/{scored}"


def _stacked(cells: tuple[str, ...]) -> Text:
    """Cells of one column below each other; the last is the trace's."""
    return Text("\n").join([*map(Text, cells[:-1]), Text(cells[-1], style="bold")])


def answer_lines(summary: pl.DataFrame) -> list[str]:
    """How many final answers of each model were right, where its records have a reference answer."""
    return [_answers(model, rows) for model, rows in _by_model(summary) if rows["answer_correct"]["n"]]


def _answers(model: str | None, rows: _Rows) -> str:
    right, given = rows["answer_correct"], rows["answered"]
    share = f"{right['mean']:.0%} right, {given['mean']:.0%} gave one"
    return f"Final answers of {_name(model)}: {share} (n = {right['n']})"


def prefix_lines(spent: Mapping[str, int | float | None]) -> list[str]:
    """How much of the prompts the server had in its prefix cache; nothing where it does not tell."""
    cached, prompt = spent.get("cached_tokens"), spent.get("prompt_tokens")
    if cached is None or not prompt:
        return []
    size = f"{prompt / _MILLION:.1f} M" if prompt >= _MILLION else f"{prompt:,}"
    return [f"prefix cache: {100 * cached / prompt:.0f} % of {size} prompt tokens"]


def _by_model(summary: pl.DataFrame) -> Iterator[tuple[str | None, _Rows]]:
    """The rows of each model by measure, the best trace score first."""
    scores = summary.filter(measure="trace_score").sort("mean", descending=True, nulls_last=True, maintain_order=True)
    for model in scores["model"]:
        rows = summary.filter(pl.col("model").eq_missing(model)).iter_rows(named=True)
        yield model, {row["measure"]: row for row in rows}


def _name(model: str | None) -> str:
    return "(no model)" if model is None else clean(model)


def _mean(row: _Row) -> str:
    if row["mean"] is None:
        return "–"
    interval = f" {_bound(row['low'])}–{_bound(row['high'])}" if row["low"] is not None else ""
    return f"{row['mean']:.2f}{interval}"


def _bound(value: object) -> str:
    return f"{value:.2f}".removeprefix("0")  # so that a row fits 80 columns


def _was_asked(summary: pl.DataFrame, axis: str) -> bool:
    """Whether any record has units of this axis; one whose units all failed is shown, as a gap."""
    return summary.filter((pl.col("n") > 0) | (pl.col("n_failed") > 0), measure=f"{axis}_score").height > 0


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
