"""Outcomes of pairs, record by record -> how strong each model is, with intervals over the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from judge.aggregate import MANY_RECORDS
from judge.statistics.bradley_terry import (
    Numbers,
    connected,
    expected_wins,
    fit,
    groups_apart,
    groups_in_order,
    information,
)

__all__ = ["Strength", "Strengths", "estimate_strengths"]

_DRAWS = 2_000
_DRAWN_AT_ONCE = 2_000_000  # numbers
_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How strong a model is: its log-strength, the mean over all models being 0.

    Attributes:
        rank: From 1, the strongest.
        low, high: 95 % interval; None where there is none.
        n: Pairs with this model that were judged.
    """

    model: str
    rank: int
    strength: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strengths:
    """Strengths of all models, the strongest first.

    Attributes:
        ranked: Empty where there are none.
        reason: Why there are none; names the groups of models that cannot be held against each other.
        interval: `bootstrap`, or `normal` above 20,000 records; None without intervals.
        draws: Of the bootstrap; 0 without one.
        draws_without: Of those, the ones that have no strengths, as one model won all its pairs in them. They are left
            out of the intervals; where they are more than 2.5 % there are no intervals.
    """

    ranked: tuple[Strength, ...]
    reason: str | None
    interval: str | None
    draws: int
    draws_without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Games:
    """Of each record and ordered pair of models, the wins: `(records, n · n)`."""

    models: Sequence[str]
    wins: Numbers

    def table(self, weights: Numbers | None = None) -> Numbers:
        """Wins over the records: `(n, n)`, or `(draws, n, n)` for weights of `(draws, records)`."""
        summed = self.wins.sum(0) if weights is None else weights @ self.wins
        whole: Numbers = summed.reshape(*summed.shape[:-1], len(self.models), len(self.models))
        return whole


def estimate_strengths(games: pl.DataFrame, models: Sequence[str], *, seed: int = 0) -> Strengths:
    """Bradley and Terry's strengths, with 95 % intervals over records.

        up to 20,000 records   percentiles of the strengths in 2,000 draws of records with replacement
        above                  ± 1.96 · √ of the diagonal of I⁺ · Σ_r s_r s_rᵀ · I⁺, s_r being the score of record r

    Args:
        games: Columns `record_id, model_a, model_b, points`; points are 1 where the first won, 0 where the second
            did, ½ for a tie. A record may have many rows: all are drawn with it.
        models: All names in it, at least two.
        seed: Of the draws.
    """
    played = _games(games, models)
    wins = played.table()
    if not bool(connected(wins)):
        return Strengths(ranked=(), reason=_why_not(wins, models), interval=None, draws=0, draws_without=0)
    strengths = fit(wins)
    if len(played.wins) > MANY_RECORDS:
        spread = 1.96 * _standard_errors(played, strengths)
        bounds: Numbers | None = np.stack([strengths - spread, strengths + spread])
        return _ranked(models, wins, strengths, bounds, interval="normal")
    drawn = _draw(played, seed)
    without = _DRAWS - len(drawn)
    told = len(played.wins) > 1 and without <= _TAIL * _DRAWS
    bounds = np.quantile(drawn, (_TAIL, 1 - _TAIL), axis=0) if told else None
    return _ranked(models, wins, strengths, bounds, interval="bootstrap" if told else None, without=without)


def _games(games: pl.DataFrame, models: Sequence[str]) -> _Games:
    places = {model: place for place, model in enumerate(models)}
    numbered = games.select(
        pl.col("record_id").rank("dense").cast(pl.Int64) - 1,
        pl.col("model_a", "model_b").replace_strict(places, return_dtype=pl.Int64),
        "points",
    )
    record, first, second, points = (numbered[name].to_numpy() for name in numbered.columns)
    wins = np.zeros((games["record_id"].n_unique(), len(models) ** 2))
    np.add.at(wins, (record, first * len(models) + second), points)
    np.add.at(wins, (record, second * len(models) + first), 1 - points)
    return _Games(models=models, wins=wins)


def _draw(games: _Games, seed: int) -> Numbers:
    """Strengths of each draw that has any, `(draws, n)`."""
    dice, records = np.random.default_rng(seed), len(games.wins)
    portion = max(1, min(_DRAWS, _DRAWN_AT_ONCE // records))
    found = []
    for start in range(0, _DRAWS, portion):
        draws = min(portion, _DRAWS - start)
        drawn = dice.integers(records, size=(draws, records))
        weights = np.stack([np.bincount(one, minlength=records) for one in drawn]).astype(np.float64)
        wins = games.table(weights)
        found.append(fit(wins[connected(wins)]))
    return np.concatenate(found)


def _standard_errors(games: _Games, strengths: Numbers) -> Numbers:
    """Over records, whose pairs hang together: an inverse of the information alone would take them for independent."""
    n = len(games.models)
    wins = games.wins.reshape(-1, n, n)
    played = wins + np.swapaxes(wins, 1, 2)
    score = wins.sum(2) - expected_wins(strengths, played).sum(2)
    inverse = np.linalg.pinv(information(strengths, played.sum(0)))
    errors: Numbers = np.sqrt(np.diagonal(inverse @ (score.T @ score) @ inverse))
    return errors


def _ranked(
    models: Sequence[str],
    wins: Numbers,
    strengths: Numbers,
    bounds: Numbers | None,
    *,
    interval: str | None,
    without: int = 0,
) -> Strengths:
    judged = (wins + wins.T).sum(1)
    order = np.argsort(-strengths, kind="stable")
    ranked = tuple(
        Strength(
            model=models[place],
            rank=1 + int((strengths > strengths[place] + 1e-9).sum()),
            strength=float(strengths[place]),
            low=None if bounds is None else float(bounds[0, place]),
            high=None if bounds is None else float(bounds[1, place]),
            n=round(float(judged[place])),
        )
        for place in order
    )
    draws = 0 if interval == "normal" else _DRAWS
    return Strengths(ranked=ranked, reason=None, interval=interval, draws=draws, draws_without=without)


def _why_not(wins: Numbers, models: Sequence[str]) -> str:
    apart = groups_apart(wins)
    if len(apart) > 1:
        return f"no judged pair joins these groups: {' | '.join(_named(group, models) for group in apart)}"
    first, *others = groups_in_order(wins)
    groups = " > ".join(_named(group, models) for group in (first, *others))
    return f"perfectly separated: {_named(first, models)} won every pair with the others ({groups})"


def _named(group: Sequence[int], models: Sequence[str]) -> str:
    return "{" + ", ".join(models[place] for place in group) + "}"
