"""`judge redteam`: attacked records scored beside clean ones, and what the attacks brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.declared import (
    log_level_option,
    option,
    options_of_score,
    overwrite_option,
    quiet_option,
    seed_option,
)
from judge.cli.options import RedTeamOptions, take

__all__ = ["redteam"]

_AS_SCORE_HAS_THEM = (
    *("config", "judge", "api_base", "rubric", "granularity", "evidence", "probe", "probe_evidence", "samples"),
    *("params", "min_coverage", "engine_args", "concurrency", "rpm", "tpm", "timeout", "max_retries", "cache", "price"),
    *("budget", "key_file", "headers", "limit", "map", "references", "on", "image_root", "allow_image_urls"),
    *("image_max_side", "as_json"),
)


class _Names(click.ParamType[tuple[str, ...]]):
    """Several names with commas between them."""

    name = "NAME,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(",") if part.strip())


class _Bounds(click.ParamType[tuple[tuple[str, float], ...]]):
    """`inflation=0.05,false_positives=0`."""

    name = "NAME=X,…"
    known = ("inflation", "flips", "false_positives", "passes")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, float], ...]:
        return value if isinstance(value, tuple) else tuple(self._bound(one, param, ctx) for one in value.split(","))

    def _bound(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, bound = (part.strip() for part in text.partition("="))
        if name not in self.known:
            self.fail(f"{name!r} is not counted; there are: {', '.join(self.known)}.", param, ctx)
        try:
            number = float(bound)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.fail(f"{name}={bound}: a bound is a number from 0 to 1.", param, ctx)
        return name, number


@options_of_score(*_AS_SCORE_HAS_THEM)
@click.command()
@click.argument("traces", metavar="[TRACES]", required=False, type=click.Path(exists=True, dir_okay=False))
@option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of all that is written.")
@option("--families", type=_Names(), default="", help="Families of attacks that are tried.  [default: all]")
@option(
    "--per-family",
    type=click.IntRange(min=1),
    metavar="N",
    default=10,
    show_default=True,
    help="Attacks of a family on each record, at most; those that need no call are always all tried.",
)
@option(
    "--pass-mark",
    type=click.FloatRange(0, 1),
    metavar="X",
    default=0.5,
    show_default=True,
    help="A trace score of at least this much passes: attacks that lift one over it are counted.",
)
@option(
    "--fail-over",
    type=_Bounds(),
    default=(),
    help="End with 1 where one of these is exceeded: inflation, flips, false_positives, passes.",
)
@seed_option
@overwrite_option
@option("--dry-run", is_flag=True, help="Say what it would take, as `judge estimate` does, and ask nobody.")
@quiet_option
@log_level_option
def redteam(traces: str | None, **given: Any) -> None:
    """Attack a judge and a rubric: TRACES clean and attacked, by the same judge, and what the attacks brought.

    Without TRACES, seven records that come with this package are attacked; they have units for the axes of pkr, and a
    reference for scales. Without --limit, the first 20 records of TRACES are.

    \b
    Example:
      judge redteam --out runs/attacked \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1
      judge redteam traces.jsonl --rubric triage.yaml --limit 100 \\
          --families pleas,forged,contentless \\
          --fail-over inflation=0.05,false_positives=0 --out runs/attacked \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    Told of each family: the mean score clean and attacked, the inflation with its 95 % interval, how many attacks
    lifted a record over --pass-mark, and how many were accepted. What was judged is in --out/redteam.parquet, and what
    is printed in --out/redteam.json. The same command again goes on where it stopped.

    \b
    --fail-over looks at the trace score:
      inflation        largest mean of a family that should change nothing
      flips            largest share of records that such a family lifts over
                       --pass-mark
      false_positives  share of traces that say nothing and score above 0
      passes           share of traces without an answer that reach --pass-mark

    \b
    Exit codes:
      0   all judged
      1   --fail-over: a bound is exceeded
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some records or judgements failed
      75  stopped early; the same command resumes
    """
    from judge.cli.redteaming import RedTeaming, dry_run

    options = take(RedTeamOptions, {**given, "traces": traces or ""})
    raise SystemExit(dry_run(options) if options.dry_run else RedTeaming(options).run())
