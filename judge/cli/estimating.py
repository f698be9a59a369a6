"""The work behind `judge estimate` and `judge score --dry-run`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Literal

import orjson

from judge.cli.estimate import EstimateOptions
from judge.cli.given import read_settings, read_traces
from judge.cli.options import JudgeOptions
from judge.cli.terminal import Screen, clean
from judge.errors import JudgeError
from judge.estimate import ASSUMED_TOKENS_PER_UNIT, Estimate
from judge.estimate import estimate as make_estimate
from judge.settings import Settings

__all__ = ["SCHEMA", "dry_run", "run_estimate"]

SCHEMA: Literal["judge.estimate/1"] = "judge.estimate/1"
EXIT_OK = 0
EXIT_USAGE = 2
_NAME_WIDTH = 12


def run_estimate(options: EstimateOptions) -> int:
    """Estimate and print.

    Returns:
        The exit code.
    """
    return _run(options, options.out, options.past, options.measure, as_json=options.as_json)


def dry_run(options: JudgeOptions, out: Path, *, overwrite: bool, as_json: bool) -> int:
    """The same for `judge score`, which gives its run directory; what it would overwrite is not paid for any more."""
    past = out if overwrite and (out / "calls.parquet").exists() else None
    return _run(options, None if overwrite else out, past, 0, as_json=as_json)


def _run(options: JudgeOptions, out: Path | None, past: Path | None, measure: int, *, as_json: bool) -> int:
    screen, errors = Screen(soft_wrap=True, highlight=False, markup=False), Screen(stderr=True, soft_wrap=True)
    try:
        settings = read_settings(options)
        traces = read_traces(options, settings)
        found = asyncio.run(make_estimate(traces, settings, out=out, past=past, measure=measure))
    except JudgeError as exc:
        errors.print(clean(exc), highlight=False, markup=False)
        return EXIT_USAGE
    if as_json:
        screen.out(orjson.dumps({"schema": SCHEMA, "judge": settings.labels.judge, **asdict(found)}).decode())
    else:
        for name, told in _lines(found, settings):
            screen.print(f"{name:<{_NAME_WIDTH}}{clean(told)}")
    return EXIT_OK


def _lines(found: Estimate, settings: Settings) -> Iterator[tuple[str, str]]:
    unasked = {"would fail unasked": found.failed, "say nothing and need no call": found.contentless}
    yield "judge", f"{settings.labels.judge}, rubric {settings.labels.rubric}"
    yield "records", ", ".join([f"{found.records:,}", *(f"{n:,} {words}" for words, n in unasked.items() if n)])
    yield "calls", f"{found.calls:,} for {found.units:,} units, {found.stored:,} of them paid for already"
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
    if found.measured is not None:
        return f"{found.measured.source}{raised}{again}"
    out = "a token a probe out" if settings.probe else f"{ASSUMED_TOKENS_PER_UNIT} tokens a unit out"
    return f"4 characters a token in, {out}{raised}: assumed, not measured{again}"
