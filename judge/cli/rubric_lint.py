"""`judge rubric lint`: what is wrong, or likely wrong, with a rubric and its units."""

from __future__ import annotations

import click

__all__ = ["lint"]


@click.command()
@click.argument("rubrics", metavar="RUBRIC...", nargs=-1, required=True)
@click.option(
    "--records",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="TRACES",
    help="Also look at the units of these records; they need no trace.",
)
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--ignore", "ignored", multiple=True, metavar="RULE", help="Leave the warnings of a rule away; repeat it."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def lint(
    rubrics: tuple[str, ...], records: str | None, *, strict: bool, ignored: tuple[str, ...], as_json: bool
) -> None:
    """Find what is wrong, or likely wrong, with rubrics and with the units that they score.

    RUBRIC is a built-in rubric's name, or the path of a YAML file. Each finding is a line: file, line, column, error or
    warning, the rule's id, what is wrong and what to do. docs/rules.md has a page of each rule.

    \b
    Example:
      judge rubric lint pkr
      judge rubric lint triage.yaml --records traces.jsonl
      judge rubric lint rubrics/*.yaml --strict --ignore compound

    \b
    Exit codes:
      0   no errors (with --strict: no warnings either)
      1   there are some
      2   a rubric, the records or an option cannot be used
    """
    from judge.cli.linting import run_lint

    raise SystemExit(run_lint(rubrics, records, strict=strict, ignored=ignored, as_json=as_json))
