"""Wins and losses -> how often chance alone would be as one-sided."""

from __future__ import annotations

import math

__all__ = ["sign_test"]


def sign_test(wins: int, losses: int) -> float | None:
    """Two-sided p-value of the exact sign test; ties are left out before.

        p = min(1, 2 · Σ_{k ≤ min(wins, losses)} C(n, k) / 2^n),   n = wins + losses

    It says what the bootstrap cannot: of five wins in five pairs every draw has five, and its interval is a point,
    while p is 0.0625.

    Args:
        wins: At least 0.
        losses: At least 0.

    Returns:
        In (0, 1]; None where there is neither a win nor a loss.
    """
    n = wins + losses
    if n == 0:
        return None
    tail = math.fsum(math.exp(_log_choose(n, k) - n * math.log(2)) for k in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
