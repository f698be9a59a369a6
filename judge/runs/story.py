"""What a run is and how it went -> the part of `run.json` that all kinds of runs have."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from types import MappingProxyType

import polars as pl
from pydantic import JsonValue

from judge.progress import Progress
from judge.runs.directory import RunDirectory
from judge.settings import Settings, package_version

__all__ = ["Story", "sum_wall_s", "tell_versions"]


class Story:
    """`run.json`: what was done, with which settings, and how far it came.

    Args:
        directory: Of the run; what earlier sessions wrote there is gone on with.
        settings: Judge and rubric.
        progress: Of this session.
    """

    def __init__(self, directory: RunDirectory, settings: Settings, progress: Progress) -> None:
        self._directory = directory
        self._settings = settings
        self._progress = progress
        self._earlier = directory.read_run()
        self._begun = time.monotonic()

    def write(
        self,
        status: str,
        *,
        about: Mapping[str, JsonValue],
        counted: Mapping[str, JsonValue],
        spent: Mapping[str, int | float | None] | None = None,
        notes: Sequence[str] | None = None,
        more: Mapping[str, JsonValue] = MappingProxyType({}),
    ) -> None:
        """Replace the file; it holds no secret, as settings never do.

        Args:
            status: `running`, `stopped` or `finished`.
            about: What is read.
            counted: How much of it came to what.
            spent: Totals over all sessions.
            notes: What was not as usual.
            more: What this kind of run says besides.
        """
        settings, labels = self._settings, self._settings.labels
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._directory.write_run(
            {
                "status": status,
                "started": self._earlier.get("started", now),
                "ended": None if status == "running" else now,
                "wall_s": sum_wall_s(self._earlier, self._begun),
                **about,
                "judge": labels.judge,
                "rubric": labels.rubric,
                "fingerprints": {
                    "judge": labels.judge.rpartition("#")[2],
                    "prompt": labels.prompt_fp,
                    "rubric": labels.rubric_fp,
                },
                "identity": settings.identity,
                "settings": settings.told,
                **counted,
                "spent": dict(spent or {}),
                "cache_hits": self._progress.cached,
                "session": asdict(self._progress),
                "notes": list(notes or []),
                **more,
                "versions": tell_versions(),
            }
        )


def sum_wall_s(earlier: Mapping[str, JsonValue], begun: float) -> float:
    """Seconds of all sessions.

    Args:
        earlier: `run.json` of the sessions before.
        begun: When this one began, by `time.monotonic`.
    """
    before = earlier.get("wall_s", 0.0)
    return round((before if isinstance(before, int | float) else 0.0) + time.monotonic() - begun, 3)


def tell_versions() -> dict[str, JsonValue]:
    """Of what a run's numbers come from."""
    return {"judge": package_version(), "python": platform.python_version(), "polars": pl.__version__}
