"""Two raters' labels -> confusion tables -> how far the two agree.

           against: 0   1   2        a row for each class of the one rater, a column for each of the other;
    rater 0       61   3   0         n = 171 units that both rated
          1        …

Below, n_ij is a cell, r_i a row's sum, c_j a column's, all over n units that both rated, in K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from judge.statistics.estimate import Stack, Statistic, ratio

__all__ = ["AC1", "AGREEMENT", "BALANCED_F1", "MACRO_F1", "class_f1", "class_share", "cohen_kappa", "pair_tables"]

_NOTHING = "no unit was rated by both"
_ONE_CLASS = "both gave one and the same class throughout, or rated no unit: agreement by chance is whole already"


def pair_tables(records: ArrayLike, first: ArrayLike, second: ArrayLike, *, classes: int) -> Stack:
    """Confusion tables of every record.

    Args:
        records: (units,) the number of each unit's record, from 0 without gaps.
        first: (units,) classes by one rater, which become rows; below 0 where there is no usable label.
        second: (units,) by the other, columns.
        classes: K.

    Returns:
        (records, K, K), counting units that both rated; a record without any is a table of zeros.
    """
    record, one, other = (np.asarray(codes, dtype=np.int64) for codes in (records, first, second))
    both = (one >= 0) & (other >= 0)
    cell = (record[both] * classes + one[both]) * classes + other[both]
    count = int(record.max(initial=-1)) + 1
    counted = np.bincount(cell, minlength=count * classes**2)
    return counted.reshape(count, classes, classes).astype(np.float64)


def _total(tables: Stack) -> Stack:
    total: Stack = tables.sum(axis=(-2, -1))
    return total


def _raw_agreement(tables: Stack) -> Stack:
    return ratio(np.trace(tables, axis1=-2, axis2=-1), _total(tables))


AGREEMENT = Statistic(of=_raw_agreement, undefined=_NOTHING)
"""Raw agreement: p_o = Σ_i n_ii / n, in [0, 1]. Null where n = 0."""


def cohen_kappa(positions: Sequence[float] = (), *, power: int = 0) -> Statistic:
    """Cohen's kappa: 1 − Σ v_ij n_ij / Σ v_ij (r_i c_j / n), which unweighted is (p_o − p_e) / (1 − p_e).

    v_ij = |x_i − x_j| ** power where i ≠ j, and 0 where i = j: power 0 counts every disagreement alike, 1 is linear,
    2 is quadratic. At most 1; 0 where the two agree as often as two raters of these habits by chance.

    Args:
        positions: x_i of each class, in order; none given means 0, 1, 2, …
        power: 0, 1 or 2.

    Returns:
        Null where both gave one and the same class throughout (p_e = 1): 0 / 0 is no agreement, whole or none.

    Source: Cohen 1960, 1968.
    """
    return Statistic(of=partial(_cohen_kappa, positions=tuple(positions), power=power), undefined=_ONE_CLASS)


def _cohen_kappa(tables: Stack, *, positions: tuple[float, ...], power: int) -> Stack:
    classes = tables.shape[-1]
    places = np.array(positions) if positions else np.arange(classes, dtype=np.float64)
    apart = np.abs(places[:, None] - places) ** power * (1 - np.eye(classes))
    chance = tables.sum(axis=-1)[..., :, None] * tables.sum(axis=-2)[..., None, :]
    observed, expected = (apart * tables).sum(axis=(-2, -1)), (apart * chance).sum(axis=(-2, -1))
    return 1 - ratio(observed * _total(tables), expected)


def _ac1(tables: Stack) -> Stack:
    classes = tables.shape[-1]
    share = ratio(tables.sum(axis=-1) + tables.sum(axis=-2), 2 * _total(tables)[..., None])
    chance = (share * (1 - share)).sum(axis=-1) / max(classes - 1, 1)
    found: Stack = (_raw_agreement(tables) - chance) / (1 - chance)
    return found if classes > 1 else np.full_like(found, np.nan)


AC1 = Statistic(of=_ac1, undefined="no unit was rated by both, or there is one class only")
"""Gwet's AC1: (p_o − p_e) / (1 − p_e) with p_e = Σ_k π_k (1 − π_k) / (K − 1), π_k = (r_k + c_k) / 2n.

K counts the classes that could have been given. It stays high where nearly all units are of one class, which is where
kappa falls; so it says less of whether a judge tells the rare class. Null where n = 0 or K = 1.

Source: Gwet 2008.
"""


def class_f1(place: int) -> Statistic:
    """F1 of one class: 2 n_kk / (r_k + c_k), the harmonic mean of precision and recall, in [0, 1].

    Null where neither rater gave the class.
    """
    return Statistic(of=partial(_class_f1, place=place), undefined="neither gave this class")


def _class_f1(tables: Stack, *, place: int) -> Stack:
    return _all_f1(tables)[..., place]


def _all_f1(tables: Stack) -> Stack:
    return ratio(2 * np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(axis=-1) + tables.sum(axis=-2))


def _macro_f1(tables: Stack) -> Stack:
    f1 = _all_f1(tables)
    given = ~np.isnan(f1)
    return ratio(np.where(given, f1, 0).sum(axis=-1), given.sum(axis=-1).astype(np.float64))


MACRO_F1 = Statistic(of=_macro_f1, undefined=_NOTHING)
"""Macro F1: the mean of F1 over the classes that either rater gave. Null where n = 0."""


def _balanced_f1(tables: Stack) -> Stack:
    f1: Stack = _all_f1(tables).mean(axis=-1)
    return f1 if tables.shape[-1] == 2 else np.full_like(f1, np.nan)


BALANCED_F1 = Statistic(
    of=_balanced_f1, undefined="there are not two classes, each of them given by one rater at least"
)
"""HealthBench's balanced F1 of two classes: (F1_met + F1_notmet) / 2.

The judge that always says the commonest class gets less than 0.5. Null where the classes are not two, or neither rater
gave one of them.

Source: HealthBench, arXiv 2505.08775.
"""


def class_share(place: int) -> Statistic:
    """The majority-class baseline: c_k / n, how often one who always says class k agrees with the columns' rater.

    Null where n = 0.
    """
    return Statistic(of=partial(_class_share, place=place), undefined=_NOTHING)


def _class_share(tables: Stack, *, place: int) -> Stack:
    return ratio(tables.sum(axis=-2)[..., place], _total(tables))
