"""The work behind `judge replay`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
import polars as pl
from rich.table import Table

from judge.cli.terminal import clean, complain, open_screens
from judge.errors import JudgeError
from judge.recordings.declared import load_format
from judge.recordings.replay import ReplayReport, replay

__all__ = ["SCHEMA", "run_replay"]

SCHEMA: Final = "judge.replay/1"
EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 3


def run_replay(
    recordings: Sequence[Path], named: str, out: Path, *, overwrite: bool, quiet: bool, as_json: bool
) -> int:
    """Replay and print.

    Returns:
        The exit code.
    """
    screens = open_screens(quiet=quiet, as_json=as_json)
    try:
        report = replay(recordings, out, load_format(named), overwrite=overwrite)
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    if as_json:
        screens.shown.out(orjson.dumps(_told(report, out)).decode())
    else:
        screens.shown.print(_table(report.rows))
        for line in _lines(report, out):
            screens.shown.print(clean(line))
    return EXIT_FAILED if report.unparsed else EXIT_OK


def _by_judge(rows: pl.DataFrame) -> pl.DataFrame:
    """Recordings of each judge, in the order of their first."""
    parsed = pl.col("failure").null_count()
    return rows.group_by("judge", maintain_order=True).agg(pl.len().alias("read"), parsed.alias("parsed"))


def _table(rows: pl.DataFrame) -> Table:
    table = Table("judge", *(name for name in ("read", "parsed", "unparsed")), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for judge, read, parsed in _by_judge(rows).iter_rows():
        table.add_row(clean(judge or "not told"), f"{read:,}", f"{parsed:,}", f"{read - parsed:,}")
    return table


def _lines(report: ReplayReport, out: Path) -> list[str]:
    why = ", ".join(f"{count:,} {error}" for error, count in report.unparsed.items())
    unparsed = report.read - report.parsed
    lines = [
        f"{report.read:,} recordings = {report.parsed:,} parsed + {unparsed:,} unparsed{f' ({why})' if why else ''}"
    ]
    if report.passed_over:
        lines.append(f"{report.passed_over:,} rows are of another format, and in none of these counts")
    if report.labels:
        lines.append(f"{report.labels:,} labels of people: {out / 'labels.jsonl'}")
    return [*lines, f"Written to {out}: {', '.join(report.tables)}, run.json"]


def _told(report: ReplayReport, out: Path) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "out": str(out),
        "recordings": {
            "read": report.read,
            "parsed": report.parsed,
            "unparsed": report.read - report.parsed,
            "passed_over": report.passed_over,
            "why": report.unparsed,
        },
        "judges": _by_judge(report.rows).to_dicts(),
        "counts": {"read": report.scored + report.failed, "scored": report.scored, "failed": report.failed},
        "labels": report.labels,
    }
