"""`judge score`: a trace file -> a run directory, with progress and a summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import JsonValue

    from judge.probe import Granularity
    from judge.verdict import EvidenceRule

__all__ = ["Options", "cache_folder", "score"]

_Command = TypeVar("_Command", bound=Callable[..., object])
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line and the environment gave."""

    traces: str
    out: Path
    judge: str
    api_base: str | None
    rubric: str
    granularity: Granularity
    evidence: EvidenceRule
    samples: int
    params: tuple[tuple[str, JsonValue], ...]
    min_coverage: float
    concurrency: int
    workers: int
    timeout: float
    max_retries: int
    cache: str | None
    seed: int
    limit: int | None
    overwrite: bool
    quiet: bool
    as_json: bool


def _option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    """An option that the environment can set too: `--max-retries` is `JUDGE_MAX_RETRIES`."""
    variable = "JUDGE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


class _Parameter(click.ParamType["tuple[str, JsonValue]"]):
    """`k=v`; the value is JSON where it can be read as JSON, else text."""

    name = "k=v"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, JsonValue]:
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
@_option("--judge", default="lexical", show_default=True, metavar="NAME", help="Who judges.")
@_option("--api-base", metavar="URL", help="Address of the judge's server, up to and with /v1.")
@_option("--rubric", default="pkr", show_default=True, metavar="NAME|FILE", help="Built-in rubric, or a YAML file.")
@_option(
    "--granularity",
    type=click.Choice(["trace", "axis", "unit"]),
    default="axis",
    show_default=True,
    help="Units that share a call: all of a trace, those of an axis, or each alone.",
)
@_option(
    "--evidence",
    type=click.Choice(["required", "flag", "none"]),
    default="required",
    show_default=True,
    help="A quote that is not in the trace fails its unit, or is only marked (flag); none asks for no quotes.",
)
@_option("--samples", type=int, default=1, show_default=True, help="Repeats of every judgement.")
@_option("--param", "params", type=_Parameter(), multiple=True, help="Sampling parameter, such as temperature=0.7.")
@_option(
    "--min-coverage", type=float, default=1.0, show_default=True, help="Judged share below which an axis has no score."
)
@_option("--concurrency", type=int, default=64, show_default=True, help="Calls in flight.")
@_option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    default=1,
    show_default=True,
    help="Processes that share the work, and the calls in flight.",
)
@_option("--timeout", type=float, default=120.0, show_default=True, help="Seconds that one attempt may take.")
@_option(
    "--max-retries",
    type=int,
    default=4,
    show_default=True,
    help="Further attempts after a transport error; being told to slow down (429) does not count.",
)
@_option("--cache", metavar="DIR|none", help="Shared store of replies.  [default: the user's cache folder]")
@_option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of the bootstrap intervals.",
)
@_option("--limit", type=click.IntRange(min=1), metavar="N", help="Read N records at most.")
@_option("--overwrite", is_flag=True, help="Start afresh, whatever is in --out.")
@_option("--quiet", is_flag=True, help="No progress, no notices, no table; errors only.")
@_option("--json", "as_json", is_flag=True, help="The summary as one JSON object on standard output.")
def score(**given: Any) -> None:
    """Score a JSONL file of reasoning traces (- for standard input) into the folder --out.

    \b
    Example, with the embedded baseline and with a server of your own:
      judge score examples/traces.jsonl --out runs/first
      judge score traces.jsonl --out runs/second \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    The same command again goes on where it stopped: only what is missing, failed or changed is asked.
    Every option can come from the environment: --max-retries is JUDGE_MAX_RETRIES.

    \b
    Exit codes:
      0   all scored
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some records failed: failures.jsonl says why
      75  stopped early; the same command resumes
    """
    from judge.cli.scoring import Scoring

    raise SystemExit(Scoring(Options(**given)).run())


def cache_folder(given: str | None) -> Path | None:
    """Folder of the shared store; None for `none`.

    Raises:
        ConfigError: It is in a home folder, and this user has none.
    """
    from judge.calls.store import default_store_path
    from judge.errors import ConfigError

    if given == "none":
        return None
    try:
        return default_store_path() if given is None else Path(given).expanduser()
    except RuntimeError as exc:  # an account without a home folder, as in many containers
        hint = "Give another --cache DIR, or --cache none."
        raise ConfigError(f"the shared store has no place: {exc}", hint=hint) from exc
