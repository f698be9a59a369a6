"""Preferences -> win rates between models."""

from __future__ import annotations

from typing import Any

import polars as pl

from judge.aggregate import interval

__all__ = ["find_win_rates"]

_WORTH = {"A": 1.0, "tie": 0.5, "inconsistent": 0.5, "B": 0.0}
_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("axis", "judge", "model", "other"), pl.String),
    **dict.fromkeys(("rate", "low", "high"), pl.Float64),
    **dict.fromkeys(("n", "wins", "losses", "ties", "inconsistent", "failed"), pl.Int64),
}


def find_win_rates(preferences: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """How often each model is preferred to each other one.

        rate = (wins + ½ ties + ½ inconsistent) / judged

    Args:
        preferences: Rows as of `judge.preference`.
        seed: Of the bootstrap.

    Returns:
        Columns `axis, judge, model, other, rate, low, high, n, wins, losses, ties, inconsistent, failed`: two rows a
        pair of models, each from its own side. `n` counts what was judged; rate and interval are null where it is 0.
    """
    outcome = pl.col("outcome").cast(pl.String)
    sided = preferences.select("axis", "judge", outcome, model="model_a", other="model_b")
    turned = sided.select("axis", "judge", outcome.replace({"A": "B", "B": "A"}), model="other", other="model")
    keys = ("axis", "judge", "model", "other")
    groups = pl.concat([sided, turned]).partition_by(keys, as_dict=True, maintain_order=True)
    rows = [(*key, *_rate(frame["outcome"], seed)) for key, frame in groups.items()]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _rate(outcomes: pl.Series, seed: int) -> tuple[object, ...]:
    worth = outcomes.replace_strict(_WORTH, return_dtype=pl.Float64).drop_nulls()
    low, high, _ = interval(worth, seed=seed)
    counts = [int((outcomes == name).sum()) for name in ("A", "B", "tie", "inconsistent")]
    return worth.mean(), low, high, len(worth), *counts, outcomes.null_count()
