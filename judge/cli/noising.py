"""The work behind `judge noise`: every way of asking, held against each other, and what is printed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_USAGE, Asking
from judge.cli.given import read_settings, read_traces
from judge.cli.noise_page import call_line, print_noise
from judge.cli.options import NoiseOptions
from judge.cli.terminal import Screen, clean, complain
from judge.errors import JudgeError
from judge.progress import Progress, RunReport, sum_up
from judge.settings import Settings
from judge.trust.arms import Ask, build_asks, count_calls, judge_asks
from judge.trust.noise import SCHEMA, Noise, find_noise, write_noise, write_story

__all__ = ["Noising", "dry_run"]


def dry_run(options: NoiseOptions) -> int:
    """Print what it would take.

    Returns:
        The exit code.
    """
    try:
        settings = read_settings(options)
        asks = _asks(options, settings)
        found = asyncio.run(count_calls(read_traces(options, settings), options.out, asks))
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    if options.as_json:
        told = {ask.name: asdict(one) for ask, one in zip(asks, found, strict=True)}
        Screen().out(orjson.dumps({"schema": "judge.noise.estimate/1", "asks": told}).decode())
    else:
        Screen().print(clean(call_line(found)))
    return EXIT_OK


def _asks(options: NoiseOptions, settings: Settings) -> list[Ask]:
    counts = {"repeats": options.repeats, "orders": options.orders, "templates": options.templates}
    return build_asks(settings, **counts)


class Noising(Asking[NoiseOptions, list[RunReport]]):
    """One `judge noise`."""

    def __init__(self, options: NoiseOptions) -> None:
        super().__init__(options)
        self._each: list[Progress] = []

    def _counts(self) -> Progress:
        return sum_up(self._each)

    async def _total(self) -> int | None:
        """Every record is judged in every way."""
        records = await super()._total()
        return None if records is None else records * len(self._each)

    def _introduce(self, settings: Settings) -> None:
        super()._introduce(settings)
        if self._options.repeats and not settings.free and settings.model.params.get("temperature") == 0:
            self._tell(
                "At temperature 0 repeats show what the server does not hold fixed, such as how it batches, and not "
                "how unsure the judge is; give --param temperature=0.7 for that."
            )

    async def _work(self, settings: Settings, stop: asyncio.Event) -> list[RunReport]:
        options, begun = self._options, time.monotonic()
        asks, traces = _asks(options, settings), read_traces(options, settings)
        self._each = [Progress() for _ in asks]
        if not options.quiet and not options.overwrite:
            self._tell(call_line(await count_calls(traces, options.out, asks)))
        try:
            return await judge_asks(
                traces,
                options.out,
                asks,
                overwrite=options.overwrite,
                progress=self._each,
                stop=stop,
                tell=self._tell,
            )
        finally:
            if self._counts().read:  # else nothing came of it, and what is there may be another judge's
                write_story(options.out, traces, asks, begun=begun)

    def _conclude(self, reports: list[RunReport], settings: Settings) -> int:
        asks = _asks(self._options, settings)
        if len(reports) < len(asks) or not all(report.finished for report in reports):
            return self._stopped()
        noise = find_noise(self._options.out, asks, reports, seed=self._options.seed)
        write_noise(self._options.out, noise, asks)
        code = EXIT_FAILED_RECORDS if noise.failed else EXIT_OK
        if self._options.as_json:
            self._shown.out(orjson.dumps(self._as_json(noise, reports, code)).decode())
        else:
            print_noise(self._shown, noise, reports, self._options.out)
        return code

    def _as_json(self, noise: Noise, reports: Sequence[RunReport], code: int) -> dict[str, Any]:
        notes = [*dict.fromkeys(note for report in reports for note in report.notes)]
        return {
            "schema": SCHEMA,
            "exit_code": code,
            "out": str(self._options.out),
            **asdict(noise),
            "notes": notes,
        }
