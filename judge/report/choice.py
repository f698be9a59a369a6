"""The items of a report -> those that are embedded: all failed, the most doubtful, those with labels, a seeded rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl

__all__ = ["MOST_RECORDS", "choose_items"]

MOST_RECORDS = 2_000
"""That are embedded unless all are asked for."""


def choose_items(
    items: pl.DataFrame, *, most: int | None = MOST_RECORDS, labelled: Iterable[int] = (), seed: int = 0
) -> pl.DataFrame:
    """Choose what is embedded.

    First what failed; then, up to half of the room that is left, the most doubtful; then what people have labelled;
    then whole questions with the traces of all models, in an order that the seed gives.

    Args:
        items: Of `find_items`.
        most: How many; None for all.
        labelled: Items with labels of people.
        seed: Of the rest.

    Returns:
        The chosen rows, in the order of the choice; all rows in their own order where all are chosen.
    """
    if most is None or len(items) <= most:
        return items
    order = items.with_columns(known=pl.col("item").is_in(list(labelled)), place=_places(items["record_id"], seed))
    chosen: list[int] = []
    passes = (
        (order.filter("failed").sort("place", maintain_order=True), 1.0),
        (_most_doubtful(order.filter(~pl.col("failed") & pl.col("doubtful"))), 0.5),
        (order.filter("known").sort("place", maintain_order=True), 1.0),
        (order.sort("place", maintain_order=True), 1.0),
    )
    for frame, share in passes:
        left = frame.filter(~pl.col("item").is_in(chosen))["item"]
        chosen += left.head(int((most - len(chosen)) * share)).to_list()
    return pl.DataFrame({"item": pl.Series(chosen, dtype=items.schema["item"])}).join(
        items, on="item", how="left", maintain_order="left"
    )


def _most_doubtful(order: pl.DataFrame) -> pl.DataFrame:
    """Those that a run lists for people, in its order; then by the share of their units."""
    return order.sort("rank", "doubt", "place", descending=[False, True, False], nulls_last=True)


def _places(ids: pl.Series, seed: int) -> pl.Series:
    """Of each record: traces of one question have the same, and so come together."""
    return pl.Series([hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in ids], dtype=pl.String)
