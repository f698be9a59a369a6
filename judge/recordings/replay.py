"""Files of recorded judge outputs -> a run directory, as a run that asks would have written it."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import orjson
import polars as pl
from pydantic import JsonValue

from judge.digest import digest
from judge.errors import ConfigError, InputError
from judge.outcome import Failure, Outcome
from judge.preference import build_preferences
from judge.recordings.pairs import pair_up
from judge.recordings.people import collect_labels
from judge.recordings.recording import RecordedFormat
from judge.recordings.said import Recording, read_recordings
from judge.recordings.scored import as_failure, rubric_of, score_recordings
from judge.runs.directory import disk_errors, read_run, write_atomically
from judge.settings import package_version
from judge.table import Labels, build_tables

__all__ = ["ReplayReport", "replay"]

_FILES: Final = (
    *("preferences.parquet", "scores.parquet", "verdicts.parquet", "calls.parquet", "recordings.parquet"),
    *("failures.jsonl", "labels.jsonl", "run.json"),
)
_RECORDINGS: Final[dict[str, Any]] = {
    **dict.fromkeys(("file", "record_id", "judge", "axis", "model_a", "model_b", "model"), pl.String),
    "line": pl.Int64,
    "swapped": pl.Boolean,
    **dict.fromkeys(("said", "preferred", "failure"), pl.String),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What came of the recordings.

    Attributes:
        read: Recordings; read = parsed + unparsed.
        passed_over: Rows of another format, which are in none of the counts.
        unparsed: Why -> how many.
        judges: Who was recorded.
        scored, failed: Records, or pairs, with and without a score or an outcome, for each judge.
        labels: Labels of people.
        tables: The names of the files that were written.
        rows: What `recordings.parquet` holds.
    """

    read: int
    passed_over: int
    unparsed: dict[str, int]
    judges: tuple[str, ...]
    scored: int
    failed: int
    labels: int
    tables: tuple[str, ...]
    rows: pl.DataFrame

    @property
    def parsed(self) -> int:
        """Recordings with a verdict."""
        return self.read - sum(self.unparsed.values())


def replay(paths: Sequence[Path], out: Path, declared: RecordedFormat, *, overwrite: bool = False) -> ReplayReport:
    """Read recordings and write a run directory; the same call again writes the same.

    Args:
        paths: Files of recordings: JSONL, compressed or not, Parquet, or a JSON list.
        out: The run directory.
        declared: Their format.
        overwrite: Whatever is in `out` is replaced.

    Raises:
        InputError: A file cannot be read, or has no recording of the format.
        ConfigError: `out` holds another run, or cannot be written to.
        CacheError: The disk is full or broken.
    """
    begun, identity = time.monotonic(), digest(declared.model_dump())[:12]
    rubric = None if declared.pairs else rubric_of(declared)
    found = list(read_recordings(paths, declared))
    recordings = [one for one in found if one is not None]
    _refuse_nothing(paths, declared, recordings, len(found))
    labels = collect_labels(recordings, declared)
    made = _paired(recordings, declared) if rubric is None else _scored(recordings, declared, rubric, identity)
    report = _report(recordings, len(found) - len(recordings), made, len(labels))
    with disk_errors(out):
        _prepare(out, identity, overwrite=overwrite)
        frames = {**made.frames, "recordings": report.rows}
        for name, frame in frames.items():
            write_atomically(out / f"{name}.parquet", frame.write_parquet)
        write_atomically(out / "failures.jsonl", partial(_write_lines, [_failure_row(one) for one in made.failures]))
        write_atomically(out / "labels.jsonl", partial(_write_lines, labels))
        story = _story(paths, declared, identity, report, made.rubric, time.monotonic() - begun)
        write_atomically(out / "run.json", partial(_write_lines, [story], option=orjson.OPT_INDENT_2))
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    frames: dict[str, pl.DataFrame]
    failures: list[Failure]
    scored: int
    failed: int
    rubric: str | None = None


def _refuse_nothing(paths: Sequence[Path], declared: RecordedFormat, found: Sequence[Recording], rows: int) -> None:
    if found and not all(one.stage == "read" and one.failure for one in found):
        return
    told = f"{rows} rows, and none is a recording of the format {declared.name!r}, which is: {declared.about}"
    why = f" The first one: {found[0].message}" if found else ""
    raise InputError(f"{', '.join(map(str, paths))}: {told}{why}", hint="docs/replay.md says what a format holds.")


def _paired(recordings: Sequence[Recording], declared: RecordedFormat) -> _Made:
    preferences = pair_up(recordings, declared)
    failed = sum(one.outcome is None for one in preferences)
    failures = [as_failure(one) for one in recordings if one.failure]
    failures += [
        Failure(
            line=0,
            record_id=one.record_id,
            stage="reply",
            error=str(one.failure),
            message=_ORDERS[one.failure],
            axis=one.axis,
        )
        for one in preferences
        if one.failure in _ORDERS
    ]
    frames = {"preferences": build_preferences(preferences)}
    return _Made(frames=frames, failures=failures, scored=len(preferences) - failed, failed=failed)


_ORDERS: Final[Mapping[str | None, str]] = {
    "order_missing": "the pair was recorded in one order, and the format says that both were asked (`orders: 2`).",
    "repeats_differ": "the pair was recorded several times in one order, with different answers.",
}


def _scored(recordings: Sequence[Recording], declared: RecordedFormat, rubric: Any, identity: str) -> _Made:
    outcomes = score_recordings(recordings, declared, rubric)
    kinds = {name: axis.kind for name, axis in rubric.scored.items()}
    named = f"{rubric.name}@{rubric.version}"
    by_judge: dict[str, list[Outcome]] = {}
    for judge, outcome in outcomes:
        by_judge.setdefault(judge, []).append(outcome)
    tables = [
        build_tables(
            those, Labels(judge=judge, rubric=named, prompt_fp=identity, rubric_fp=rubric.fingerprint, axes=kinds)
        )
        for judge, those in by_judge.items()
    ]
    frames = {name: pl.concat([getattr(one, name) for one in tables]) for name in ("scores", "verdicts", "calls")}
    failures = [failure for _, outcome in outcomes for failure in outcome.failures]
    failures += [as_failure(one) for one in recordings if one.record_id is None or one.judge is None]
    failed = sum(outcome.scores is None or outcome.scores.score is None for _, outcome in outcomes)
    return _Made(frames=frames, failures=failures, scored=len(outcomes) - failed, failed=failed, rubric=named)


def _report(recordings: Sequence[Recording], passed_over: int, made: _Made, labels: int) -> ReplayReport:
    rows = [
        {**{name: getattr(one, name) for name in _RECORDINGS if hasattr(one, name)}, **_told(one)} for one in recordings
    ]
    return ReplayReport(
        read=len(recordings),
        passed_over=passed_over,
        unparsed=dict(Counter(one.failure for one in recordings if one.failure).most_common()),
        judges=tuple(dict.fromkeys(one.judge for one in recordings if one.judge is not None)),
        scored=made.scored,
        failed=made.failed,
        labels=labels,
        tables=(*(f"{name}.parquet" for name in (*made.frames, "recordings")), "failures.jsonl", "labels.jsonl"),
        rows=pl.DataFrame(rows, schema=_RECORDINGS),
    )


def _told(one: Recording) -> dict[str, str | None]:
    said = " ".join(f"{part:g}" for part in one.heard) if isinstance(one.heard, tuple) else one.heard
    return {"file": one.path.name, "said": f"{said:g}" if isinstance(said, float) else said}


def _prepare(out: Path, identity: str, *, overwrite: bool) -> None:
    """An empty folder, or one that this format was replayed into."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"--out {out}: {exc.strerror}.", hint="Give a folder that can be written to.") from exc
    earlier = {} if overwrite else read_run(out)
    if earlier and earlier.get("fingerprints") != {"format": identity}:
        message = f"--out {out} holds another run, and this is format {identity}."
        raise ConfigError(message, hint="Give another --out, or --overwrite to start afresh.")
    for name in _FILES:
        (out / name).unlink(missing_ok=True)


def _story(
    paths: Sequence[Path],
    declared: RecordedFormat,
    identity: str,
    report: ReplayReport,
    rubric: str | None,
    wall_s: float,
) -> dict[str, JsonValue]:
    one_order = declared.pairs and len(declared.raw) == 1 and declared.orders == 1
    note = "Each pair was asked in one order: what the position did to the answers cannot be told."
    return {
        "status": "finished",
        "backend": "replay",
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": round(wall_s, 3),
        "input": [path.name for path in paths],
        "judge": ", ".join(report.judges),
        "judges": list(report.judges),
        "rubric": rubric,
        "fingerprints": {"format": identity},
        "format": orjson.loads(orjson.dumps(declared.model_dump(exclude_defaults=True))),
        "counts": {"read": report.scored + report.failed, "scored": report.scored, "failed": report.failed},
        "recordings": {
            "read": report.read,
            "parsed": report.parsed,
            "unparsed": report.read - report.parsed,
            "passed_over": report.passed_over,
            "why": dict(report.unparsed),
        },
        "labels": report.labels,
        "notes": [note] if one_order else [],
        "versions": {"judge": package_version(), "python": platform.python_version(), "polars": pl.__version__},
    }


def _failure_row(failure: Failure) -> dict[str, Any]:
    row = {name: getattr(failure, name) for name in failure.__struct_fields__}
    return {name: value for name, value in row.items() if value not in (None, ())}


def _write_lines(rows: Sequence[Mapping[str, Any]], file: IO[bytes], *, option: int = 0) -> None:
    for row in rows:
        file.write(orjson.dumps(row, option=option | orjson.OPT_APPEND_NEWLINE))
