"""The work behind `judge report`: which trace files are read, and what is printed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from judge.cli.asking import EXIT_OK, EXIT_USAGE
from judge.cli.terminal import Screen, clean, complain
from judge.errors import ConfigError, JudgeError
from judge.image import ImageRules
from judge.runs.directory import read_run
from judge.traces.mapping import parse_map
from judge.traces.reading import Traces

if TYPE_CHECKING:
    from judge.report.report import ReportMade

__all__ = ["SCHEMA", "ReportOptions", "run_report"]

SCHEMA = "judge.report/1"
"""Name and version of what `--json` prints."""
_MEGABYTE = 1_000_000
_NAME_IT = "name its file with --traces, and --map and --references as in the run."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What `judge report` was given."""

    runs: tuple[Path, ...]
    out: Path
    labels: Path | None
    traces: tuple[str, ...]
    whole: bool
    no_text: bool
    seed: int
    map: tuple[str, ...]
    references: str | None
    on: str
    image_root: Path | None
    as_json: bool


def run_report(options: ReportOptions) -> int:
    """Write the report and say what is in it: the exit code."""
    try:
        _require_matplotlib()
        from judge.report.report import ReportWish, write_report

        wish = ReportWish(
            runs=options.runs,
            labels=options.labels,
            traces=[] if options.no_text else list(_traces(options)),
            with_text=not options.no_text,
            whole=options.whole,
            seed=options.seed,
        )
        made = asyncio.run(write_report(wish, options.out))
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    _tell(made, options)
    return EXIT_OK


def _require_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise ConfigError(
            "judge report needs matplotlib, which is not here.", hint="pip install 'rationale-judge[report]'"
        )


def _traces(options: ReportOptions) -> Iterator[Traces]:
    """The files that are named, or else those that the runs read."""
    for path in options.traces or tuple(dict.fromkeys(_inputs(options))):
        root = Path(path).parent if options.image_root is None else options.image_root
        yield Traces(
            path=path,
            mapped=parse_map(options.map),
            references=options.references,
            on=options.on,
            images=ImageRules(root=root),
        )


def _inputs(options: ReportOptions) -> Iterator[str]:
    for run in options.runs:
        read = read_run(run).get("input")
        if isinstance(read, str) and read != "-" and Path(read).is_file():
            yield read


def _tell(made: ReportMade, options: ReportOptions) -> None:
    screen = Screen()
    if options.as_json:
        screen.out(
            orjson.dumps({"schema": SCHEMA, "exit_code": EXIT_OK, "out": str(options.out), **asdict(made)}).decode()
        )
        return
    screen.print(f"Written to {clean(options.out)}: {made.size / _MEGABYTE:.1f} MB, {made.figures} plots")
    failed = f"; {made.embedded_failed:,} of {made.failed:,} failed" if made.failed else ""
    screen.print(f"{made.embedded:,} of {made.records:,} records can be looked at{failed}")
    if not options.no_text and made.with_trace < made.embedded:
        without = made.embedded - made.with_trace
        screen.print(f"{without:,} of them without their trace: {_NAME_IT}")
    for fault in made.faults:
        screen.print(clean(fault))
