"""The judges of a panel -> how a session of theirs ended, and what `run.json` says of it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from judge.caution import Caution
from judge.digest import digest
from judge.errors import JudgeError
from judge.panels.accord import Accord
from judge.panels.rule import PanelRule
from judge.progress import Progress, RunReport
from judge.runs.directory import RunDirectory, read_run
from judge.runs.story import sum_wall_s, tell_versions
from judge.settings import Settings

__all__ = ["MEMBERS", "Member", "PanelReport", "PanelStory", "member_folder", "sum_spent"]

MEMBERS = "judges"
"""The folder of the judges' own runs, in that of the panel."""
_LONGEST_NAME = 40
_SUMMED = ("replies", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd")


@dataclass(slots=True)
class Member:
    """One judge of a panel, and how its run ended in this session.

    Attributes:
        out: Its run directory.
        report: None where it was not begun, or did not end in order.
        error: Why it did not.
    """

    settings: Settings
    out: Path
    progress: Progress
    report: RunReport | None = None
    error: JudgeError | None = None

    @property
    def judge(self) -> str:
        """Its judge id."""
        return self.settings.labels.judge

    @property
    def finished(self) -> bool:
        """Whether its whole input is done."""
        return self.report is not None and self.report.finished


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelReport:
    """How a session of a panel ended.

    Attributes:
        finished: Every judge is; else the same call resumes.
        read, scored, failed: Records by the panel's own rows; read = scored + failed.
        units_asked, units_judged: By the panel's own verdicts.
        spent: Of all judges together, in all sessions; empty where all are free.
        members: In the user's order.
        accord: How far the judges agree.
        doubtful: Units in `doubtful.jsonl`, by reason.
    """

    finished: bool
    read: int
    scored: int
    failed: int
    units_asked: int
    units_judged: int
    spent: dict[str, int | float | None]
    members: tuple[Member, ...]
    accord: Accord = field(repr=False)
    doubtful: dict[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the judges' backends had to do differently, each said once."""
        return tuple(dict.fromkeys(note for one in self.members if one.report for note in one.report.notes))

    @property
    def cautions(self) -> tuple[tuple[str, Caution], ...]:
        """Judge id and caution, of every judge whose run ended in order."""
        return tuple((one.judge, caution) for one in self.members if one.report for caution in one.report.cautions)


def member_folder(out: Path, settings: Settings) -> Path:
    """Where the run of a judge is, below that of its panel."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", settings.judge.rpartition("/")[2]).strip("-.")[:_LONGEST_NAME]
    return out / MEMBERS / f"{name or 'judge'}-{digest(settings.identity)[:12]}"


class PanelStory:
    """`run.json`: who judged, how far each came, and what the panel says.

    Args:
        directory: Of the panel's run.
        rule: Who is in it.
        members: The same with where they stand.
        name: Of the input.
    """

    def __init__(self, directory: RunDirectory, rule: PanelRule, members: Sequence[Member], name: str) -> None:
        self._directory = directory
        self._rule = rule
        self._members = members
        self._name = name
        self._earlier = directory.read_run()
        self._begun = time.monotonic()

    def write(self, status: str, report: PanelReport | None = None) -> None:
        """Replace the file; it holds no secret, as settings never do."""
        now, labels = datetime.now(UTC).isoformat(timespec="seconds"), self._rule.labels
        self._directory.write_run(
            {
                "status": status,
                "started": self._earlier.get("started", now),
                "ended": None if status == "running" else now,
                "wall_s": sum_wall_s(self._earlier, self._begun),
                "input": self._name,
                "judge": labels.judge,
                "rubric": labels.rubric,
                "fingerprints": {
                    "judge": labels.judge.rpartition("#")[2],
                    "prompt": labels.prompt_fp,
                    "rubric": labels.rubric_fp,
                },
                "identity": self._rule.identity,
                "judges": [_told(one, self._directory.path) for one in self._members],
                **({} if report is None else _told_report(report)),
                "versions": tell_versions(),
            }
        )


def _spent(member: Member) -> dict[str, int | float | None]:
    """In all sessions, also where this one ended in an error."""
    if member.report is not None:
        return member.report.spent
    told = read_run(member.out).get("spent")
    return cast("dict[str, int | float | None]", told) if isinstance(told, dict) else {}


def sum_spent(members: Sequence[Member]) -> dict[str, int | float | None]:
    """What the judges have cost together, in all sessions; empty where all are free."""
    paid = [spent for one in members if (spent := _spent(one))]
    return {name: _whole([one.get(name) for one in paid], name) for name in _SUMMED} if paid else {}


def _whole(values: Sequence[int | float | None], name: str) -> int | float | None:
    """A total; None where a part of it is not known, but for what the prefix cache held, which few servers tell."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) or (known and name == "cached_tokens") else None


def _told(member: Member, out: Path) -> dict[str, Any]:
    run = read_run(member.out)
    return {
        "judge": member.judge,
        "folder": str(member.out.relative_to(out)),
        "finished": member.finished,
        "error": None if member.error is None else str(member.error),
        **{name: run.get(name) for name in ("counts", "units", "spent", "settings", "cautions")},
    }


def _told_report(report: PanelReport) -> dict[str, Any]:
    return {
        "counts": {"read": report.read, "scored": report.scored, "failed": report.failed},
        "units": {"asked": report.units_asked, "judged": report.units_judged},
        "spent": report.spent,
        "notes": [*report.notes],
        "cautions": [{"judge": judge, **asdict(caution)} for judge, caution in report.cautions],
        "agreement": report.accord.told(),
        "doubtful": report.doubtful,
    }
