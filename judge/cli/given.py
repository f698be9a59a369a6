"""What the user gave -> the settings of a judge, and the traces that it reads."""

from __future__ import annotations

from pathlib import Path

from judge.cli.options import JudgeOptions, cache_folder
from judge.price import parse_price
from judge.rubric import load_rubric
from judge.settings import BASELINE, Settings, usual_concurrency
from judge.traces.mapping import parse_map
from judge.traces.reading import Traces

__all__ = ["read_settings", "read_traces"]


def read_settings(options: JudgeOptions) -> Settings:
    """Settings of what the user gave.

    Raises:
        ConfigError, RubricError: They cannot be used.
    """
    return Settings(
        judge=options.judge,
        rubric=load_rubric(options.rubric),
        api_base=options.api_base,
        params=dict(options.params),
        granularity=options.granularity,
        evidence=options.evidence,
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
        budget_usd=options.budget,
        key_file=options.key_file,
        headers=dict(options.headers),
        engine_args=dict(options.engine_args),
    )


def read_traces(options: JudgeOptions, settings: Settings) -> Traces:
    """The input of what the user gave.

    Raises:
        ConfigError: A --map is wrong, or the images' longer side.
    """
    beside = Path() if options.traces == "-" else Path(options.traces).parent
    root = beside if options.image_root is None else options.image_root
    return Traces(
        path=options.traces,
        limit=options.limit,
        mapped=parse_map(options.map),
        references=options.references,
        on=options.on,
        images=settings.image_rules(root=root, allow_urls=options.allow_image_urls),
    )
