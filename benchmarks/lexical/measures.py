"""Agreement and detection statistics of the lexical benchmark, and their bootstrap intervals.

A bootstrap draw takes whole groups (records, articles, notes): claims of one trace are not independent.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import NamedTuple

DRAWS, SEED = 2_000, 0


class Counts(NamedTuple):
    """A two-way table: judged yes or no (rows) against answered yes or no."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    rejections: int = 0


def count(answers: Iterable[bool], judged: Iterable[bool]) -> Counts:
    """Return the table of two lists of answers."""
    pairs = [(bool(answer), bool(said)) for answer, said in zip(answers, judged, strict=True)]
    return Counts(*(pairs.count(pair) for pair in ((True, True), (False, True), (True, False), (False, False))))


def kappa(table: Counts) -> float:
    """κ = (p_o − p_e) / (1 − p_e), with p_e from the margins (Cohen 1960); 0 where p_e = 1."""
    a, b, c, d = table
    n = a + b + c + d
    expected = ((a + b) * (a + c) + (c + d) * (b + d)) / (n * n)
    return ((a + d) / n - expected) / (1 - expected) if expected < 1 else 0.0


def f1(table: Counts) -> float:
    """F1 = 2·TP / (2·TP + FP + FN); 0 where nothing is positive."""
    a, b, c, _ = table
    return 2 * a / (2 * a + b + c) if a + b + c else 0.0


def balanced_f1(table: Counts) -> float:
    """(F1_present + F1_absent) / 2."""
    return (f1(table) + f1(Counts(*reversed(table)))) / 2


def balanced_accuracy(table: Counts) -> float:
    """(TP / (TP + FN) + TN / (TN + FP)) / 2; a side without cases counts one half."""
    a, b, c, d = table
    return ((a / (a + c) if a + c else 0.5) + (d / (b + d) if b + d else 0.5)) / 2


def auc(answers: Sequence[bool], scores: Sequence[float]) -> float:
    """P(score of a yes > score of a no) + ½ P(equal); 0.5 where one side is empty."""
    yes = sorted(score for answer, score in zip(answers, scores, strict=True) if answer)
    no = sorted(score for answer, score in zip(answers, scores, strict=True) if not answer)
    wins = sum(bisect_left(no, score) + bisect_right(no, score) for score in yes) / 2
    return wins / (len(yes) * len(no)) if yes and no else 0.5


def fleiss_kappa(votes: Sequence[Sequence[object]]) -> float:
    """κ = (P̄ − P_e) / (1 − P_e), P̄ the mean agreeing share of the pairs of raters (Fleiss 1971)."""
    labels = {vote for row in votes for vote in row}
    total = sum(map(len, votes))
    agreeing = [
        (sum(row.count(label) ** 2 for label in labels) - len(row)) / (len(row) * (len(row) - 1)) for row in votes
    ]
    expected = sum((sum(row.count(label) for row in votes) / total) ** 2 for label in labels)
    return (sum(agreeing) / len(agreeing) - expected) / (1 - expected)


def best_threshold(answers: Sequence[bool], scores: Sequence[float]) -> tuple[float, float]:
    """Return the highest kappa that any threshold on these very scores reaches, and that threshold."""
    return max((kappa(count(answers, [score >= cut for score in scores])), cut) for cut in set(scores))


def interval(groups: Sequence[str], statistic: Callable[[Sequence[int]], float]) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a statistic of the case numbers, groups drawn whole."""
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    random, names = Random(SEED), sorted(members)
    draws = sorted(
        statistic([number for name in random.choices(names, k=len(names)) for number in members[name]])
        for _ in range(DRAWS)
    )
    return draws[round(0.025 * (DRAWS - 1))], draws[round(0.975 * (DRAWS - 1))]
