"""What a verdict or a label found, as one text: verdicts of several judges, samples and people are compared by it.

presence 2, correctness -1   -> "2/-1"
presence 0                   -> "0"
verdict MET                  -> "MET"
level 3                      -> "3"
"""

from __future__ import annotations

import polars as pl

__all__ = ["FOUND", "SHARE", "UNIT"]

_PRESENCE = pl.concat_str(pl.col("presence"), pl.col("correctness"), separator="/", ignore_nulls=True)
FOUND = pl.coalesce(
    pl.col("verdict"),
    pl.when(pl.col("presence").is_not_null()).then(_PRESENCE),
    pl.col("level").cast(pl.String),
)
"""Of rows with `presence, correctness, verdict, level`; null where there is no verdict."""

SHARE = pl.coalesce(
    pl.col("p_present"),
    pl.col("presence").cast(pl.Float64) / 2,
    pl.when(pl.col("verdict") == "MET").then(1.0).when(pl.col("verdict") == "UNMET").then(0.0),
)
"""How far a unit is raised or a criterion met, in [0, 1]; null of what has no such share."""

UNIT = ("axis", "unit_id")
"""What tells the units of a trace apart."""
