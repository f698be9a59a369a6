"""`judge rubric import`: rubrics of other tools and data sets, as ours."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["import_"]

_FORMATS = ("healthbench", "rar", "paperbench", "verifiers", "rubric", "autorubric")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "named", type=click.Choice(_FORMATS), help="Format of FILE, where it is not to be found out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A file .yaml for one rubric, else a folder.  [default: standard output, for one rubric]",
)
def import_(file: Path, named: str | None, out: Path | None) -> None:
    """Write the rubrics of FILE as ours. What format it is in is found out from what it holds.

    \b
      healthbench  a row is a rubric: prompt, rubrics [criterion, points, tags]
      rar          a row is a rubric: question, reference_answer,
                   rubric [title, description, weight]
      paperbench   a tree: id, requirements, weight, sub_tasks
      verifiers    TOML or JSON: criteria [name, text, weight, choices]
      rubric       JSON or YAML: [weight, requirement]
      autorubric   JSON or YAML: [name, weight, requirement, options]

    What is written stays as it is: a sign that is wrong is for `judge rubric lint` to find. What has no field in a
    rubric of ours stands in `meta`, which no judge sees; what has no place at all is told, a line each.

    Rows of HealthBench and RaR need no import to be scored: `judge score --rubric healthbench` and `--rubric rar` read
    them as they are. Import one to edit its criteria.

    \b
    Example:
      judge rubric import rubric.json --out paper.yaml
      judge rubric import healthbench.jsonl --out rubrics
      judge rubric lint rubrics/*.yaml

    \b
    Exit codes:
      0   written
      1   written, and some cannot be used as they are: says which, and why
      2   wrong usage, no rubric that is known, or a file is there already;
          nothing is written
    """
    from judge.cli.importing import run_import

    raise SystemExit(run_import(file, named, out))
