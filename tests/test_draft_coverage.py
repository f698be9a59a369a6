"""What of a reference is quoted, counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.drafts.coverage import Coverage, cover, sentences

TEXT = "<think>Air leaks in. It stays.</think><answer>C</answer>"


def said(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def test_tags_and_the_answer_are_no_sentences() -> None:
    assert said(TEXT) == ["Air leaks in.", "It stays."]


def test_letters_and_sentences_are_counted() -> None:
    """Air leaks in: 3 + 5 + 2 letters, It stays: 2 + 5. The quote has 3 + 5 of the 17."""
    start = TEXT.index("Air leaks")
    found = cover(TEXT, [(start, start + len("Air leaks"))])
    assert found == Coverage(sentences=2, covered=1, characters=17, quoted=8, uncovered=("It stays.",))


def test_what_is_quoted_twice_counts_once() -> None:
    start = TEXT.index("Air leaks")
    assert cover(TEXT, [(start, start + 9), (start + 4, start + 9)]).quoted == 8


def test_a_quote_of_the_answer_covers_nothing() -> None:
    start = TEXT.index("C<")
    assert cover(TEXT, [(start, start + 1)]).quoted == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dose is 2.5 mg. It helps.", ["The dose is 2.5 mg.", "It helps."]),
        ("Left vs. Right, as Dr. Lee said. Then e.g. none.", ["Left vs. Right, as Dr. Lee said.", "Then e.g. none."]),
        ("1. First finding\n2. Second finding", ["First finding", "Second finding"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("左肺不张。气管右移。", ["左肺不张。", "气管右移。"]),
        ("  Padded.  \n\n  Twice?  ", ["Padded.", "Twice?"]),
        ("… 12 …", []),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_totals_are_sums() -> None:
    one = cover("Air leaks.", [(0, 3)])  # 3 of 8 letters
    other = cover("It stays.", [])  # 0 of 7
    assert one + other == Coverage(sentences=2, covered=1, characters=15, quoted=3, uncovered=("It stays.",))


@given(st.text(alphabet="aB. \n<>/think。!", max_size=60))
def test_all_or_nothing(text: str) -> None:
    every, none = cover(text, [(0, len(text))]), cover(text, [])
    assert (every.quoted, every.covered, every.uncovered) == (every.characters, every.sentences, ())
    assert (none.quoted, none.covered, len(none.uncovered)) == (0, 0, none.sentences)
