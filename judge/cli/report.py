"""`judge report`: runs -> one HTML file to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.options import option, options_of_score

__all__ = ["report"]

_LARGEST_SEED = 2**32 - 1


@options_of_score("map", "references", "on", "image_root", "as_json")
@click.command()
@click.argument(
    "runs", metavar="RUN…", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write, HTML.")
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labels of people: shown beside the verdicts, with how far they agree.",
)
@click.option(
    "--traces",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Files with the traces, where they are not where the runs read them, or were read with --map or --references.",
)
@click.option("--all", "whole", is_flag=True, help="Embed every record, however large the file gets.")
@click.option("--no-text", is_flag=True, help="Leave out all that quotes a record: numbers, ids and names stay.")
@option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the bootstrap intervals, and of the choice of records.",
)
def report(**given: Any) -> None:
    """Write one HTML file about run directories: means with intervals, plots, and the records behind them.

    RUN is the --out directory of `judge score`, `judge compare`, `judge noise` or `judge redteam`.

    It needs no network, and can be sent to others: it holds what it shows, and asks nobody. Records can be
    filtered, sorted and searched; each shows its trace with the evidence marked, and the verdicts of all runs beside
    each other. Up to 2,000 records are embedded: all that failed, the most doubtful, those with labels, and others at
    random; means and plots are of all records.

    \b
    Example:
      judge report runs/first --out report.html
      judge report runs/qwen runs/gpt runs/noise \\
          --labels labels.jsonl --out report.html
      judge report runs/first --no-text --out numbers.html

    It needs pip install 'rationale-judge[report]'.

    \b
    Exit codes:
      0   written
      2   wrong usage, run or labels file
    """
    if given["no_text"] and given["traces"]:
        raise click.UsageError("--no-text shows nothing of --traces; leave one of them out.")
    from judge.cli.reporting import ReportOptions, run_report

    raise SystemExit(run_report(ReportOptions(**given)))
