"""`judge agree`: what a judge said, held against what people say of the same units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.declared import seed_option
from judge.cli.option_types import Least
from judge.cli.options import AgreeOptions

__all__ = ["agree"]

_PROBES = ("outcome", "raised", "presence", "correctness", "verdict", "value", "preference")


@click.command()
@click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.argument("labels", metavar="LABELS", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--probe", "probes", type=click.Choice(_PROBES), multiple=True, help="Only what was asked so.  [default: all]"
)
@click.option("--axis", "axes", metavar="NAME", multiple=True, help="Only this axis.  [default: all]")
@click.option("--by-unit", is_flag=True, help="Each unit or criterion apart too, over the records that have it.")
@click.option(
    "--against",
    metavar="RATER|majority",
    default="majority",
    show_default=True,
    help="Whom the judges are held against in what is shown.",
)
@seed_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every number there: a row a number in .parquet, all as one object in .json.",
)
@click.option(
    "--fail-under",
    type=Least(),
    multiple=True,
    help="End with 1 where a judge reaches less on a line that is shown and has this number, or it is null: kappa=0.6.",
)
@click.option("--json", "as_json", is_flag=True, help="All numbers as one JSON object on standard output.")
def agree(**given: Any) -> None:
    """Hold what the judges of RUN said against LABELS, which people gave to the same units.

    RUN is the --out directory of `judge score` or `judge compare`; with several, each judge is a rater of its own.
    LABELS is JSONL or Parquet, as `judge label` writes it: record_id, axis, unit_id, rater, `model` where an id has
    several traces, and presence with correctness, a verdict, or a value.

    \b
    Example:
      judge agree runs/first labels.jsonl
      judge agree runs/first labels.jsonl --probe outcome --fail-under kappa=0.6

    Shown with n and 95 % intervals: how far each judge agrees with the majority of the people, how far people agree
    with each other, what one who always gives the commonest answer would reach, and how much of what one person reaches
    against the others the judge reaches. Answers that could not be used are left out, and their share is shown.

    \b
    Exit codes:
      0   shown
      1   --fail-under: a judge reaches less
      2   wrong usage, run or labels: says which lines are no label
    """
    from judge.cli.agreeing import show_agreement

    raise SystemExit(show_agreement(AgreeOptions(**given)))
