"""`judge compare`: which of two models reasons better, axis by axis, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.options import option, options_of_score

__all__ = ["compare"]

_LARGEST_SEED = 2**64 - 1
_MARGIN = 1e-9  # as judge.preference has it, which would load Polars


@options_of_score("as_json")
@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path(exists=True, path_type=Path))
@option(
    "--margin",
    type=float,
    default=_MARGIN,
    show_default=True,
    help="Scores that are no further apart are a tie.",
)
@option("--axis", "axes", multiple=True, metavar="NAME", help="Only this axis, or `overall`; may be repeated.")
@option("--baseline", metavar="MODEL", help="Show every other model against this one, and no two others.")
@option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the bootstrap intervals.",
)
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for preferences.parquet and run.json; without it nothing is kept.",
)
def compare(paths: tuple[Path, ...], **given: Any) -> None:
    """Say which model's traces are preferred: win rates per axis and overall, and strengths of three and more models.

    PATHS are folders that `judge score` wrote: whose trace has the higher score on a record is preferred, and no judge
    is asked anything. Or one folder with several models in it. Or folders that `judge compare` wrote, which are shown
    again; those of several judges beside each other.

    \b
    Example:
      judge score old.jsonl --out runs/old && judge score new.jsonl --out runs/new
      judge compare runs/old runs/new
      judge compare runs/all --baseline atlas-7b --margin 0.05 --out runs/compared

    A score that is missing is no preference, and is counted with its reason. Runs of other rubrics or judges are not
    compared.

    \b
    Exit codes:
      0   compared
      2   wrong usage, or runs that cannot be compared: says why
      3   compared, and some pairs have no preference
    """
    _refuse_mixed(paths)
    if not paths[0].is_dir():
        raise SystemExit(_ask_about_pairs(paths))
    from judge.cli.comparing_runs import ComparingRuns

    raise SystemExit(ComparingRuns(paths, **given).run())


def _refuse_mixed(paths: tuple[Path, ...]) -> None:
    folders = [path for path in paths if path.is_dir()]
    if folders and len(folders) < len(paths):
        message = f"{folders[0]} is a folder, and others are files. Give files of traces, or folders of runs."
        raise click.UsageError(message)


def _ask_about_pairs(paths: tuple[Path, ...]) -> int:
    """Trace files: a judge would have to be asked."""
    from judge.cli.terminal import complain
    from judge.errors import ConfigError

    hint = "Score the traces first: judge score TRACES --out DIR; then compare the folders."
    complain(ConfigError(f"{paths[0]} is a file; what is compared are folders of runs.", hint=hint))
    return 2
