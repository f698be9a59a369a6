"""`judge estimate`: calls, tokens, price and time of a run, before anything is paid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.members import take_members
from judge.cli.options import EstimateOptions, option, panel_options

__all__ = ["estimate"]


@click.command()
@panel_options
@option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Run directory: what it holds is not paid again."
)
@click.option(
    "--past",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of an earlier run with this judge, to learn tokens and time from.  [default: that of --out]",
)
@click.option(
    "--measure",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help=(
        "Ask for N records now, to measure; this may cost. A run finds their replies in the shared store; "
        "with --cache none they are not kept, and it pays for them again."
    ),
)
def estimate(**given: Any) -> None:
    """Say what scoring TRACES would take: calls, tokens, price, time, and what is paid for already.

    \b
    Example:
      judge estimate traces.jsonl --judge openai/gpt-5-mini
      judge estimate traces.jsonl --judge hosted_vllm/Qwen3-32B \\
          --api-base http://127.0.0.1:8000/v1 --measure 5

    It takes the options of `judge score`, where --dry-run does the same. Nothing is asked without --measure.
    """
    from judge.cli.estimating import run_estimate

    raise SystemExit(run_estimate(take_members(EstimateOptions, given)))
