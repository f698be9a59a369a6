"""What the scores hang on -> cautions: the length of traces, units that tell nothing apart, too few records."""

from __future__ import annotations

import math

import polars as pl
from pydantic import JsonValue

from judge.caution import Caution, RunTables, some
from judge.cautions.correlation import correlate_ranks

__all__ = ["doubt_scores"]

_FEW_RECORDS = 30
_HALF_WIDTH = 0.05
_STRONG = 0.3
_SURE = 2.576  # p < 0.01
_TRACES_EACH = 5
_EXAMPLES = 3
_MOST_LOOKED_AT = 20_000  # records or units; of more, those of a part of the ids: shares need no more


def doubt_scores(tables: RunTables) -> list[Caution]:
    """What to doubt of the scores.

    Returns:
        Of `follows_length`, `few_records` and `all_or_none` those that hold, in this order.
    """
    checks = (_follows_length, _few_records, _all_or_none)
    return [caution for check in checks if (caution := check(tables))]


def _follows_length(tables: RunTables) -> Caution | None:
    scored = tables.scores.filter(pl.col("trace_score").is_not_null())
    drawn, _ = _drawn(scored, "record_key", ("model", "trace_score", "trace_chars"))
    found = correlate_ranks(drawn, "trace_score", "trace_chars", within=["model"])
    if found is None or found.n < _FEW_RECORDS or abs(found.rho) < _STRONG or abs(found.z) < _SURE:
        return None
    longer = "higher" if found.rho > 0 else "lower"
    message = (
        f"Longer traces score {longer}: rank correlation {found.rho:.2f} [{found.low:.2f}, {found.high:.2f}] within "
        f"models, n = {found.n:,}. Look whether they say more, or compare traces of like length."
    )
    return Caution(
        code="follows_length",
        message=message,
        numbers={"rho": found.rho, "low": found.low, "high": found.high, "n": found.n},
    )


def _few_records(tables: RunTables) -> Caution | None:
    score = pl.col("trace_score")
    of_each = tables.scores.group_by("model").agg(score.count().alias("n"), score.std().alias("sd")).sort("n", "model")
    few = of_each.filter(pl.col("n") < _FEW_RECORDS).collect(engine="streaming")
    if not few.height:
        return None
    names = [f"{'(no model)' if model is None else model} {n}" for model, n, _ in few.iter_rows()]
    sd = few["sd"].max()
    needed = math.ceil((1.96 * sd / _HALF_WIDTH) ** 2) if isinstance(sd, float) else None
    about = f" For ± {_HALF_WIDTH} a model needs about {needed:,}." if needed else ""
    message = f"Fewer than {_FEW_RECORDS} scored records ({some(names)}): intervals are wide.{about}"
    counts = [{"model": model, "n": n} for model, n, _ in few.iter_rows()]
    return Caution(code="few_records", message=message, numbers={"models": [*counts], "needed": needed})


def _all_or_none(tables: RunTables) -> Caution | None:
    judged = tables.verdicts.with_columns(_met().alias("met")).filter(pl.col("met").is_not_null(), sample=0)
    drawn, whole = _drawn(judged, "record_id", ("record_id", "axis", "unit_id", "met"))
    of_each = drawn.group_by("record_id", "axis", "unit_id").agg(pl.len(), pl.col("met").mean())
    units = of_each.filter(pl.col("len") >= _TRACES_EACH).sort("record_id", "axis", "unit_id")
    same = units.filter(pl.col("met").is_in([0.0, 1.0]))
    if not same.height:
        return None
    counts = _by_axis(same)
    of_axes = ", ".join(f"{axis} {met} and {unmet}" for axis, met, unmet in counts)
    examples = ["/".join(row) for row in same.head(_EXAMPLES).select("record_id", "axis", "unit_id").iter_rows()]
    part = "" if whole else ", of a part of the records,"
    message = (
        f"{same.height:,} of {units.height:,} units{part} are met by all or by none of their traces ({of_axes}) and "
        f"tell no models apart, such as {', '.join(examples)}."
    )
    numbers: dict[str, JsonValue] = {"units": units.height, "same": same.height, "examples": [*examples]}
    numbers["axes"] = {axis: {"all": met, "none": unmet} for axis, met, unmet in counts}
    return Caution(code="all_or_none", message=message, numbers=numbers)


def _met() -> pl.Expr:
    """Whether a unit is raised and right, or a criterion met; null where that is not known, and of other kinds."""
    right = (pl.col("presence") >= 1) & (pl.col("correctness") == 1)
    criterion = pl.when(pl.col("verdict").is_in(["MET", "UNMET"])).then(pl.col("verdict") == "MET")
    return pl.when(pl.col("presence").is_not_null()).then(right.fill_null(False)).otherwise(criterion)


def _by_axis(same: pl.DataFrame) -> list[tuple[str, int, int]]:
    """Axis, units that all traces meet, units that none meets."""
    by_all, by_none = (pl.col("met") == 1).sum().alias("all"), (pl.col("met") == 0).sum().alias("none")
    return same.group_by("axis").agg(by_all, by_none).sort("axis").rows()


def _drawn(rows: pl.LazyFrame, key: str, columns: tuple[str, ...]) -> tuple[pl.DataFrame, bool]:
    """These columns, and whether they are of all rows or only of every n-th key, as many as memory takes."""
    height = int(rows.select(pl.len()).collect(engine="streaming").item())
    every = -(-height // _MOST_LOOKED_AT)
    drawn = rows.filter(pl.col(key).hash() % every == 0) if every > 1 else rows
    return drawn.select(columns).collect(engine="streaming"), every <= 1
