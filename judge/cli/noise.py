"""`judge noise`: how much of a score is the judge's own noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.declared import log_level_option, option, options_of_score, overwrite_option, quiet_option, seed_option
from judge.cli.options import NoiseOptions, take
from judge.variation import WORDINGS

__all__ = ["noise"]

_AS_SCORE_HAS_THEM = (
    *("config", "judge", "api_base", "rubric", "granularity", "evidence", "params", "min_coverage", "engine_args"),
    *("concurrency", "rpm", "tpm", "timeout", "max_retries", "cache", "price", "budget", "key_file", "headers", "map"),
    *("references", "on", "image_root", "allow_image_urls", "image_max_side", "as_json", "traces"),
)
_NOT_VARIED = {"probe": False, "probe_evidence": False, "samples": 1}


@options_of_score(*_AS_SCORE_HAS_THEM, judge="Whose noise is measured. Needed: lexical, the baseline, has none.")
@click.command()
@option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the runs.")
@option(
    "--repeats",
    type=click.IntRange(0, 100),
    metavar="N",
    default=5,
    show_default=True,
    help="How often the same is asked again.",
)
@option(
    "--orders",
    type=click.IntRange(0, 20),
    metavar="N",
    default=3,
    show_default=True,
    help="In how many other orders the units of a call are asked about.",
)
@option(
    "--templates",
    type=click.IntRange(0, WORDINGS),
    metavar="N",
    default=3,
    show_default=True,
    help=f"In how many other wordings the judge is told the same, {WORDINGS} at most.",
)
@option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=50,
    show_default=True,
    help="Read N records at most.",
)
@seed_option
@overwrite_option
@option("--dry-run", is_flag=True, help="Say what it would take, and ask nobody.")
@quiet_option
@log_level_option
def noise(**given: Any) -> None:
    """Say how much of a score is the judge's own noise: ask it for the same verdicts several times.

    \b
    Example:
      judge noise traces.jsonl --out noise/first \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1 \\
          --param temperature=0.7

    \b
    After the plain ask, each record is asked about again in three arms:
      repeats    the same request, as another sample
      orders     the units of a call in other orders, criteria too
      templates  the same rules in other words

    It says how often two asks about one unit differ, which units differ most, and how much of the variance of a score
    is noise. A judge at temperature 0 mostly repeats itself, whatever it is unsure of: there the other two arms show
    more than the first. A call about one unit has no other order, so with --granularity unit orders shows nothing.

    --out keeps a run for each way of asking, as judge score makes it; the same command again goes on where it stopped.

    \b
    Exit codes:
      0   all scored
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some records failed in some way of asking
      75  stopped early; the same command resumes
    """
    options = take(NoiseOptions, {**_NOT_VARIED, **given})
    from judge.cli.noising import Noising, dry_run

    raise SystemExit(dry_run(options) if options.dry_run else Noising(options).run())
