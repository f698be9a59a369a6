"""`judge replay`: recorded judge outputs -> a run directory."""

from __future__ import annotations

from pathlib import Path

import click

from judge.cli.options import option

__all__ = ["replay"]


@click.command()
@click.argument(
    "recordings",
    metavar="RECORDINGS...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--format", "named", required=True, metavar="NAME|FILE.yaml", help="Built-in format, or a declaration.")
@option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Run directory.")
@option("--overwrite", is_flag=True, help="Start afresh, whatever is in --out.")
@option("--quiet", is_flag=True, help="No table; errors only.")
@option("--json", "as_json", is_flag=True, help="What came of it as one JSON object on standard output.")
def replay(recordings: tuple[Path, ...], named: str, out: Path, *, overwrite: bool, quiet: bool, as_json: bool) -> None:
    """Read recorded judge outputs into a run directory, strictly, and ask nobody.

    \b
      llmbar           pairs, both orders: … Therefore, Output (a) is better.
      llmbar-final     the same, and only the form that was asked for
      llmbar-rating    pairs, each output scored alone
      amel             pairs, one order: 1 or 2 and what follows
      vicuna           pairs, two scores in a review
      pandalm          pairs, a label; three annotators
      mtbench-single   a scale: [[5]]
      healthbench-m42  criteria: true or false

    A text in which there is no verdict of a declared form has none: an error, what was cut off before it, two verdicts
    that differ. It is a failure that says why, and never a number. The labels of people that the rows bring are written
    beside it, for judge agree. docs/replay.md says how to declare a format of your own.

    \b
    Example:
      judge replay replay/natural.jsonl --format llmbar --out runs/llmbar
      judge agree runs/llmbar runs/llmbar/labels.jsonl
      judge replay mine.jsonl --format mine.yaml --out runs/mine

    \b
    Exit codes:
      0   every recording has a verdict
      2   wrong usage, format or file; nothing is written
      3   finished, some recordings have none: failures.jsonl says why
    """
    from judge.cli.replaying import run_replay

    raise SystemExit(run_replay(recordings, named, out, overwrite=overwrite, quiet=quiet, as_json=as_json))
