"""What a panel comes to, as a reader sees it: its means, beside them those of its judges, and where they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from rich.table import Table
from rich.text import Text

from judge.caution import Caution
from judge.cli.legend import legend
from judge.cli.means import NO_SUCH_NUMBER, Means, asked_axes, model_name
from judge.cli.summary import answer_lines, caution_lines, difference_table, prefix_lines
from judge.cli.terminal import Screen, clean
from judge.difference import Difference
from judge.panel_run import Member, PanelReport
from judge.panels.accord import PairAccord
from judge.panels.doubtful import DOUBTFUL
from judge.panels.rule import PanelRule

__all__ = ["print_panel"]

_WHY = {
    "split": "split evenly",
    "judges_differ": "judged differently",
    "samples_differ": "of samples that differ",
    "unsure": "of a probability near one half",
}
_MOST_PAIRS = 3


def print_panel(
    screen: Screen,
    report: PanelReport,
    summary: pl.DataFrame,
    differences: Sequence[Difference],
    *,
    rule: PanelRule,
    out: Path,
    seed: int,
) -> None:
    """Print the panel's means, those of its judges, how far they agree, and what there is to look at.

    Args:
        screen: Where.
        report: How the session ended.
        summary: Of `summarise`: per model, the rows of every judge and of the panel.
        differences: Of `find_differences`, by the panel's scores.
        rule: Who is in the panel.
        out: The run directory.
        seed: Of the bootstrap intervals.
    """
    show, labels = screen.print, rule.labels
    own = summary.filter(judge=labels.judge)
    axes = asked_axes(own, rule.members[0].rubric.axes)
    show(f"\n{clean(labels.rubric)} judged by {clean(labels.judge)}: means with 95 % intervals\n")
    show(Means(own, axes))
    show(f"\n{legend(axes)}\n", style="dim")
    show(_judges_table(summary, rule))
    show()
    show(_accord_table(report, seed))
    show()
    if differences:
        show(difference_table(differences))
        show()
    for line in (*answer_lines(own), *_lines(report, out)):
        show(line)


def _judges_table(summary: pl.DataFrame, rule: PanelRule) -> Table:
    """The trace score of each model by each judge, and by the panel."""
    table = _table("trace score by judge", "model", left=2)
    for name in ("mean", "n", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for judge in (*rule.judges, rule.labels.judge):
        for row in summary.filter(judge=judge, measure="trace_score").iter_rows(named=True):
            mean = _mean(row["mean"], row["low"], row["high"])
            table.add_row(Text(clean(judge)), Text(model_name(row["model"])), mean, str(row["n"]), str(row["n_failed"]))
    return table


def _accord_table(report: PanelReport, seed: int) -> Table:
    table = _table("judges agree on", left=1)
    for name in ("share of pairs", "alpha", "units", "records"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in report.accord.axes(seed=seed):
        share = _mean(one.agreement, one.low, one.high)
        alpha = NO_SUCH_NUMBER if one.alpha is None else f"{one.alpha:.2f}"
        table.add_row(Text(clean(one.axis)), share, alpha, f"{one.units:,}", f"{one.records:,}")
    return table


def _table(*names: str, left: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names[:left]:
        table.add_column(name, overflow="fold")
    return table


def _mean(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return "null"
    return f"{mean:.2f}" + (f" {low:.2f}–{high:.2f}" if low is not None and high is not None else "")


def _lines(report: PanelReport, out: Path) -> Iterator[str]:
    pairs = report.accord.pairs()
    yield from map(_pair, pairs[:_MOST_PAIRS] if len(pairs) > 1 else ())
    yield f"{report.read} records read = {report.scored} scored + {report.failed} failed, by the panel"
    yield from (_failed(one) for one in report.members if one.report is not None and one.report.failed)
    missing = report.units_asked - report.units_judged
    if missing or report.failed:
        gone = f"{missing:,} of {report.units_asked:,} units have no verdict of the panel"
        yield f"{gone}; {out / 'failures.jsonl'} says why"
    yield _spent(report)
    yield from prefix_lines(report.spent)
    yield from _cautions(report)
    yield from (f"Note: {clean(note)}" for note in report.notes)
    if report.doubtful:
        counts = ", ".join(f"{count:,} {_WHY[why]}" for why, count in report.doubtful.items())
        number = sum(report.doubtful.values())
        yield f"For people to look at: {number:,} units ({counts}); judge label TRACES --only {out / DOUBTFUL}"
    yield f"Written to {out}: scores.parquet, verdicts.parquet, calls.parquet, run.json, failures.jsonl, {DOUBTFUL}"


def _pair(one: PairAccord) -> str:
    return f"{clean(one.judge)} and {clean(one.other)} say the same of {one.agreement:.0%} of {one.units:,} units"


def _failed(one: Member) -> str:
    assert one.report is not None
    return (
        f"{clean(one.judge)} failed on {one.report.failed:,} of {one.report.read:,} records; they are the others' alone"
    )


def _spent(report: PanelReport) -> str:
    if not report.spent:
        return "All computed here at no cost"
    spent, cost = report.spent, report.spent["cost_usd"]
    price = "price unknown; --price IN,OUT gives one" if cost is None else f"${cost:.4f}"
    tokens = [spent[name] for name in ("prompt_tokens", "completion_tokens")]
    told = " + ".join("an unknown number of" if count is None else f"{count:,}" for count in tokens)
    return f"{spent['replies']:,} calls paid for ({told} tokens, {price})"


def _cautions(report: PanelReport) -> Iterator[str]:
    """Each kind once, in the words of the first judge: much is said of the traces, and so of every judge alike."""
    found: dict[str, list[tuple[str, Caution]]] = {}
    for judge, caution in report.cautions:
        found.setdefault(caution.code, []).append((judge, caution))
    for told in found.values():
        (line,) = caution_lines([told[0][1]])
        alike = len(told) == len(report.members) and len({caution.message for _, caution in told}) == 1
        yield line if alike else f"{line} ({', '.join(clean(judge) for judge, _ in told)})"
