"""What `judge score --json` prints of several judges: one object of a fixed form, described in docs/panels.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from judge.difference import Difference
from judge.panel_run import Member, PanelReport
from judge.panels.rule import PanelRule

__all__ = ["SCHEMA", "tell_panel"]

SCHEMA: Literal["judge.score.panel/1"] = "judge.score.panel/1"


def tell_panel(
    report: PanelReport,
    summary: pl.DataFrame,
    differences: Sequence[Difference],
    *,
    rule: PanelRule,
    out: Path,
    exit_code: int,
) -> str:
    """The object as one line of JSON.

    Args:
        report: How the session ended.
        summary: Of `summarise`: per model, the rows of every judge and of the panel.
        differences: Of `find_differences`, by the panel's scores.
        rule: Who is in the panel.
        out: The run directory.
        exit_code: Of this command.
    """
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "finished": report.finished,
        "exit_code": exit_code,
        "judge": rule.labels.judge,
        "reducer": rule.reducer,
        "min_judges": rule.least,
        "rubric": rule.labels.rubric,
        "counts": {"read": report.read, "scored": report.scored, "failed": report.failed},
        "units": {"asked": report.units_asked, "judged": report.units_judged},
        "spent": report.spent or None,
        "cost_usd": report.spent["cost_usd"] if report.spent else 0.0,
        "judges": [_member(one) for one in report.members],
        "agreement": report.accord.told(),
        "doubtful": report.doubtful,
        "cautions": [{"judge": judge, **asdict(caution)} for judge, caution in report.cautions],
        "differences": [asdict(one) | {"separated": one.separated} for one in differences],
        "notes": [*report.notes],
        "summary": summary.to_dicts(),
        "out": str(out),
    }
    return orjson.dumps(told).decode()


def _member(one: Member) -> dict[str, Any]:
    report = one.report
    counts = None if report is None else {"read": report.read, "scored": report.scored, "failed": report.failed}
    return {
        "judge": one.judge,
        "finished": one.finished,
        "error": None if one.error is None else str(one.error),
        "counts": counts,
        "spent": None if report is None else report.spent or None,
        "out": str(one.out),
    }
