"""The work behind `judge estimate` and `judge score --dry-run`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Literal

import orjson

from judge.cli.given import not_used, read_settings, read_traces
from judge.cli.options import EstimateOptions, ScoreOptions
from judge.cli.terminal import Screen, clean
from judge.errors import JudgeError
from judge.estimate import ASSUMED_TOKENS_PER_UNIT, Estimate
from judge.estimate import estimate as make_estimate
from judge.panel_run import member_folder
from judge.panels.rule import build_rule
from judge.runs.claim import refuse_other_panel
from judge.settings import Settings

__all__ = ["PANEL_SCHEMA", "SCHEMA", "dry_run", "print_estimate", "run_estimate"]

SCHEMA: Literal["judge.estimate/1"] = "judge.estimate/1"
PANEL_SCHEMA: Literal["judge.estimate.panel/1"] = "judge.estimate.panel/1"
"""Of several judges: `judges`, each as one alone would be told, and their sums."""
EXIT_OK = 0
EXIT_USAGE = 2
_NAME_WIDTH = 12
_RECORDS = ("records", "units")
_MEASURED = "judge estimate measures it with --measure 5, or takes it from an earlier run with --past"


def run_estimate(members: Sequence[EstimateOptions]) -> int:
    """Estimate and print.

    Args:
        members: The options of each judge.

    Returns:
        The exit code.
    """
    screen, errors = (Screen(stderr=stderr) for stderr in (False, True))
    try:
        found = _estimates(members, errors)
    except JudgeError as exc:
        errors.print(clean(exc))
        return EXIT_USAGE
    told = [{"judge": settings.labels.judge, **asdict(one)} for settings, one in found]
    total = _total([one for settings, one in found if not settings.free])
    if members[0].as_json:
        whole = told[0] if len(told) == 1 else {"judges": told, **total}
        schema = SCHEMA if len(told) == 1 else PANEL_SCHEMA
        screen.out(orjson.dumps({"schema": schema, **whole}).decode())
        return EXIT_OK
    for settings, one in found:
        _print(screen, _lines(one, settings, *_RECORDS))
    if len(found) > 1:
        _print(screen, _total_lines(total))
    return EXIT_OK


def _estimates(members: Sequence[EstimateOptions], errors: Screen) -> list[tuple[Settings, Estimate]]:
    judges = [read_settings(options) for options in members]
    if len(members) > 1:
        rule = build_rule(judges, members[0].reducer, members[0].min_judges)
        if members[0].out is not None:
            refuse_other_panel(members[0].out, rule.judges)
    return [_estimate(*pair, errors, several=len(members) > 1) for pair in zip(members, judges, strict=True)]


def _estimate(
    options: EstimateOptions, settings: Settings, errors: Screen, *, several: bool
) -> tuple[Settings, Estimate]:
    for warning in _warnings(options, settings):
        errors.print(clean(warning))
    out, past = options.out, options.past
    if several:
        out, past = (None if path is None else member_folder(path, settings) for path in (out, past))
        past = past if past is not None and (past / "calls.parquet").exists() else None
    asking = make_estimate(read_traces(options, settings), settings, out=out, past=past, measure=options.measure)
    return settings, asyncio.run(asking)


def _total(found: Sequence[Estimate]) -> dict[str, int | float | None]:
    """Of all judges; the price is not known where one of them has none."""
    names = ("calls", "stored", "prompt_tokens", "completion_tokens")
    costs = [one.cost_usd for one in found]
    known = [cost for cost in costs if cost is not None]
    whole: dict[str, int | float | None] = {name: sum(getattr(one, name) for one in found) for name in names}
    return whole | {"cost_usd": sum(known) if len(known) == len(costs) else None}


def _print(screen: Screen, lines: Iterable[tuple[str, str]]) -> None:
    for name, told in lines:
        screen.print(f"{name:<{_NAME_WIDTH}}{clean(told)}")


def _total_lines(total: Mapping[str, int | float | None]) -> Iterator[tuple[str, str]]:
    yield "panel", "all judges together"
    yield "calls", f"{total['calls']:,}, {total['stored']:,} of them paid for already"
    yield "price", _price(total["cost_usd"])


def print_estimate(
    found: Estimate,
    settings: Settings,
    screen: Screen,
    *,
    as_json: bool,
    things: tuple[str, str] = _RECORDS,
    how: str = _MEASURED,
) -> None:
    """Say what a run of one judge would take.

    Args:
        found: What it would take.
        settings: Of the judge.
        screen: Where to.
        as_json: As one object.
        things: What is judged, and what is asked of each.
        how: What to do to know how long it takes.
    """
    if as_json:
        screen.out(orjson.dumps({"schema": SCHEMA, "judge": settings.labels.judge, **asdict(found)}).decode())
        return
    _print(screen, _lines(found, settings, *things, how))


def dry_run(members: Sequence[ScoreOptions]) -> int:
    """The same for `judge score`, of its run directory; what it would overwrite is not paid for any more."""
    return run_estimate([_of_score(options) for options in members])


def _of_score(options: ScoreOptions) -> EstimateOptions:
    anew = options.overwrite
    if options.blind_check is not None:
        again = f"--blind-check asks about up to {options.blind_check} of the records twice more, on top of this."
        Screen(stderr=True).print(again)
    names = [field.name for field in fields(EstimateOptions) if hasattr(options, field.name) and field.name != "out"]
    shared = {name: getattr(options, name) for name in names}
    past = options.out if anew and (options.out / "calls.parquet").exists() else None
    return EstimateOptions(**shared, out=None if anew else options.out, past=past, measure=0)


def _warnings(options: EstimateOptions, settings: Settings) -> Iterator[str]:
    """What should be known before anything is paid for."""
    if said := not_used(options):
        yield said
    if options.measure and settings.cache is None and not settings.free:
        yield "With --cache none the replies of --measure are not kept: a run pays for the same records again."


def _lines(
    found: Estimate, settings: Settings, things: str, asked: str, how: str = _MEASURED
) -> Iterator[tuple[str, str]]:
    unasked = {"would fail unasked": found.failed, "say nothing and need no call": found.contentless}
    yield "judge", f"{settings.labels.judge}, rubric {settings.labels.rubric}"
    yield things, ", ".join([f"{found.records:,}", *(f"{n:,} {words}" for words, n in unasked.items() if n)])
    yield "calls", f"{found.calls:,} for {found.units:,} {asked}, {found.stored:,} of them paid for already"
    if settings.free:
        yield "price", "computed here at no cost"
        return
    images = f", {found.images:,} images included" if found.images else ""
    yield "tokens", f"about {found.prompt_tokens:,} in{images}, {found.completion_tokens:,} out"
    yield "price", _price(found.cost_usd)
    yield "time", _time(found, settings, how)
    yield "from", _basis(found, settings)


def _price(cost_usd: float | None) -> str:
    if cost_usd is None:
        return "not known; give USD a million tokens with --price IN,OUT"
    return f"about ${cost_usd:.2f}" if cost_usd >= 0.1 else f"about ${cost_usd:.4f}"


def _time(found: Estimate, settings: Settings, how: str) -> str:
    if found.seconds is None:
        return f"not known; {how}"
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
