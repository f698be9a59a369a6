"""`judge score`: a trace file -> a run directory, with progress and a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.members import take_members
from judge.cli.options import (
    ScoreOptions,
    log_level_option,
    option,
    overwrite_option,
    panel_options,
    quiet_option,
    seed_option,
)

__all__ = ["score"]


@click.command()
@option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Run directory.")
@panel_options
@option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    default=1,
    show_default=True,
    help="Processes that share the work, and the calls in flight.",
)
@seed_option
@option(
    "--calibration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Of `judge calibrate`, for this judge, prompt and rubric: calibrated scores beside the judge's.",
)
@option(
    "--blind-check",
    type=click.IntRange(min=2),
    metavar="N",
    help="Ask about N of the records again without their images, and with those of others; an axis that does not move "
    "is named. It changes no score.",
)
@overwrite_option
@option("--dry-run", is_flag=True, help="Say what it would take, as `judge estimate` does, and ask nobody.")
@quiet_option
@log_level_option
def score(**given: Any) -> None:
    """Score a file of reasoning traces into the folder --out: JSONL, also .gz or .zst, or Parquet; - is standard input.

    \b
    Example, with the baseline, with a server, and with vLLM in this process:
      judge score examples/traces.jsonl --out runs/first
      judge score traces.jsonl --out runs/second \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1
      judge score traces.jsonl --out runs/third \\
          --judge vllm/Qwen/Qwen3-8B --engine-arg max_model_len=16384

    By probes, each unit is a token or two: whether it is raised (0, 1, 2) and, if so, whether it is right, scored by
    their probabilities; a scale is one token, scored by what is to be expected of its levels. It is fast and cheap
    where the server caches prefixes; there is neither reason nor quote, but for the quotes of units that
    --probe-evidence asks for. A judge that thinks first cannot be probed.

    \b
      vllm serve MODEL --enable-prompt-tokens-details
      judge score traces.jsonl --out runs/fourth --probe \\
          --judge hosted_vllm/MODEL --api-base http://127.0.0.1:8000/v1

    Several judges are a panel: each judges every record, in a run of its own below --out, and --out has the rows of all
    and the panel's own, unit by unit the majority of theirs. doubtful.jsonl lists the units that they differ on, for
    judge label --only.

    \b
      judge score traces.jsonl --out runs/fifth \\
          --judge hosted_vllm/A --api-base http://127.0.0.1:8000/v1 \\
          --judge hosted_vllm/B --api-base http://127.0.0.1:8001/v1

    The same command again goes on where it stopped: only what is missing, failed or changed is asked.
    Every option can come from the environment (--max-retries is JUDGE_MAX_RETRIES) and, after that, from --config FILE.
    lexical has no use for --api-base, --budget, --header and --key-file, and a judge of another package none for the
    last two. They are refused on the command line, and where the judge's name comes from; anywhere else they may be
    meant for other judges, and are not used.

    \b
    Exit codes:
      0   all scored
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some records failed: failures.jsonl says why
      75  stopped early; the same command resumes
    """
    members = take_members(ScoreOptions, given)
    options, *others = members
    if options.dry_run:
        from judge.cli.estimating import dry_run

        raise SystemExit(dry_run(members))
    if others:
        _refuse_of_one_judge(options)
        from judge.cli.panel_scoring import PanelScoring

        raise SystemExit(PanelScoring(members).run())
    from judge.cli.scoring import Scoring

    raise SystemExit(Scoring(options).run())


def _refuse_of_one_judge(options: ScoreOptions) -> None:
    """A calibration is of one judge, and so is whether it looks at images."""
    given = {"--calibration": options.calibration, "--blind-check": options.blind_check}
    for name in (name for name, value in given.items() if value is not None):
        raise click.UsageError(f"{name} is about one judge, and several are given. Score with that one alone.")
