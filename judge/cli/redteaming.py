"""The work behind `judge redteam`: what is attacked, what is checked, and what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import orjson

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_USAGE, Asking
from judge.cli.estimating import run_estimate
from judge.cli.given import read_settings, read_traces
from judge.cli.options import EstimateOptions, JudgeOptions, RedTeamOptions
from judge.cli.redteam_page import print_attacked
from judge.cli.terminal import Screen, clean, complain
from judge.errors import JudgeError
from judge.progress import Progress
from judge.redteam.campaign import Attacked, Campaign, attack, prepare
from judge.redteam.catalogue import choose
from judge.redteam.measure import TRACE_SCORE, Effect, not_tried
from judge.resource import resource_path
from judge.settings import Settings

__all__ = ["SCHEMA", "Check", "RedTeaming", "dry_run"]

SCHEMA: Literal["judge.redteam/1"] = "judge.redteam/1"
EXIT_EXCEEDED = 1
_RECORDS: Final = 20
_CONTENTLESS: Final = "contentless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One bound of `--fail-over`.

    Attributes:
        found: None where nothing that it is about was tried and scored, which exceeds nothing.
        family: Where it was found, if it is the largest of several.
    """

    name: str
    bound: float
    found: float | None
    family: str | None

    @property
    def exceeded(self) -> bool:
        """Whether the bound is."""
        return self.found is not None and self.found > self.bound


def dry_run(options: RedTeamOptions) -> int:
    """Say what it would take, and ask nobody.

    Returns:
        The exit code.
    """
    with TemporaryDirectory() as folder:
        try:
            given, campaign = _given(options), _campaign(options)
            settings = read_settings(given)
            prepared = asyncio.run(prepare(read_traces(given, settings), Path(folder), settings, campaign))
        except JudgeError as exc:
            complain(exc)
            return EXIT_USAGE
        if not options.quiet and settings.evidence != "none":
            Screen(stderr=True).print(
                f"The {len(prepared.gathered.targets)} clean records are judged once more without evidence; "
                "that comes on top."
            )
        shared = {field.name: getattr(given, field.name) for field in fields(JudgeOptions)}
        run = None if options.overwrite else options.out / "run"
        image_root = given.image_root or Path(given.traces).parent
        own = {"traces": prepared.traces.path, "map": (), "references": None, "limit": None, "image_root": image_root}
        return run_estimate([EstimateOptions(**{**shared, **own}, out=run, past=None, measure=0)])


def _given(options: RedTeamOptions) -> RedTeamOptions:
    """With the records that are read where none are named, and no more of them than is usual."""
    if not options.traces:
        return replace(options, traces=str(resource_path("redteam", "traces.jsonl")))
    return replace(options, limit=_RECORDS if options.limit is None else options.limit)


def _campaign(options: RedTeamOptions) -> Campaign:
    families = choose(options.families)
    return Campaign(families=families, seed=options.seed, per_family=options.per_family, pass_mark=options.pass_mark)


class RedTeaming(Asking[RedTeamOptions, Attacked | None]):
    """One `judge redteam`."""

    def __init__(self, options: RedTeamOptions) -> None:
        super().__init__(_given(options))
        self._of_drift = Progress()

    @cached_property
    def _campaign(self) -> Campaign:
        return _campaign(self._options)

    def _counts(self) -> Progress:
        return self._progress.plus(self._of_drift)

    async def _total(self) -> int | None:
        """Attacks are made of the records, and are many more."""
        return None

    async def _work(self, settings: Settings, stop: asyncio.Event) -> Attacked | None:
        options = self._options
        return await attack(
            read_traces(options, settings),
            options.out,
            settings,
            self._campaign,
            overwrite=options.overwrite,
            progress=(self._progress, self._of_drift),
            stop=stop,
            tell=self._tell,
        )

    def _conclude(self, report: Attacked | None, settings: Settings) -> int:
        if report is None:
            return self._stopped()
        checks = [_check(name, bound, report.effects) for name, bound in self._options.fail_over]
        code = _exit_code(report, checks)
        told = _told(report, settings, self._campaign, checks, code)
        (self._options.out / "redteam.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        if self._options.as_json:
            self._shown.out(orjson.dumps(told).decode())
        else:
            print_attacked(self._shown, report, settings, self._campaign)
            self._print_ending(report, checks)
        if report.gathered.first_failure:
            self._told.print(
                clean(f"{report.gathered.failed} records could not be judged: {report.gathered.first_failure}")
            )
        return code

    def _print_ending(self, report: Attacked, checks: Sequence[Check]) -> None:
        for check in checks:
            self._shown.print(_told_check(check))
        for note in dict.fromkeys(report.run.notes):
            self._shown.print(clean(f"Note: {note}"))
        self._shown.print(clean(f"Written to {self._options.out}: redteam.parquet, redteam.json, traces.jsonl, run"))


def _told_check(check: Check) -> str:
    if check.found is None:
        return f"not known: {check.name}, as nothing that it is about has a score; at most {check.bound:g}"
    where = f" ({check.family})" if check.family else ""
    said = "EXCEEDED" if check.exceeded else "ok"
    return f"{said}: {check.name} {round(check.found, 3) + 0.0:.3f}{where}, at most {check.bound:g}"


def _exit_code(report: Attacked, checks: Sequence[Check]) -> int:
    if any(check.exceeded for check in checks):
        return EXIT_EXCEEDED
    return EXIT_FAILED_RECORDS if report.failed else EXIT_OK


def _check(name: str, bound: float, effects: Sequence[Effect]) -> Check:
    """The largest of the families that it is about; a rate of several is over all their attacks."""
    mine = [one for one in effects if one.measure == TRACE_SCORE]
    added, replaced = ([one for one in mine if one.aim == aim] for aim in ("raise", "nothing"))
    found: list[tuple[float | None, str | None]]
    if name == "false_positives":
        found = [(one.accepted.share, None) for one in replaced if one.family == _CONTENTLESS]
    elif name == "passes":
        tried = sum(one.passed.n for one in replaced)
        found = [(sum(one.passed.count for one in replaced) / tried, None)] if tried else []
    else:
        found = [(one.inflation if name == "inflation" else one.flips.share, one.family) for one in added]
    known = [(value, family) for value, family in found if value is not None]
    value, family = max(known, key=lambda one: one[0], default=(None, None))
    return Check(name=name, bound=bound, found=value, family=family)


def _told(
    report: Attacked, settings: Settings, campaign: Campaign, checks: Sequence[Check], code: int
) -> dict[str, Any]:
    """What --json prints, and `redteam.json` keeps: one object of a fixed form."""
    gathered, run = report.gathered, report.run
    return {
        "schema": SCHEMA,
        "exit_code": code,
        "judge": settings.labels.judge,
        "rubric": settings.labels.rubric,
        "seed": campaign.seed,
        "pass_mark": campaign.pass_mark,
        "records": {"read": gathered.read, "attacked": len(gathered.targets), "failed": gathered.failed},
        "judged": {"read": run.read, "scored": run.scored, "failed": run.failed},
        "spent": [dict(one.spent) or None for one in (run, report.without) if one is not None],
        "families": [_effect(one) for one in report.effects],
        "not_tried": not_tried(campaign.families, report.effects),
        "worst": [asdict(one) for one in report.worst],
        "quotes": asdict(report.quotes),
        "gate": asdict(report.gate),
        "drift": None if report.drift is None else asdict(report.drift),
        "checks": [{**asdict(one), "exceeded": one.exceeded} for one in checks],
    }


def _effect(one: Effect) -> dict[str, Any]:
    return asdict(one)
