"""Labels of several raters -> how far they agree among themselves, whoever rated what.

    codes        rater 1  rater 2  rater 3        a row a unit; below 0 where a rater gave no usable label of it
    unit 1             2        2        0
    unit 2             0        0       −1

Below, n_uk raters gave unit u the class k, n_u gave it any, and only units with n_u ≥ 2 count, of which there are N.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judge.statistics.estimate import Codes, Stack, Statistic, ratio
from judge.statistics.table import pair_tables

__all__ = [
    "ALPHA_INTERVAL",
    "ALPHA_NOMINAL",
    "ALPHA_ORDINAL",
    "FLEISS_KAPPA",
    "MULTI_AC1",
    "beside",
    "coincidences",
    "every_pair",
    "mean_difference",
    "mean_over_pairs",
    "moments",
    "of_two",
    "shares",
]

_Numbers: TypeAlias = NDArray[np.float64]
_ALL_ALIKE = (
    "all labels are of one and the same class, or no unit was rated by two raters: agreement by chance is whole"
)


def _counts(codes: ArrayLike, classes: int) -> Stack:
    """(units, K): n_uk, of units that two or more rated; zeros of others."""
    given: Codes = np.asarray(codes, dtype=np.int64)
    counts: Stack = (given[:, :, None] == np.arange(classes)).sum(axis=1).astype(np.float64)
    counts[counts.sum(axis=1) < 2] = 0
    return counts


def _by_record(records: ArrayLike, values: Stack) -> Stack:
    """(records, …): values of units, added up over those of each record."""
    record = np.asarray(records, dtype=np.int64)
    added = np.zeros((int(record.max(initial=-1)) + 1, *values.shape[1:]))
    np.add.at(added, record, values)
    return added


def shares(records: ArrayLike, codes: ArrayLike, *, classes: int) -> Stack:
    """What Fleiss' kappa and AC1 are made of.

    Args:
        records: (units,) the number of each unit's record, from 0 without gaps.
        codes: (units, raters) classes; below 0 where a rater gave no usable label.
        classes: K.

    Returns:
        (records, K + 2): N, Σ_u P_u, and Σ_u n_uk / n_u of each class; P_u = Σ_k n_uk (n_uk − 1) / (n_u (n_u − 1)).
    """
    counts = _counts(codes, classes)
    given = counts.sum(axis=1)
    agreeing = ratio((counts * (counts - 1)).sum(axis=1), given * (given - 1))
    columns = [(given > 0).astype(np.float64), agreeing, *ratio(counts, given[:, None]).T]
    return _by_record(records, np.nan_to_num(np.stack(columns, axis=1)))


def _chance_corrected(sums: Stack, *, chance: Stack) -> Stack:
    """(mean of P_u − chance) / (1 − chance)."""
    return ratio(ratio(sums[..., 1], sums[..., 0]) - chance, 1 - chance)


def _fleiss(sums: Stack) -> Stack:
    share = ratio(sums[..., 2:], sums[..., :1])
    return _chance_corrected(sums, chance=(share**2).sum(axis=-1))  # of one class exactly 1: N times 1, over N


FLEISS_KAPPA = Statistic(of=_fleiss, undefined=_ALL_ALIKE)
"""Fleiss' kappa: (P − P_e) / (1 − P_e) with P = Σ_u P_u / N, P_e = Σ_k π_k², π_k = Σ_u (n_uk / n_u) / N.

With the same number of raters for all units it is Fleiss'; with different numbers, Gwet's form of it, where every unit
counts once. Null where all labels are of one class (P_e = 1). Of `shares`.

Source: Fleiss 1971; Gwet, Handbook of Inter-Rater Reliability.
"""


def _multi_ac1(sums: Stack) -> Stack:
    share, classes = ratio(sums[..., 2:], sums[..., :1]), sums.shape[-1] - 2
    chance = (share * (1 - share)).sum(axis=-1) / max(classes - 1, 1)
    return _chance_corrected(sums, chance=chance if classes > 1 else np.full_like(chance, np.nan))


MULTI_AC1 = Statistic(of=_multi_ac1, undefined="no unit was rated by two raters, or there is one class only")
"""Gwet's AC1 of several raters: (P − P_e) / (1 − P_e) with P_e = Σ_k π_k (1 − π_k) / (K − 1). Of `shares`."""


def coincidences(records: ArrayLike, codes: ArrayLike, *, classes: int) -> Stack:
    """What Krippendorff's alpha of classes is made of.

    Args:
        records: As of `shares`.
        codes: As of `shares`.
        classes: K.

    Returns:
        (records, K, K): o_ck = Σ_u n_uc (n_uk − [c = k]) / (n_u − 1).
    """
    counts = _counts(codes, classes)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(classes)
    weight = np.nan_to_num(ratio(np.ones(len(counts)), np.maximum(counts.sum(axis=1) - 1, 0)))
    return _by_record(records, pairs * weight[:, None, None])


def _alpha(tables: Stack, *, ordinal: bool) -> Stack:
    given = tables.sum(axis=-1)
    total = given.sum(axis=-1)
    if ordinal:
        middle = np.cumsum(given, axis=-1) - given / 2
        apart = (middle[..., :, None] - middle[..., None, :]) ** 2
    else:
        apart = np.broadcast_to(1 - np.eye(tables.shape[-1]), tables.shape)
    expected = (apart * given[..., :, None] * given[..., None, :]).sum(axis=(-2, -1))
    expected = np.where((given > 0).sum(axis=-1) > 1, expected, 0.0)
    return 1 - ratio((total - 1) * (apart * tables).sum(axis=(-2, -1)), expected)


ALPHA_NOMINAL = Statistic(of=partial(_alpha, ordinal=False), undefined=_ALL_ALIKE)
"""Krippendorff's alpha of classes without an order: 1 − D_o / D_e = 1 − (n − 1) Σ δ²_ck o_ck / Σ δ²_ck n_c n_k.

δ²_ck = [c ≠ k]; n_c = Σ_k o_ck and n = Σ_c n_c. At most 1; 0 where labels are given as if by chance. Missing labels are
no disagreement. Null where all labels are of one class (D_e = 0), where others say 1. Of `coincidences`.

Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
"""
ALPHA_ORDINAL = Statistic(of=partial(_alpha, ordinal=True), undefined=_ALL_ALIKE)
"""The same of classes in an order: δ²_ck = (Σ_{g=c}^{k} n_g − (n_c + n_k) / 2)², which is the squared distance of the
middles of c and k when all labels stand in one row by class. Of `coincidences`."""


def of_two(alpha: Statistic) -> Statistic:
    """An alpha of two raters, over their confusion tables: o = n + nᵀ."""
    return Statistic(of=lambda tables: alpha.of(tables + np.swapaxes(tables, -1, -2)), undefined=alpha.undefined)


def moments(records: ArrayLike, values: ArrayLike) -> Stack:
    """What Krippendorff's alpha of numbers is made of.

    Args:
        records: As of `shares`.
        values: (units, raters) numbers; NaN where a rater gave none.

    Returns:
        (records, 4): n, Σ x, Σ x², and Σ_u 2 (n_u Σ x² − (Σ x)²) / (n_u − 1), of x less their common mean.
    """
    given: _Numbers = np.array(values, dtype=np.float64)
    given[np.isfinite(given).sum(axis=1) < 2] = np.nan
    known = np.isfinite(given)
    centred = np.where(known, given - (given[known].mean() if known.any() else 0.0), 0.0)
    count, total, squares = known.sum(axis=1), centred.sum(axis=1), (centred**2).sum(axis=1)
    mean = np.nan_to_num(ratio(total, count.astype(np.float64)))
    within = 2 * count * (np.where(known, centred - mean[:, None], 0.0) ** 2).sum(axis=1)
    apart = np.nan_to_num(ratio(within, np.maximum(count - 1.0, 0)))
    return _by_record(records, np.stack([count.astype(np.float64), total, squares, apart], axis=1))


def _alpha_interval(sums: Stack) -> Stack:
    count, total, squares, within = np.moveaxis(sums, -1, 0)
    expected = 2 * (count * squares - total**2)
    # What is left of equal numbers by rounding is no spread.
    spread = np.where(expected > _ROUNDING * count * np.maximum(squares, _ROUNDING), expected, 0.0)
    return 1 - ratio((count - 1) * within, spread)


_ROUNDING = 1e-12
ALPHA_INTERVAL = Statistic(of=_alpha_interval, undefined=_ALL_ALIKE.replace("of one and the same class", "the same"))
"""Krippendorff's alpha of numbers: δ²_ck = (c − k)². Null where all numbers are the same (D_e = 0). Of `moments`."""


def every_pair(records: ArrayLike, codes: ArrayLike, *, classes: int) -> Stack:
    """(records, pairs of raters, K, K): the confusion table of every two raters, the earlier column first."""
    given: Codes = np.asarray(codes, dtype=np.int64)
    pairs = combinations(given.T, 2)
    return np.stack([pair_tables(records, one, other, classes=classes) for one, other in pairs], axis=1)


def beside(records: ArrayLike, triples: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], *, classes: int) -> Stack:
    """Two raters against the same third, for each of several triples (one, other, third) of (units,) codes.

    Returns:
        (records, 2, triples, K, K): the tables of one against the third, and of the other.
    """
    sides = zip(*(((one, third), (other, third)) for one, other, third in triples), strict=True)
    tables = [[pair_tables(records, *pair, classes=classes) for pair in side] for side in sides]
    return np.moveaxis(np.array(tables), 2, 0)


def _mean_over_pairs(tables: Stack, *, of: Statistic) -> Stack:
    found = of.of(tables)
    known = ~np.isnan(found)
    return ratio(np.where(known, found, 0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


def mean_over_pairs(of: Statistic) -> Statistic:
    """The mean of a statistic over pairs of raters, those left out in which it is undefined. Of `every_pair`.

    Null where it is undefined in every pair.
    """
    return Statistic(of=partial(_mean_over_pairs, of=of), undefined=f"for every two raters: {of.undefined}")


def mean_difference(of: Statistic) -> Statistic:
    """How much more a statistic is in the first than in the second of two lists of tables: (…, 2, tables, K, K).

    The difference of the means over each list, paired: both are of the same records in every draw. Null where the
    statistic is undefined in all tables of a list.
    """

    def difference(tables: Stack) -> Stack:
        means = _mean_over_pairs(tables, of=of)
        apart: Stack = means[..., 0] - means[..., 1]
        return apart

    return Statistic(of=difference, undefined=of.undefined)
