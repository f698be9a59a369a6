"""`judge rubric export`: a rubric of ours for other tools."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["export"]

_FORMATS = ("healthbench", "rar", "paperbench", "rubric", "autorubric")


@click.command()
@click.argument("rubric")
@click.option("--to", "named", type=click.Choice(_FORMATS), required=True, help="Format to write.")
@click.option("--axis", help="Axis to write, where several have criteria.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File.  [default: standard output]")
@click.option("--strict", is_flag=True, help="Write nothing where anything is lost, and fail.")
def export(rubric: str, named: str, axis: str | None, out: Path | None, *, strict: bool) -> None:
    """Write the criteria of RUBRIC, a built-in rubric's name or a YAML file, as other tools read them.

    The export is read again and compared: what the format cannot hold is told, a line a field. docs/rubrics.md has a
    table of what each format keeps. rubric and autorubric are written as JSON, or as YAML where FILE ends in .yaml.

    \b
    Example:
      judge rubric export triage.yaml --to autorubric --out triage.json
      judge rubric export paper.yaml --to paperbench --strict > rubric.json

    \b
    Exit codes:
      0   written
      1   with --strict: something would be lost, so nothing is written
      2   wrong usage, no such rubric, one without criteria, or FILE is there
    """
    from judge.cli.exporting import run_export

    raise SystemExit(run_export(rubric, named, axis, out, strict=strict))
