"""A run directory -> the units that it lists for a person to look at, the most doubtful first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from judge.panels.doubtful import DOUBTFUL

__all__ = ["read_doubtful"]

_SCHEMA: Final = {
    "line": pl.Int64,
    **dict.fromkeys(("axis", "unit_id", "why"), pl.String),
    "agreement": pl.Float64,
}


def read_doubtful(run: Path) -> pl.DataFrame:
    """The doubtful units of a run, the most doubtful first.

    Returns:
        Columns `line, axis, unit_id, why, agreement, rank`; empty where the run lists none.

    Raises:
        OSError, orjson.JSONDecodeError: The list is damaged.
    """
    return pl.DataFrame(list(_doubtful(run / DOUBTFUL)), schema=_SCHEMA, orient="row").with_row_index("rank")


def _doubtful(path: Path) -> Iterator[tuple[Any, ...]]:
    if path.exists():
        with path.open("rb") as lines:
            yield from (tuple(row.get(name) for name in _SCHEMA) for row in map(orjson.loads, lines))
