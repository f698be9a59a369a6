"""The file of a draft and the folder beside it: who drafted it, what failed, and which lines a person has edited.

units.jsonl                    what a person edits
units.jsonl.draft/             journal.sqlite, failures.jsonl, run.json, and the lock of the process that is at work
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from msgspec import structs
from pydantic import JsonValue

from judge.drafts.asking import DraftPrompt
from judge.drafts.row import Row, read_rows
from judge.errors import ConfigError
from judge.outcome import Failure
from judge.runs.directory import RunDirectory
from judge.runs.failed import take_failed_calls, write_rows
from judge.settings import Settings

__all__ = ["DraftFolder", "judge_id"]

_FAILURES = "failures.jsonl"


class DraftFolder:
    """What a draft is written to.

    Args:
        out: The file; the folder is beside it.

    Attributes:
        directory: Of the folder, which is made if missing.

    Raises:
        ConfigError: The folder cannot be made or written to.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.directory = RunDirectory(out.with_name(f"{out.name}.draft"), {})

    @property
    def failures_path(self) -> Path:
        """What failed in the last session; not there where nothing did."""
        return self.directory.path / _FAILURES

    def clear(self) -> None:
        """Remove the file and all that is known of it."""
        self.directory.clear()
        self.out.unlink(missing_ok=True)

    def read(self, judge: str, rubric: str) -> dict[str, Row]:
        """The lines of earlier sessions, by id.

        Raises:
            ConfigError: They are of another judge or rubric, or were not drafted here at all; nothing is changed.
        """
        then = self.directory.read_run()
        if not self.out.exists():
            return {}
        if not then:
            hint = "Give another --out, or --overwrite to replace it."
            raise ConfigError(f"--out {self.out} exists, and was not drafted by this command.", hint=hint)
        if (then.get("judge"), then.get("rubric")) != (judge, rubric):
            was, now = f"{then.get('judge')} for {then.get('rubric')}", f"{judge} for {rubric}"
            hint = "Use another --out, or --overwrite to start afresh, which drops what was edited too."
            raise ConfigError(f"{self.out} was drafted by {was}, and this is {now}.", hint=hint)
        return read_rows(self.out)

    def take_failed_calls(self) -> list[str]:
        """The calls that failed in the last session. Told once, or the session after would have new ones retired."""
        return take_failed_calls(self.failures_path)

    def write(self, rows: Sequence[Row], failures: Iterable[tuple[Failure, Sequence[str]]]) -> None:
        """Replace the lines, and what failed with the calls that did."""
        if rows or self.out.exists():
            write_rows(self.out, rows)
        self.write_failures(failures)

    def write_failures(self, failures: Iterable[tuple[Failure, Sequence[str]]]) -> None:
        """Write down what failed, if anything did."""
        failed = [_without_nulls(structs.asdict(failure)) | {"calls": [*calls]} for failure, calls in failures]
        if failed:
            write_rows(self.failures_path, failed)

    def write_story(self, content: Mapping[str, JsonValue]) -> None:
        """Replace `run.json`; settings hold no secret."""
        self.directory.write_run(dict(content))


def judge_id(settings: Settings, prompt: DraftPrompt) -> str:
    """Who drafts: another one where anything changes that can change a draft."""
    model = settings.model
    told: list[object] = [model.name, model.api_base, model.params, model.code, prompt.fingerprint]
    found = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{settings.judge}#{found[:8]}"


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, ())}
