"""The options that commands share, declared once, in the order of their help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from judge.cli.option_types import Header, OfOneJudge, Parameter, Rename

__all__ = [
    "asking_options",
    "log_level_option",
    "option",
    "options_of_score",
    "overwrite_option",
    "panel_options",
    "quiet_option",
    "reading_options",
    "scoring_options",
    "seed_option",
]

_Command = TypeVar("_Command", bound=Callable[..., object])


def option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    """An option that the environment can set too: `--max-retries` is `JUDGE_MAX_RETRIES`."""
    variable = "JUDGE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def _read_run_file(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    """Make what the run file says the defaults of this command."""
    if path is not None and not ctx.resilient_parsing:
        from judge.cli.run_file import read_run_file

        ctx.default_map = read_run_file(Path(path), ctx)


_LARGEST_SEED = 2**32 - 1
_TRACES = click.argument("traces", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
_CONFIG = option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_read_run_file,
    help="YAML file with any options of `judge score` and `judge estimate` by name, TRACES too.",
)
_RUBRIC = option(
    "--rubric", default="pkr", show_default=True, metavar="NAME|FILE", help="Built-in rubric, or a YAML file."
)
_WHO = (
    _CONFIG,
    option("--judge", default="lexical", show_default=True, metavar="NAME", help="Who judges."),
    option("--api-base", metavar="URL", help="Address of the judge's server, up to and with /v1."),
    _RUBRIC,
)
_WHO_TOGETHER = (
    _CONFIG,
    option(
        "--judge",
        "judges",
        type=OfOneJudge(),
        multiple=True,
        default=["lexical"],
        show_default=True,
        help="Who judges; several make a panel.",
    ),
    option(
        "--api-base",
        "api_bases",
        metavar="URL",
        multiple=True,
        help="Address of the judge's server, up to and with /v1; of a panel one for all of its servers, or one each in "
        "the order of the judges.",
    ),
    option(
        "--reducer",
        type=click.Choice(["majority", "mean", "median"]),
        default="majority",
        show_default=True,
        help="How verdicts of a panel become one, unit by unit.",
    ),
    option(
        "--min-judges",
        type=click.IntRange(min=1),
        metavar="N",
        help="Judges of a panel that must have a verdict on a unit.  [default: more than half]",
    ),
    _RUBRIC,
)
_UNITS = (
    option(
        "--granularity",
        type=click.Choice(["trace", "axis", "unit"]),
        help="Units that share a call: all of a trace, those of an axis, or each alone.  [default: axis]",
    ),
    option(
        "--evidence",
        type=click.Choice(["required", "flag", "none"]),
        help="A quote that is not in the trace fails its unit, or is only marked (flag); none asks for no quotes.  "
        "[default: required; none with --probe]",
    ),
    option(
        "--probe",
        is_flag=True,
        help="One token for each unit's presence, and one for its correctness; of a scale one for its level; their "
        "probabilities are scored. For servers that give logprobs, and models that do not think first.",
    ),
    option("--probe-evidence", is_flag=True, help="Probe, and ask for a quote of each raised unit too."),
    option("--samples", type=int, default=1, show_default=True, help="Repeats of every judgement."),
    option(
        "--min-coverage",
        type=float,
        default=1.0,
        show_default=True,
        help="Judged share below which an axis has no score.",
    ),
)
_READ = (
    option("--limit", type=click.IntRange(min=1), metavar="N", help="Read N records at most."),
    option("--map", type=Rename(), multiple=True, help="What is called otherwise there, such as trace=response."),
)
_HOW = (
    option("--param", "params", type=Parameter(), multiple=True, help="Sampling parameter, such as temperature=0.7."),
    option(
        "--engine-arg",
        "engine_args",
        type=Parameter(),
        multiple=True,
        help="Argument of vLLM's engine for --judge vllm/MODEL, such as max_model_len=16384.",
    ),
    option("--concurrency", type=int, help="Calls in flight.  [default: 64; 256 for vllm/MODEL]"),
    option("--rpm", type=int, metavar="N", help="Requests sent a minute, at most; retries count."),
    option("--tpm", type=int, metavar="N", help="Tokens sent and received a minute, at most."),
    option("--timeout", type=float, default=120.0, show_default=True, help="Seconds that one attempt may take."),
    option(
        "--max-retries",
        type=int,
        default=4,
        show_default=True,
        help="Further attempts after a transport error; being told to slow down (429) does not count.",
    ),
    option("--cache", metavar="DIR|none", help="Shared store of replies.  [default: the user's cache folder]"),
    option(
        "--price",
        metavar="IN,OUT[,CACHED]",
        help="USD a million tokens, for servers and models whose price is not known; wins over a known one.",
    ),
    option("--budget", type=float, metavar="USD", help="Stop before the run has cost more."),
    option(
        "--key-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File with the judge's key, in place of its environment variable.",
    ),
    option(
        "--header",
        "headers",
        type=Header(),
        multiple=True,
        help="Another header for the server: NAME=env:VARIABLE or NAME=file:PATH.",
    ),
    *_READ,
)
_JOINED = (
    option(
        "--references",
        type=click.Path(exists=True, dir_okay=False),
        help="File with the units and references of these traces.",
    ),
    option("--on", default="id", show_default=True, metavar="FIELD", help="Field that traces and references meet on."),
    option(
        "--image-root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder that image paths are below.  [default: the folder of TRACES]",
    ),
    option("--allow-image-urls", is_flag=True, help="Fetch https addresses of images, from public hosts only."),
    option(
        "--image-max-side",
        type=int,
        metavar="PIXELS",
        default=1568,
        show_default=True,
        help="Longer side that images are shrunk to before they are sent.",
    ),
)
_JSON = option("--json", "as_json", is_flag=True, help="What came of it as one JSON object on standard output.")
_BESIDE = (*_UNITS, *_HOW, *_JOINED, _JSON)
_SCORING = (_TRACES, *_WHO, *_BESIDE)
_SCORING_TOGETHER = (_TRACES, *_WHO_TOGETHER, *_BESIDE)
_ASKING = (*_WHO, *_HOW, _JSON)
_READING = (*_READ, *_JOINED)


seed_option = option(
    "--seed",
    type=click.IntRange(0, _LARGEST_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Seed of what is drawn at random, such as bootstrap intervals.",
)


overwrite_option = option("--overwrite", is_flag=True, help="Start afresh, whatever is in --out.")
quiet_option = option("--quiet", is_flag=True, help="No progress, no notices, no table; errors only.")
log_level_option = option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning"]),
    default="warning",
    show_default=True,
    help="What is logged to standard error: info tells of failed attempts, debug of every one.",
)


def reading_options(command: _Command) -> _Command:
    """Add what says how traces are read, in the order of its help."""
    for add in reversed(_READING):
        command = add(command)
    return command


def scoring_options(command: _Command) -> _Command:
    """Add what a command takes that asks one judge, in the order of its help: the fields of `JudgeOptions`."""
    for add in reversed(_SCORING):
        command = add(command)
    return command


def panel_options(command: _Command) -> _Command:
    """Add what a command takes that asks one judge or several, in the order of its help; see `members.py`."""
    for add in reversed(_SCORING_TOGETHER):
        command = add(command)
    return command


def options_of_score(*names: str, **said: str) -> Callable[[click.Command], click.Command]:
    """Add some of what `scoring_options` adds to a command, below `option`s of its own.

    Args:
        names: Of the parameters, such as `api_base`; they keep the order of `judge score`.
        said: By name, the help of those that mean something else there; it tells of defaults itself.
    """
    declared = click.command()(scoring_options(lambda: None)).params
    for parameter in declared:
        if isinstance(parameter, click.Option) and parameter.name in said:
            parameter.help, parameter.show_default = said[parameter.name], False
    unknown = {*names} - {str(parameter.name) for parameter in declared}
    assert not unknown, f"no such options: {unknown}"

    def add(command: click.Command) -> click.Command:
        command.params += [parameter for parameter in declared if parameter.name in names]
        return command

    return add


def asking_options(command: _Command) -> _Command:
    """Add what a command takes that asks a judge for something else than verdicts, as for `take_asking`."""
    for add in reversed(_ASKING):
        command = add(command)
    return command
