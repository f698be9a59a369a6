"""Wins of each over each -> the log-strengths under which they are likeliest, or why there are none.

    P(i beats j) = e^θ_i / (e^θ_i + e^θ_j),   Σ θ = 0

Source: Bradley and Terry 1952; that a maximum exists only where no group won all of its pairs with the others: Ford
1957. A tie is half a win for each, where Davidson 1970 has a parameter of its own for it: the strengths of few ties are
all but the same, and half a win is what a win rate makes of a tie too.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["connected", "expected_wins", "fit", "groups_apart", "groups_in_order", "information"]

Numbers: TypeAlias = npt.NDArray[np.float64]
Truths: TypeAlias = npt.NDArray[np.bool_]
_MOST_STEPS = 200
_STILL = 1e-9  # of a log-strength; with very unequal numbers rounding alone moves it by a tenth of that


def fit(wins: Numbers) -> Numbers:
    """Log-strengths of the greatest likelihood, by Newton's steps.

        ℓ(θ) = Σ_ij w_ij · log P(i beats j)

    A step δ is cut to ln(1 + d) / d of it, d being how far δ moves two models apart at most, with which no likelihood
    of this form can be overshot (Sun and Tran-Dinh 2019, generalised self-concordance of degree 2).

    Args:
        wins: `(..., n, n)`: how often the first won over the second, halves for ties; all of them `connected`.

    Returns:
        `(..., n)`, each summing to 0.
    """
    strengths = np.zeros(wins.shape[:-1])
    won, played = wins.sum(-1), wins + np.swapaxes(wins, -1, -2)
    for _ in range(_MOST_STEPS):
        gap = won - expected_wins(strengths, played).sum(-1)
        step = np.linalg.solve(information(strengths, played) + 1.0, gap[..., None])[..., 0]
        apart = np.ptp(step, axis=-1, keepdims=True)
        strengths += step * np.where(apart > 0, np.log1p(apart) / np.where(apart > 0, apart, 1.0), 1.0)
        if float(np.max(apart, initial=0.0)) < _STILL:
            break
    centred: Numbers = strengths - strengths.mean(-1, keepdims=True)
    return centred


def expected_wins(strengths: Numbers, played: Numbers) -> Numbers:
    """`(..., n, n)`: n_ij · P(i beats j)."""
    apart = strengths[..., :, None] - strengths[..., None, :]
    expected: Numbers = played / (1.0 + np.exp(-apart))
    return expected


def information(strengths: Numbers, played: Numbers) -> Numbers:
    """Fisher's: `(..., n, n)`, diag(Σ_j v_ij) - v with v_ij = n_ij · P(i beats j) · P(j beats i)."""
    expected = expected_wins(strengths, played)
    spread = np.where(played > 0, expected * np.swapaxes(expected, -1, -2) / np.where(played > 0, played, 1.0), 0.0)
    places = np.arange(strengths.shape[-1])
    found: Numbers = -spread
    found[..., places, places] += spread.sum(-1)
    return found


def connected(wins: Numbers) -> Truths:
    """Whether there are strengths: from each model to each other leads a chain of wins or ties. `(...)`."""
    whole: Truths = np.asarray(_reached(wins > 0).all(axis=(-1, -2)))
    return whole


def groups_apart(wins: Numbers) -> list[list[int]]:
    """Groups of models without any pair between them; one group where all hang together."""
    return _classes(_reached((wins > 0) | (wins.T > 0)))


def groups_in_order(wins: Numbers) -> list[list[int]]:
    """Groups inside which strengths could be told; a group won whatever pairs it had with a later one."""
    reached = _reached(wins > 0)
    return sorted(_classes(reached & reached.T), key=lambda group: -int(reached[group[0]].sum()))


def _reached(beats: Truths) -> Truths:
    """`(..., n, n)`: whether a chain leads from one to the other; each reaches itself."""
    n = beats.shape[-1]
    reached = (beats | np.eye(n, dtype=bool)).astype(np.float32)
    for _ in range(max(1, (n - 1).bit_length())):  # each doubles the length of the chains
        reached = (reached @ reached > 0).astype(np.float32)
    found: Truths = reached > 0
    return found


def _classes(alike: Truths) -> list[list[int]]:
    """Of an equivalence, each class once, in the order of its first member."""
    rows: dict[Any, list[int]] = {}
    for place, row in enumerate(alike):
        rows.setdefault(row.tobytes(), []).append(place)
    return list(rows.values())
