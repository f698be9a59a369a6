"""What a command was given, as one value: from the command line, the environment and the run file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from pydantic import JsonValue

    from judge.panel import Reducer
    from judge.probe import Granularity
    from judge.verdict import EvidenceRule

__all__ = [
    "COMPARE_TAKES",
    "AgreeOptions",
    "AskingOptions",
    "CompareOptions",
    "DiffOptions",
    "DraftOptions",
    "EstimateOptions",
    "JudgeOptions",
    "NoiseOptions",
    "ReadOptions",
    "RedTeamOptions",
    "ScoreOptions",
    "ServeOptions",
    "TaskOptions",
    "cache_folder",
    "names_apart",
    "take",
    "take_asking",
    "take_comparing",
]

_Options = TypeVar("_Options", bound="JudgeOptions")


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
class AgreeOptions:
    """What `judge agree` was given."""

    runs: tuple[Path, ...]
    labels: Path
    probes: tuple[str, ...]
    axes: tuple[str, ...]
    by_unit: bool
    against: str
    seed: int
    out: Path | None
    fail_under: tuple[tuple[str, float], ...]
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseOptions(AskingOptions):
    """What `judge noise` was given."""

    repeats: int
    orders: int
    templates: int
    seed: int
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RedTeamOptions(AskingOptions):
    """What `judge redteam` was given.

    Attributes:
        families: Names; empty for all.
        fail_over: What may not be exceeded: a number of `judge.cli.redteam_checks` -> its bound.
    """

    families: tuple[str, ...]
    per_family: int
    pass_mark: float
    fail_over: tuple[tuple[str, float], ...]
    seed: int
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions(AskingOptions):
    """What `judge rubric diff` was given with TRACES; `rubric` is the new version."""

    old: str
    run: Path | None
    exit_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOptions(AskingOptions):
    """What `judge rubric draft` was given."""

    verbose: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions(DraftOptions):
    """What `judge rubric draft --task` was given; `traces` are the good ones."""

    task: Path
    bad: Path


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
