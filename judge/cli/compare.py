"""`judge compare`: traces of two models -> which is better, by a judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.options import COMPARE_TAKES, option, options_of_score, take_comparing

__all__ = ["compare"]

_LARGEST_SEED = 2**32 - 1


@options_of_score(*COMPARE_TAKES)
@click.command()
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="TRACES...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Run directory.")
@option(
    "--rubric",
    default="pkr-preference",
    show_default=True,
    metavar="NAME|FILE",
    help="Built-in rubric, or a YAML file, with axes of preference.",
)
@option("--margin", type=float, default=1e-9, show_default=True, help="Scores that are no further apart are a tie.")
@option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the bootstrap intervals.",
)
@option("--overwrite", is_flag=True, help="Start afresh, whatever is in --out.")
@option("--dry-run", is_flag=True, help="Say what it would take, and ask nobody.")
@option("--quiet", is_flag=True, help="No progress, no notices, no table; errors only.")
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning"]),
    default="warning",
    show_default=True,
    help="What is logged to standard error: info tells of failed attempts, debug of every one.",
)
def compare(**given: Any) -> None:
    """Ask a judge which of two traces of a question is better, for all records that share an id.

    \b
    Example:
      judge compare qwen.jsonl llama.jsonl --out runs/qwen-llama \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    \b
    Exit codes:
      0   all compared
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some failed or had no partner: failures.jsonl says why
      75  stopped early; the same command resumes
    """
    from judge.cli.pair_asking import PairAsking

    raise SystemExit(PairAsking(take_comparing(given)).run())
