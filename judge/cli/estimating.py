"""The work behind `judge estimate` and `judge score --dry-run`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Literal

import orjson

from judge.cli.given import not_used, read_settings, read_traces
from judge.cli.options import EstimateOptions, JudgeOptions, ScoreOptions
from judge.cli.terminal import Screen, clean
from judge.errors import JudgeError
from judge.estimate import ASSUMED_TOKENS_PER_UNIT, Estimate
from judge.estimate import estimate as make_estimate
from judge.settings import Settings

__all__ = ["SCHEMA", "dry_run", "print_estimate", "run_estimate"]

SCHEMA: Literal["judge.estimate/1"] = "judge.estimate/1"
EXIT_OK = 0
EXIT_USAGE = 2
_NAME_WIDTH = 12


def run_estimate(options: EstimateOptions) -> int:
    """Estimate and print.

    Returns:
        The exit code.
    """
    screen, errors = (Screen(stderr=stderr) for stderr in (False, True))
    try:
        settings = read_settings(options)
        for warning in _warnings(options, settings):
            errors.print(clean(warning))
        traces = read_traces(options, settings)
        asking = make_estimate(traces, settings, out=options.out, past=options.past, measure=options.measure)
        found = asyncio.run(asking)
    except JudgeError as exc:
        errors.print(clean(exc))
        return EXIT_USAGE
    print_estimate(found, settings, screen, as_json=options.as_json)
    return EXIT_OK


def print_estimate(
    found: Estimate,
    settings: Settings,
    screen: Screen,
    *,
    as_json: bool,
    things: tuple[str, str] = ("records", "units"),
) -> None:
    """Say what a run would take.

    Args:
        found: What it would take.
        settings: Of the judge.
        screen: Where to.
        as_json: As one object.
        things: What is judged, and what is asked of each.
    """
    if as_json:
        screen.out(orjson.dumps({"schema": SCHEMA, "judge": settings.labels.judge, **asdict(found)}).decode())
        return
    for name, told in _lines(found, settings, *things):
        screen.print(f"{name:<{_NAME_WIDTH}}{clean(told)}")


def dry_run(options: ScoreOptions) -> int:
    """The same for `judge score`, of its run directory; what it would overwrite is not paid for any more."""
    anew = options.overwrite
    if options.blind_check is not None:
        again = f"--blind-check asks about {options.blind_check} of the records twice more, on top of this."
        Screen(stderr=True).print(again)
    shared = {field.name: getattr(options, field.name) for field in fields(JudgeOptions)}
    past = options.out if anew and (options.out / "calls.parquet").exists() else None
    out = None if anew else options.out
    return run_estimate(EstimateOptions(**shared, out=out, past=past, measure=0))


def _warnings(options: EstimateOptions, settings: Settings) -> Iterator[str]:
    """What should be known before anything is paid for."""
    if said := not_used(options):
        yield said
    if options.measure and settings.cache is None and not settings.free:
        yield "With --cache none the replies of --measure are not kept: a run pays for the same records again."


def _lines(found: Estimate, settings: Settings, things: str, asked: str) -> Iterator[tuple[str, str]]:
    unasked = {"would fail unasked": found.failed, "say nothing and need no call": found.contentless}
    yield "judge", f"{settings.labels.judge}, rubric {settings.labels.rubric}"
    yield things, ", ".join([f"{found.records:,}", *(f"{n:,} {words}" for words, n in unasked.items() if n)])
    yield "calls", f"{found.calls:,} for {found.units:,} {asked}, {found.stored:,} of them paid for already"
    if settings.free:
        yield "price", "computed here at no cost"
        return
    images = f", {found.images:,} images included" if found.images else ""
    yield "tokens", f"about {found.prompt_tokens:,} in{images}, {found.completion_tokens:,} out"
    yield "price", _price(found)
    yield "time", _time(found, settings)
    yield "from", _basis(found, settings)


def _price(found: Estimate) -> str:
    if found.cost_usd is None:
        return "not known; give USD a million tokens with --price IN,OUT"
    return f"about ${found.cost_usd:.2f}" if found.cost_usd >= 0.1 else f"about ${found.cost_usd:.4f}"


def _time(found: Estimate, settings: Settings) -> str:
    if found.seconds is None:
        return "not known; measure with --measure 5, or name an earlier run with --past"
    told = f"about {timedelta(seconds=round(found.seconds))}" if found.seconds >= 1 else "a second or less"
    return f"{told} with {settings.concurrency} calls in flight"


def _basis(found: Estimate, settings: Settings) -> str:
    again = "; re-asks of unusable replies come on top"
    raised = "" if found.raised is None else f", {found.raised:.0%} of the units raised"
    raised += f", {found.guessed_claims:,} claims, one a sentence" if found.guessed_claims else ""
    if found.measured is not None:
        return f"{found.measured.source}{raised}{again}"
    out = "a token a probe out" if settings.probe else f"{ASSUMED_TOKENS_PER_UNIT} tokens a unit out"
    return f"4 characters a token in, {out}{raised}: assumed, not measured{again}"
