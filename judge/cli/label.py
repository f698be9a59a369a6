"""`judge label`: a page on this machine where a person answers what a judge would be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.options import option, reading_options

__all__ = ["label"]

_LONGEST_NAME = 100


class _Rater(click.ParamType[str]):
    """Who labels: a name that fits a table."""

    name = "NAME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not (value == value.strip() and value.isprintable() and 1 <= len(value) <= _LONGEST_NAME):
            self.fail(f"{value!r} is no name of 1 to {_LONGEST_NAME} characters without spaces around it", param, ctx)
        return value


@click.command()
@click.argument("traces", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File of labels, JSONL.")
@option("--rater", required=True, type=_Rater(), help="Who labels; others may label into the same file later.")
@option("--rubric", default="pkr", show_default=True, metavar="NAME|FILE", help="Built-in rubric, or a YAML file.")
@click.option(
    "--only",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="JSONL that names the units to label, in this order: record_id, model, axis, unit_id; such as doubtful.jsonl "
    "of a run.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Of the page on 127.0.0.1; 0 takes one that is free.",
)
@reading_options
@click.option("--json", "as_json", is_flag=True, help="What came of it as one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="Print the page's address and errors only.")
def label(**given: Any) -> None:
    """Label TRACES by hand: what a judge would be asked, and where the trace says so.

    Of a unit: whether it is raised (0, 1, 2) and right. Of a criterion: whether it is met. Of a scale: the level. For
    each you see what a judge sees of the record, and no more: no verdict of a judge, and no model's name.

    It prints the address of a page, which is open to who has this address, on this machine only. Every label is on the
    disk before the page says "Saved".

    \b
    Example:
      judge label traces.jsonl --out labels.jsonl --rater ann
      judge label traces.jsonl --out labels.jsonl --rater ben --limit 50
      judge label traces.jsonl --out labels.jsonl --rater ann \\
          --only runs/panel/doubtful.jsonl

    Ctrl-C ends it. The same command again goes on where you stopped. It needs pip install 'rationale-judge[serve]'.

    \b
    Exit codes:
      0   every unit has a label
      2   wrong usage, input, rubric or labels file
      3   every unit has a label, but some records could not be read
      75  units are left; the same command goes on
    """
    from judge.cli.labelling import Labelling, LabelOptions

    raise SystemExit(Labelling(LabelOptions(**given)).run())
