"""`judge compare`: which of two models reasons better, axis by axis: by a judge, or by the scores of two runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from judge.cli.options import (
    COMPARE_TAKES,
    log_level_option,
    option,
    options_of_score,
    overwrite_option,
    quiet_option,
    seed_option,
    take_comparing,
)

__all__ = ["compare"]

_OF_RUNS = ("margin", "axes", "baseline", "seed", "out", "quiet", "as_json")
_OF_TRACES = ("axes", "baseline", "seed", "out", "rubric", "overwrite", "dry_run", "quiet", "log_level", *COMPARE_TAKES)
_MARGIN = 1e-9  # as judge.preference has it, which would load Polars


@options_of_score(
    *COMPARE_TAKES,
    judge="Who says which of two traces is better: a model that reads. Needed with files of traces.",
    granularity="Questions that share a call: all of an order (trace), or each alone.  [default: axis, each alone]",
    evidence="A preference whose quote is not in the better trace fails, or is only marked (flag); none asks for no "
    "quotes.  [default: required]",
    limit="Look at the first N record ids.",
)
@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path(exists=True, path_type=Path))
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Run directory of what a judge says; needed with trace files. With runs: where the preferences are kept.",
)
@option(
    "--rubric",
    default="pkr-preference",
    show_default=True,
    metavar="NAME|FILE",
    help="Built-in rubric, or a YAML file, with axes of preference.",
)
@option(
    "--margin",
    type=float,
    default=_MARGIN,
    show_default=True,
    help="Scores of two runs that are no further apart are a tie.",
)
@option("--axis", "axes", multiple=True, metavar="NAME", help="Show only this axis, or `overall`; may be repeated.")
@option("--baseline", metavar="MODEL", help="Show every other model against this one, and no two others.")
@seed_option
@overwrite_option
@option("--dry-run", is_flag=True, help="Say what it would take, and ask nobody.")
@quiet_option
@log_level_option
def compare(paths: tuple[Path, ...], **given: Any) -> None:
    """Say which model's traces are preferred: win rates per axis and overall, and strengths of three and more models.

    PATHS are files of traces: a judge is asked which of two is better, in both orders, on all records that share an id.
    Or they are folders of runs, and nobody is asked: of `judge score`, where the higher score on a record is preferred;
    one with several models in it; or of `judge compare`, which are shown again, several judges one below the other.

    \b
    Example:
      judge compare qwen.jsonl llama.jsonl --out runs/qwen-llama \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1
      judge compare runs/old runs/new
      judge compare runs/all --baseline atlas-7b --margin 0.05 --out runs/compared

    A judgement or a score that is missing is no preference, and is counted with its reason.

    \b
    Exit codes:
      0   all compared
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some failed or had no partner
      75  stopped early; the same command resumes
    """
    _refuse_twice(paths)
    if all(path.is_dir() for path in paths):
        _refuse_others(_OF_RUNS, "is about files of traces, and these are folders of runs.")
        from judge.cli.comparing_runs import ComparingRuns

        raise SystemExit(ComparingRuns(paths, **{name: given[name] for name in _OF_RUNS}).run())
    _refuse_mixed(paths)
    _refuse_others(_OF_TRACES, "is about folders of runs, and these are files of traces.")
    if given["out"] is None:
        raise click.UsageError("Files of traces need --out DIR, where what the judge says is kept.")
    from judge.cli.pair_asking import PairAsking

    asked = {name: value for name, value in given.items() if name in _OF_TRACES}
    raise SystemExit(PairAsking(take_comparing({**asked, "paths": paths})).run())


def _refuse_twice(paths: tuple[Path, ...]) -> None:
    """Nothing differs from itself; and its records would all be repeated."""
    named: dict[Path, Path] = {}
    for path in paths:
        if (first := named.setdefault(path.resolve(), path)) is not path:
            raise click.UsageError(f"{first} and {path} are the same. Name each file or folder once.")


def _refuse_mixed(paths: tuple[Path, ...]) -> None:
    folders = [path for path in paths if path.is_dir()]
    if folders:
        raise click.UsageError(
            f"{folders[0]} is a folder, and others are files. Give files of traces, or folders of runs."
        )


def _refuse_others(meant: Collection[str], why: str) -> None:
    """What would do nothing, where it was given for this very command."""
    ctx = click.get_current_context()
    for param in ctx.command.params:
        named = str(param.name)
        if named not in {*meant, "paths", "config"} and ctx.get_parameter_source(named) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} {why}")
