"""`judge score`: a trace file -> a run directory, with progress and a summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["score"]


def _option(*names: str, **settings: Any) -> Any:
    """An option that the environment can set too: `--max-retries` is `JUDGE_MAX_RETRIES`."""
    variable = "JUDGE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


class _Parameter(click.ParamType):
    """`k=v`; the value is JSON where it can be read as JSON, else text."""

    name = "k=v"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        from judge.strict_json import StrictJsonError, parse_json

        key, separator, text = value.partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is not of the form k=v, such as temperature=0.7", param, ctx)
        try:
            return key, parse_json(text)
        except StrictJsonError:
            return key, text


@click.command()
@click.argument("traces", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@_option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Run directory.")
@_option("--judge", "judge_name", default="lexical", show_default=True, metavar="NAME", help="Who judges.")
@_option("--api-base", metavar="URL", help="Address of the judge's server, up to and with /v1.")
@_option("--rubric", default="pkr", show_default=True, metavar="NAME|FILE", help="Built-in rubric, or a YAML file.")
@_option(
    "--granularity",
    type=click.Choice(["trace", "axis", "unit"]),
    default="axis",
    show_default=True,
    help="Which units share a call.",
)
@_option(
    "--evidence",
    type=click.Choice(["required", "flag", "none"]),
    default="required",
    show_default=True,
    help="What a quote that is not in the trace does.",
)
@_option("--samples", type=int, default=1, show_default=True, help="Repeats of every judgement.")
@_option("--param", "params", type=_Parameter(), multiple=True, help="Sampling parameter, such as temperature=0.7.")
@_option(
    "--min-coverage", type=float, default=1.0, show_default=True, help="Judged share below which an axis has no score."
)
@_option("--concurrency", type=int, default=64, show_default=True, help="Calls in flight.")
@_option("--timeout", type=float, default=120.0, show_default=True, help="Seconds that one attempt may take.")
@_option("--max-retries", type=int, default=4, show_default=True, help="Further attempts after a transport error.")
@_option("--cache", metavar="DIR|none", help="Shared store of replies.  [default: the user's cache folder]")
@_option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap intervals.")
@_option("--limit", type=click.IntRange(min=1), metavar="N", help="Read N records at most.")
@_option("--overwrite", is_flag=True, help="Start afresh, whatever is in --out.")
@_option("--quiet", is_flag=True, help="No progress and no table.")
@_option("--json", "as_json", is_flag=True, help="The summary as one JSON object on standard output.")
def score(traces: str, out: Path, quiet: bool, as_json: bool, seed: int, **options: Any) -> None:  # noqa: FBT001
    """Score a JSONL file of reasoning traces (- for standard input) into the folder --out.

    \b
    Example:
      judge score examples/traces.jsonl --out runs/first
      judge score traces.jsonl --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1 --out runs/second

    The same command again goes on where it stopped: only what is missing, failed or changed is asked.

    \b
    Exit codes: 0 all scored; 2 wrong usage, input or configuration; 3 finished, some records failed;
    75 stopped early, and the same command resumes.
    """
    from judge.cli.scoring import Scoring

    raise SystemExit(Scoring(traces, out, quiet=quiet, as_json=as_json, seed=seed).run(options))


def cache_folder(given: str | None) -> Path | None:
    """Folder of the shared store; None for `none`."""
    from judge.calls.store import default_store_path

    if given is None:
        return default_store_path()
    return None if given == "none" else Path(os.path.expanduser(given))
