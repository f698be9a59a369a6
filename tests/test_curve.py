"""What people say where the judge says x: worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from judge.trust.curve import find_points


def paired(probe: str, *rows: tuple[str, float | None, float | None]) -> pl.DataFrame:
    records, said, people = zip(*rows, strict=True)
    return pl.DataFrame({"record_id": records, "model": [None] * len(rows), f"{probe}_x": said, f"{probe}_y": people})


def test_shares_are_taken_together_in_tenths_and_what_one_side_did_not_say_is_left_out():
    """At 0.3: (1 + 0 + ½) / 3; at 0.4 one answer, whose record is alone there: in a third of the draws it is not."""
    told = paired(
        "raised", ("r1", 0.26, 1.0), ("r1", 0.31, 0.0), ("r2", 0.34, 0.5), ("r3", 0.4, 1.0), ("r3", None, 1.0)
    )
    first, second = find_points(told, "raised")
    assert (first[0], first[1].value, first[2]) == (0.3, pytest.approx(0.5), 3)
    assert (second[0], second[1].value, second[2]) == (0.4, 1.0, 1)
    assert first[1].low is not None and first[1].low <= 0.5 <= first[1].high
    assert (second[1].low, second[1].reason) == (None, "one record has no interval")


def test_levels_are_as_they_are():
    """A level of 2.25 is no 2.2, and three records that say the same have an interval of no width."""
    found = list(find_points(paired("level", *((f"r{n}", 2.25, 3.0) for n in range(3)), ("r9", 4.0, 1.0)), "level"))
    assert [(at, one.value, n) for at, one, n in found] == [(2.25, 3.0, 3), (4.0, 1.0, 1)]


def test_where_nothing_is_known_there_is_no_point():
    assert list(find_points(paired("met", ("r1", 1.0, None)), "met")) == []
