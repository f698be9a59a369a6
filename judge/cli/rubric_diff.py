"""`judge rubric diff`: what differs between two versions of a rubric, and which verdicts and scores move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from judge.cli.declared import log_level_option, option, options_of_score, quiet_option
from judge.cli.options import DiffOptions, take

__all__ = ["diff"]

_AS_SCORE_HAS_THEM = (
    *("config", "judge", "api_base", "granularity", "evidence", "probe", "probe_evidence", "samples", "params"),
    *("min_coverage", "engine_args", "concurrency", "rpm", "tpm", "timeout", "max_retries", "cache", "price", "budget"),
    *("key_file", "headers", "limit", "map", "references", "on", "image_root", "allow_image_urls", "image_max_side"),
    "as_json",
)
_WITHOUT_TRACES = {"old", "new", "as_json", "exit_code", "config"}


@options_of_score(*_AS_SCORE_HAS_THEM)
@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.argument("traces", metavar="[TRACES]", required=False, type=click.Path(exists=True, dir_okay=False))
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the runs of all versions of a rubric; needed with TRACES.",
)
@click.option(
    "--run",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A run of judge score with this judge: what it paid for is not asked for again.",
)
@click.option("--exit-code", is_flag=True, help="End with 1 where the versions differ, or with TRACES where any moves.")
@quiet_option
@log_level_option
def diff(new: str, traces: str | None, **given: Any) -> None:
    """Say what differs between two versions of a rubric, and with TRACES which verdicts and scores move.

    What differs is said by meaning, and what each difference does: whether the judge must be asked anew (texts,
    descriptions, guidelines, views, polarities, levels), or only the arithmetic changes (points, weights, gates,
    scoring), which costs nothing.

    \b
    Example:
      judge rubric diff triage-1.yaml triage-2.yaml
      judge rubric diff triage-1.yaml triage-2.yaml traces.jsonl \\
          --out runs/triage \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    With TRACES, the judge judges them under both versions, and is asked once what both versions ask. --out keeps a run
    for each version: edit NEW, and the same command asks only what is new in it. Units that share a call with a changed
    one are asked again with it, and what moves there is the judge's noise, told apart from the rest; with --granularity
    unit each is asked alone, and only the changed ones again.

    \b
    Exit codes:
      0   shown, whether or not anything differs
      1   with --exit-code: the versions differ; with TRACES: something moved
      2   wrong usage, rubric, input or configuration; nothing was paid
      3   finished, some records failed under one of the versions
      75  stopped early; the same command resumes
    """
    if traces is None:
        _refuse_needless()
        from judge.cli.diffing import show_changes

        shown = {name: given[name] for name in ("as_json", "exit_code")}
        raise SystemExit(show_changes(given["old"], new, **shown))
    if given["out"] is None:
        raise click.UsageError("TRACES need --out DIR, where a run is kept for each version.")
    from judge.cli.diffing import Diffing

    raise SystemExit(Diffing(take(DiffOptions, {**given, "traces": traces, "rubric": new, "overwrite": False})).run())


def _refuse_needless() -> None:
    """What only means something with TRACES, where it was given for this very command."""
    ctx = click.get_current_context()
    for param in ctx.command.params:
        named = str(param.name)
        if named not in _WITHOUT_TRACES and ctx.get_parameter_source(named) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} is about TRACES, and none are given.")
