"""What failed in a session -> a file, and out of it the calls that the next session asks anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from judge.runs.directory import write_atomically

__all__ = ["take_failed_calls", "write_rows"]


def take_failed_calls(path: Path) -> list[str]:
    """The calls that failed in the last session. Told once, or the session after would have new ones retired."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [call for line in lines for call in orjson.loads(line).get("calls", ())]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file by these rows, as lines of JSON."""
    lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]
    write_atomically(path, lambda file: file.writelines(lines))
