"""Parquet -> its rows as dicts, numbered from 1.

| id | question | image                            | trace | units                                             |
| r1 | Which?   | {bytes: …, path: ct.png}         | …     | {perception: [{unit_id: P1, claim: …}]}           |

Rows are what a JSONL line of the same record would be: a null says what a missing field says, as Parquet has no missing
ones; dates, decimals and durations are text or numbers. Bytes stay bytes: images are kept so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import polars as pl

from judge.errors import InputError, RecordError
from judge.traces.row import Row

__all__ = ["count_table", "read_table"]

_SLICE_BYTES: Final = 2**24  # of rows held at a time; with it one row group's compressed columns
_FIRST_ROWS: Final = 64  # says how large a row is: with an image, 20,000 of them are gigabytes
_MOST_ROWS: Final = 20_000
_GROWTH: Final = 8
_ROWS_AT_ONCE: Final = 512  # as Python objects
_BROKEN: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_UNKNOWN: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OverflowError)


def read_table(path: Path) -> Iterator[Row]:
    """All rows in order, a slice at a time.

    Yields:
        `(row number, dict)`; an error in place of a row with a number that is not finite or a date that Python has
        not, and one in place of a slice that cannot be read.

    Raises:
        InputError: The file is no whole Parquet file.
    """
    total = count_table(path)
    rows, begin = _FIRST_ROWS, 0
    while begin < total:
        found, size = _slice(path, begin, min(rows, total - begin))
        yield from found
        begin += rows
        rows = max(1, min(_MOST_ROWS, rows * _GROWTH, _SLICE_BYTES // size)) if size else rows


def count_table(path: Path | str) -> int:
    """Rows of a file, from its footer.

    Raises:
        InputError: The file is no whole Parquet file.
    """
    try:
        return int(_scan(path).select(pl.len()).collect().item())
    except _BROKEN as exc:
        message = f"{path} is no whole Parquet file: {_first_line(exc)}."
        raise InputError(message, hint="Get it anew, or write it anew.") from exc


def _scan(path: Path | str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _slice(path: Path, begin: int, rows: int) -> tuple[Iterator[Row], int]:
    """Its rows, and the bytes of one of them."""
    try:
        frame = _scan(path).slice(begin, rows).collect()
    except _BROKEN as exc:
        message = f"rows {begin + 1} to {begin + rows} cannot be read: {_first_line(exc)}."
        error = RecordError(message, line=begin + 1, code="parquet_damaged")
        return iter([(begin + 1, error)]), 0
    numbered = enumerate(_rows(frame), begin + 1)
    return (_row(number, row) for number, row in numbered), int(frame.estimated_size()) // len(frame)


def _rows(frame: pl.DataFrame) -> Iterator[dict[str, Any] | str]:
    """All rows; a text in place of one that has a value which Python has not, such as a date after the year 9999."""
    for begin in range(0, len(frame), _ROWS_AT_ONCE):
        part = frame.slice(begin, _ROWS_AT_ONCE)
        try:
            rows: list[dict[str, Any] | str] = [*part.rows(named=True)]
        except _UNKNOWN:
            rows = [_row_alone(part, place) for place in range(len(part))]
        yield from rows


def _row_alone(frame: pl.DataFrame, place: int) -> dict[str, Any] | str:
    try:
        return frame.row(place, named=True)
    except _UNKNOWN as exc:
        return _first_line(exc)


def _row(number: int, row: dict[str, Any] | str) -> tuple[int, dict[str, Any] | RecordError]:
    if isinstance(row, str):
        return number, RecordError(f"has a value that cannot be read: {row}.", line=number, code="parquet_value")
    fields = {}
    for name, value in row.items():
        try:
            plain = _plain(value)
        except _NotFiniteError as exc:
            message = f"has the number {exc}, which is not finite."
            return number, RecordError(message, line=number, field=name, code="non_finite")
        if plain is not None:
            fields[name] = plain
    return number, fields


class _NotFiniteError(ValueError):
    """A NaN that is clamped carelessly becomes the best score."""


def _plain(value: Any) -> Any:
    """What JSON would hold, or bytes; None for a struct of nothing but nulls."""
    convert = _PLAIN.get(type(value))
    return value if convert is None else convert(value)


def _struct(value: dict[str, Any]) -> dict[str, Any] | None:
    return {key: plain for key, child in value.items() if (plain := _plain(child)) is not None} or None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise _NotFiniteError(value)
    return value


_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    dict: _struct,
    list: lambda value: [_plain(child) for child in value],
    float: _finite,
    Decimal: float,
    timedelta: timedelta.total_seconds,
    **dict.fromkeys((datetime, date, time), lambda value: value.isoformat()),
}


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0].rstrip(".")
