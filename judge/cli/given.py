"""What the user gave -> the settings of a judge, and the traces that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from judge.cli.options import CompareOptions, JudgeOptions, ReadOptions, cache_folder
from judge.errors import ConfigError
from judge.image import ImageRules
from judge.judge_name import BASELINE, find_needless, usual_concurrency
from judge.price import parse_price
from judge.rubric import load_rubric
from judge.settings import Settings
from judge.traces.mapping import parse_map
from judge.traces.reading import Traces

__all__ = ["not_used", "read_inputs", "read_settings", "read_traces"]

_WORDS = {"api_base": "--api-base", "budget": "--budget", "headers": "--header", "key_file": "--key-file"}
"""Options that mean nothing to some judges, while the user may count on them."""


def read_settings(options: JudgeOptions) -> Settings:
    """Settings of what the user gave.

    Raises:
        ConfigError, RubricError: They cannot be used, or say something that this judge has no use for.
    """
    needless = _needless(options)
    _refuse(options, {name: why for name, why in needless.items() if name not in options.apart})
    used = {name: getattr(options, name) for name in _WORDS if name not in needless}
    return Settings(
        judge=options.judge,
        rubric=load_rubric(options.rubric),
        api_base=used.get("api_base"),
        params=dict(options.params),
        granularity=options.granularity,
        evidence=options.evidence,
        probe=options.probe,
        probe_evidence=options.probe_evidence,
        samples=options.samples,
        min_coverage=options.min_coverage,
        concurrency=usual_concurrency(options.judge) if options.concurrency is None else options.concurrency,
        rpm=options.rpm,
        tpm=options.tpm,
        timeout_s=options.timeout,
        max_retries=options.max_retries,
        cache=None if options.judge == BASELINE else cache_folder(options.cache),
        image_max_side=options.image_max_side,
        price=None if options.price is None else parse_price(options.price),
        budget_usd=used.get("budget"),
        key_file=used.get("key_file"),
        headers=dict(used.get("headers", ())),
        engine_args=dict(options.engine_args),
        pairs=options.pairs,
    )


def not_used(options: JudgeOptions) -> str:
    """What the environment or the run file says for other judges, in a sentence; empty where there is nothing."""
    found = {name: why for name, why in _needless(options).items() if name in options.apart}
    if not found:
        return ""
    return f"Not used, as {options.judge} {found[min(found)]}: {_listed(found)} of the environment or the run file."


def _refuse(options: JudgeOptions, needless: Mapping[str, str]) -> None:
    if needless:
        message = f"{options.judge} has no use for {_listed(needless)}: it {needless[min(needless)]}."
        hint = "Name another judge with --judge, or leave that out, in JUDGE_* and the run file too."
        raise ConfigError(message, hint=hint)


def _needless(options: JudgeOptions) -> dict[str, str]:
    """Options that were given and that the judge has no use for, and why."""
    return find_needless(options.judge, {name: getattr(options, name) for name in _WORDS})


def _listed(names: Mapping[str, str]) -> str:
    return ", ".join(_WORDS[name] for name in sorted(names))


def read_traces(options: ReadOptions, settings: Settings | None = None) -> Traces:
    """The input of what the user gave.

    Args:
        options: What says which traces, and how they are read.
        settings: Of the judge that images are read for; None where a person looks.

    Raises:
        ConfigError: A --map is wrong, or the images' longer side.
    """
    root = Path(options.traces).parent if options.image_root is None else options.image_root
    looks = settings is None or not settings.free
    rules = (
        ImageRules(root=root, allow_urls=options.allow_image_urls, max_side=options.image_max_side) if looks else None
    )
    return Traces(
        path=options.traces,
        limit=options.limit,
        mapped=parse_map(options.map),
        references=options.references,
        on=options.on,
        images=rules,
    )


def read_inputs(options: CompareOptions, settings: Settings) -> list[Traces]:
    """The inputs of what compares: each with its images beside it, and read to its end, as `--limit` is of record ids.

    Raises:
        ConfigError: As `read_traces`.
    """
    return [read_traces(replace(options, traces=str(path), limit=None), settings) for path in options.paths]
