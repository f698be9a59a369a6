"""Preferences -> Standings: who is preferred to whom, axis by axis, and how strong that makes each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from judge.errors import ConfigError
from judge.statistics.strengths import Strengths, estimate_strengths
from judge.win_rate import POINTS, WinRate, list_models, measure_win_rates, turn

__all__ = ["Standing", "as_json", "find_standings", "refuse_unknown"]

_LEAST_RANKED = 3  # models; of two the win rate says it all


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the models stand on one axis, by one judge.

    Attributes:
        models: In the order in which they were named; the baseline last.
        baseline: The one that the others are held against, where there is one.
        rates: Of every pair that has any preference.
        strengths: By all pairs; None below three models.
    """

    judge: str
    axis: str
    models: tuple[str, ...]
    baseline: str | None
    rates: tuple[WinRate, ...]
    strengths: Strengths | None

    @property
    def shown(self) -> tuple[WinRate, ...]:
        """Pairs with the baseline, or all where there is none."""
        return tuple(one for one in self.rates if self.baseline is None or one.other == self.baseline)

    @property
    def cross(self) -> dict[tuple[str, str], tuple[float, int]]:
        """Win rate of the first model against the second, and the number of judged pairs, both ways round."""
        known = [(one, one.rate) for one in self.rates if one.rate is not None]
        table = {(one.model, one.other): (rate, one.judged) for one, rate in known}
        return table | {(one.other, one.model): (1 - rate, one.judged) for one, rate in known}


def find_standings(
    preferences: pl.DataFrame, *, seed: int = 0, baseline: str | None = None, axes: Collection[str] = ()
) -> tuple[Standing, ...]:
    """Work out all that preferences say.

    Args:
        preferences: Columns of `PREFERENCES`; whose trace is A may differ from row to row.
        seed: Of the bootstraps.
        baseline: The model that all others are held against.
        axes: Only these; all without them.

    Returns:
        One of each judge and axis, in the order of appearance.

    Raises:
        ConfigError: There is no such model or axis, or a judge has two preferences on one question.
    """
    known = preferences["axis"].unique(maintain_order=True).to_list()
    refuse_unknown(known, list_models(preferences), axes=axes, baseline=baseline)
    chosen = preferences.filter(pl.col("axis").is_in(list(axes))) if axes else preferences
    models = _baseline_last(list_models(chosen), baseline)
    turned = turn(chosen, models)
    rates = measure_win_rates(turned, models, seed=seed)
    return tuple(
        _standing(judge, axis, frame, rates, models, seed=seed, baseline=baseline)
        for (judge, axis), frame in turned.partition_by(["judge", "axis"], as_dict=True, maintain_order=True).items()
    )


def as_json(standings: Collection[Standing]) -> list[dict[str, Any]]:
    """The same as plain values, every number as it is shown or finer."""
    return [asdict(one) for one in standings]


def refuse_unknown(
    known_axes: Collection[str],
    known_models: Collection[str],
    *,
    axes: Collection[str] = (),
    baseline: str | None = None,
) -> None:
    """Raise where an axis or the baseline is none of those that are known.

    Raises:
        ConfigError: Names those that there are.
    """
    for axis in axes:
        if axis not in known_axes:
            raise ConfigError(f"--axis {axis!r} is none of the axes: {', '.join(known_axes)}.")
    if baseline is not None and baseline not in known_models:
        raise ConfigError(f"--baseline {baseline!r} is none of the models: {', '.join(known_models)}.")


def _baseline_last(models: list[str], baseline: str | None) -> list[str]:
    return [*(model for model in models if model != baseline), *(model for model in models if model == baseline)]


def _standing(
    judge: str,
    axis: str,
    frame: pl.DataFrame,
    rates: Sequence[WinRate],
    models: Sequence[str],
    *,
    seed: int,
    baseline: str | None,
) -> Standing:
    present = {*frame["model_a"], *frame["model_b"]}
    here = tuple(model for model in models if model in present)
    mine = tuple(one for one in rates if (one.judge, one.axis) == (judge, axis))
    strengths = _strengths(frame, here, seed)
    return Standing(judge=judge, axis=axis, models=here, baseline=baseline, rates=mine, strengths=strengths)


def _strengths(frame: pl.DataFrame, models: tuple[str, ...], seed: int) -> Strengths | None:
    if len(models) < _LEAST_RANKED:
        return None
    points = pl.col("outcome").cast(pl.String).replace_strict(POINTS, return_dtype=pl.Float64).alias("points")
    judged = frame.filter(pl.col("outcome").is_not_null())
    return estimate_strengths(judged.select("record_id", "model_a", "model_b", points), models, seed=seed)
