"""The options of every command that asks a judge: declared once, and what they gave as one value."""

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

__all__ = ["COMMAND_LINE_ONLY", "PATHS", "JudgeOptions", "cache_folder", "option", "scoring_options"]

_Command = TypeVar("_Command", bound=Callable[..., object])
PATHS: dict[str, Callable[[str], bool]] = {
    "rubric": lambda given: "/" in given or given.endswith((".yaml", ".yml")),
    "cache": lambda given: given != "none",
}
"""Options that hold a path at times, and when; those of the type `click.Path` always do."""
COMMAND_LINE_ONLY = {
    "config": "one file is all",
    "overwrite": "at every start it would throw away the run before; give it on the command line",
}
"""Options that a run file cannot hold, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """What is judged, by whom and how: from the command line, the environment and the run file, in this order."""

    traces: str
    judge: str
    api_base: str | None
    rubric: str
    granularity: Granularity
    evidence: EvidenceRule
    samples: int
    params: tuple[tuple[str, JsonValue], ...]
    min_coverage: float
    concurrency: int
    timeout: float
    max_retries: int
    cache: str | None
    limit: int | None


def option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
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

    def pair(self, key: str, value: JsonValue) -> str:
        """The words of `key: value` in a run file, so that text which looks like a number stays text."""
        import orjson

        return f"{key}={orjson.dumps(value).decode()}"


def _read_run_file(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    """Make what the run file says the defaults of this command."""
    if path is not None and not ctx.resilient_parsing:
        from judge.cli.run_file import read_run_file

        ctx.default_map = read_run_file(Path(path), ctx)


_SCORING = (
    click.argument("traces", type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
    option(
        "--config",
        type=click.Path(exists=True, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_read_run_file,
        help="YAML file with any of these options by name, TRACES too.",
    ),
    option("--judge", default="lexical", show_default=True, metavar="NAME", help="Who judges."),
    option("--api-base", metavar="URL", help="Address of the judge's server, up to and with /v1."),
    option("--rubric", default="pkr", show_default=True, metavar="NAME|FILE", help="Built-in rubric, or a YAML file."),
    option(
        "--granularity",
        type=click.Choice(["trace", "axis", "unit"]),
        default="axis",
        show_default=True,
        help="Units that share a call: all of a trace, those of an axis, or each alone.",
    ),
    option(
        "--evidence",
        type=click.Choice(["required", "flag", "none"]),
        default="required",
        show_default=True,
        help="A quote that is not in the trace fails its unit, or is only marked (flag); none asks for no quotes.",
    ),
    option("--samples", type=int, default=1, show_default=True, help="Repeats of every judgement."),
    option("--param", "params", type=_Parameter(), multiple=True, help="Sampling parameter, such as temperature=0.7."),
    option(
        "--min-coverage",
        type=float,
        default=1.0,
        show_default=True,
        help="Judged share below which an axis has no score.",
    ),
    option("--concurrency", type=int, default=64, show_default=True, help="Calls in flight."),
    option("--timeout", type=float, default=120.0, show_default=True, help="Seconds that one attempt may take."),
    option(
        "--max-retries",
        type=int,
        default=4,
        show_default=True,
        help="Further attempts after a transport error; being told to slow down (429) does not count.",
    ),
    option("--cache", metavar="DIR|none", help="Shared store of replies.  [default: the user's cache folder]"),
    option("--limit", type=click.IntRange(min=1), metavar="N", help="Read N records at most."),
)


def scoring_options(command: _Command) -> _Command:
    """Add what every command that asks a judge takes, in the order of its help: the fields of `JudgeOptions`."""
    for add in reversed(_SCORING):
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
