"""Which records are embedded: all failed, the most doubtful, those with labels, and a seeded rest."""

from __future__ import annotations

import polars as pl

from judge.report.choice import choose_items


def items(
    count: int,
    *,
    failed: tuple[int, ...] = (),
    doubt: dict[int, float] | None = None,
    rank: dict[int, int] | None = None,
) -> pl.DataFrame:
    """Two models for each question: items 0 and 1 are of q0, and so on."""
    return pl.DataFrame(
        {
            "item": pl.Series(range(count), dtype=pl.UInt32),
            "record_id": [f"q{number // 2}" for number in range(count)],
            "failed": [number in failed for number in range(count)],
            "doubt": [(doubt or {}).get(number, 0.0) for number in range(count)],
            "doubtful": [number in (doubt or {}) or number in (rank or {}) for number in range(count)],
            "rank": pl.Series([(rank or {}).get(number) for number in range(count)], dtype=pl.UInt32),
        }
    )


def chosen(frame: pl.DataFrame, **given: object) -> list[int]:
    return choose_items(frame, **given)["item"].to_list()


def test_a_few_are_all_embedded_in_their_order():
    assert chosen(items(5), most=5) == [0, 1, 2, 3, 4]
    assert chosen(items(5_000), most=None) == list(range(5_000))


def test_failed_come_first_then_the_most_doubtful_in_half_of_the_room_then_the_labelled():
    """10 places: 2 failed leave 8, of which the doubtful get 4, most doubtful first; then comes the labelled one."""
    frame = items(100, failed=(50, 70), doubt={number: number / 100 for number in range(10, 30)})
    found = chosen(frame, most=10, labelled=[99])
    assert set(found[:2]) == {50, 70}
    assert found[2:6] == [29, 28, 27, 26]
    assert found[6] == 99
    assert len(found) == len(set(found)) == 10


def test_what_a_run_lists_for_people_comes_before_what_is_only_doubtful():
    frame = items(100, doubt={number: number / 100 for number in range(10, 30)}, rank={12: 7, 80: 3})
    assert chosen(frame, most=8)[:4] == [80, 12, 29, 28]


def test_the_rest_is_whole_questions_by_the_seed():
    found = chosen(items(1_000), most=10)
    assert {number ^ 1 for number in found} == set(found)  # the other model of each question
    assert found == chosen(items(1_000), most=10)
    assert found != chosen(items(1_000), most=10, seed=1)


def test_more_failed_than_there_is_room_for():
    found = chosen(items(100, failed=tuple(range(50))), most=10)
    assert len(found) == 10 and max(found) < 50
