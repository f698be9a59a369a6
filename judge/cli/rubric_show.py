"""`judge rubric show`: what a rubric says; without a name, which ones are built in."""

from __future__ import annotations

import click

__all__ = ["show"]


@click.command()
@click.argument("rubric", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def show(rubric: str | None, *, as_json: bool) -> None:
    """Show what RUBRIC says: a built-in one by its name, or a YAML file. Without RUBRIC, list those built in.

    The fingerprint is over what the rubric means: comments and the order of keys leave it as it is.

    \b
    Example:
      judge rubric show
      judge rubric show pkr
      judge rubric show triage.yaml --json

    \b
    Exit codes:
      0   shown
      2   there is no such rubric, or its file is wrong: says where
    """
    from judge.cli.showing import list_rubrics, show_rubric

    raise SystemExit(list_rubrics(as_json=as_json) if rubric is None else show_rubric(rubric, as_json=as_json))
