"""The options of every command that asks a judge: declared once, and what they gave as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from judge.cli.option_types import Header, OfOneJudge, Parameter, Rename

if TYPE_CHECKING:
    from pydantic import JsonValue

    from judge.panel import Reducer
    from judge.probe import Granularity
    from judge.verdict import EvidenceRule

__all__ = [
    "COMPARE_TAKES",
    "AskingOptions",
    "CompareOptions",
    "EstimateOptions",
    "JudgeOptions",
    "ReadOptions",
    "ScoreOptions",
    "ServeOptions",
    "asking_options",
    "cache_folder",
    "names_apart",
    "option",
    "options_of_score",
    "panel_options",
    "reading_options",
    "scoring_options",
    "seed_option",
    "take",
    "take_asking",
    "take_comparing",
]

_Options = TypeVar("_Options", bound="JudgeOptions")
_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What says which traces are read, and how."""

    traces: str
    limit: int | None = None
    map: tuple[str, ...]
    references: str | None
    on: str
    image_root: Path | None
    allow_image_urls: bool
    image_max_side: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions(ReadOptions):
    """What is judged, by whom and how: from the command line, the environment and the run file, in this order.

    Attributes:
        apart: Names of those that come from the environment or the run file while the judge is named elsewhere, and so
            may be meant for other judges.
        pairs: Two traces are compared, in place of one that is scored.
    """

    judge: str
    api_base: str | None
    rubric: str
    granularity: Granularity
    evidence: EvidenceRule
    probe: bool
    probe_evidence: bool
    samples: int
    params: tuple[tuple[str, JsonValue], ...]
    min_coverage: float
    engine_args: tuple[tuple[str, JsonValue], ...]
    concurrency: int | None
    rpm: int | None
    tpm: int | None
    timeout: float
    max_retries: int
    cache: str | None
    price: str | None
    budget: float | None
    key_file: Path | None
    headers: tuple[tuple[str, str], ...]
    as_json: bool
    apart: frozenset[str] = frozenset()
    pairs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingOptions(JudgeOptions):
    """What a command was given that asks, shows how far it is, and can be resumed."""

    out: Path
    overwrite: bool
    quiet: bool
    log_level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions(AskingOptions):
    """What `judge score` was given for one judge; the first two mean something to a panel only."""

    reducer: Reducer = "majority"
    min_judges: int | None = None
    workers: int
    seed: int
    calibration: Path | None
    dry_run: bool
    blind_check: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions(AskingOptions):
    """What `judge compare` was given with trace files; `traces` is the first of `paths`, and `limit` is of record ids.

    Attributes:
        paths: Files of traces, at least one.
        axes: Which are shown; all of the rubric are asked.
        baseline: The model that the others are shown against.
        seed: Of the bootstrap intervals.
    """

    paths: tuple[Path, ...]
    axes: tuple[str, ...]
    baseline: str | None
    seed: int
    dry_run: bool
    pairs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOptions(JudgeOptions):
    """What `judge estimate` was given for one judge; the first two mean something to a panel only."""

    reducer: Reducer = "majority"
    min_judges: int | None = None
    out: Path | None
    past: Path | None
    measure: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions(JudgeOptions):
    """What `judge serve` was given; `rubric` is that of one judge of several.

    Attributes:
        judge_given: Whether the judge was named, and is not the one that is there by itself.
    """

    host: str
    port: int
    rubrics: tuple[str, ...]
    reward: Path | None
    deadline: float
    queue: int
    max_body: float
    hosts: tuple[str, ...]
    token_file: Path | None
    judge_given: bool
    quiet: bool
    log_level: str


_NOT_JUDGED: Mapping[str, Any] = {
    "granularity": None,
    "evidence": None,
    "probe": False,
    "probe_evidence": False,
    "samples": 1,
    "min_coverage": 1.0,
    "references": None,
    "on": "id",
    "image_root": None,
    "allow_image_urls": False,
    "image_max_side": 1568,
}
"""Of a command that asks for no verdicts and shows no image."""


COMPARE_TAKES = (
    *("config", "judge", "api_base", "granularity", "evidence", "params", "engine_args", "concurrency", "rpm", "tpm"),
    *("timeout", "max_retries", "cache", "price", "budget", "key_file", "headers", "limit", "map", "references", "on"),
    *("image_root", "allow_image_urls", "image_max_side", "as_json"),
)
"""Of the options of `judge score`, what asking about pairs takes too; `rubric` has another default there."""


def take(kind: type[_Options], given: dict[str, Any]) -> _Options:
    """What the command that runs was given, as one value."""
    return kind(**given, apart=names_apart(click.get_current_context(), "judge"))


def take_comparing(given: dict[str, Any]) -> CompareOptions:
    """What `judge compare` was given: `paths`, `COMPARE_TAKES`, and its own."""
    as_always = {name: _NOT_JUDGED[name] for name in ("probe", "probe_evidence", "samples", "min_coverage")}
    return take(CompareOptions, {**as_always, **given, "traces": str(given["paths"][0])})


def take_asking(kind: type[_Options], given: dict[str, Any]) -> _Options:
    """The same for a command with `asking_options`: how units are judged is as `Settings` has it by itself."""
    return take(kind, {**_NOT_JUDGED, **given})


def names_apart(ctx: click.Context, judge: str) -> frozenset[str]:
    """Names of what comes from the environment or the run file, while the parameter `judge` comes from elsewhere."""
    source = ctx.get_parameter_source
    # A run file without a judge means the one that is the default.
    beside = ParameterSource.DEFAULT_MAP if source(judge) is ParameterSource.DEFAULT else source(judge)
    others = {ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP} - {beside}
    return frozenset(name for name in ctx.params if source(name) in others)


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
    help="Seed of the bootstrap intervals.",
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
