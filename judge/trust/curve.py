"""Paired answers -> what people say on average where the judge says x, with intervals over records."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from judge.statistics.bootstrap import Draws
from judge.statistics.estimate import Estimate, Stack, Statistic, ratio
from judge.trust.calibration import Probe

__all__ = ["find_points"]


def find_points(paired: pl.DataFrame, probe: Probe, *, seed: int = 0) -> Iterator[tuple[float, Estimate, int]]:
    """Shares of a probe are taken together in tenths; levels, and the 0, ½ and 1 of words, are as they are.

    Args:
        paired: Of `judge.trust.calibrating.pair_answers`, of one axis.
        probe: Which of what was asked.
        seed: Of the draws.

    Yields:
        What the judge says, the people's mean there, and of how many answers; in order.
    """
    known = paired.drop_nulls((f"{probe}_x", f"{probe}_y"))
    x, y = pl.col(f"{probe}_x"), pl.col(f"{probe}_y")
    told = known.select("record_id", "model", y=y, x=x if probe == "level" else x.round(1))
    for place in told["x"].unique().sort():
        here = pl.col("x") == place
        per_record = told.group_by("record_id", "model", maintain_order=True).agg(
            total=pl.col("y").filter(here).sum(), n=here.sum().cast(pl.Float64)
        )
        draws = Draws(per_record.select("total", "n").to_numpy(), seed=seed)
        yield place, draws.estimate(_MEAN), int(draws.whole[1])


def _mean(counts: Stack) -> Stack:
    return ratio(counts[..., 0], counts[..., 1])


_MEAN = Statistic(of=_mean, undefined="no answer")
