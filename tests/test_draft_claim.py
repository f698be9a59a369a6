"""Which claims say the same, and which a person should look at."""

from __future__ import annotations

import pytest

from judge.drafts.claim import gives_answer, is_same, share_words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The trachea is displaced to the right.", "Trachea displaced to right"),
        ("THE  trachea was displaced, to the “right”.", "the trachea is displaced to the right"),
        ("The right-sided effusion is large.", "Right sided effusion is large."),
        ("The haemoglobin of 7.5 fell.", "Haemoglobin 7.5 fell"),
        # Eight words may have one misspelt, where it is long enough (typo.py).
        (
            "Decompression must not wait for another film of chest.",
            "Decompresion must not wait for another film of chest.",
        ),
    ],
)
def test_the_same_words_in_the_same_order(one: str, other: str) -> None:
    assert is_same(one, other) and is_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The left lung is dark.", "The right lung is dark."),
        ("The lung is dark.", "The lung is not dark."),
        ("Shock causes acidosis.", "Acidosis causes shock."),
        ("Potassium is > 5.", "Potassium is < 5."),
        ("The value is -5.", "The value is 5."),
        ("The dose is 1.5 mg.", "The dose is 15 mg."),
        ("The dose is 1.5 mg.", "The dose is 1 5 mg."),
        ("The", "A"),
        ("", ""),
    ],
)
def test_another_claim(one: str, other: str) -> None:
    assert not is_same(one, other)


def test_nearly_the_same_words() -> None:
    """Of left, lung, wholly, dark and right, lung, wholly, dark 3 are shared of 5; with on, film 5 of 7; 6 of 8."""
    assert not share_words("The left lung is wholly dark.", "The right lung is wholly dark.")
    assert not share_words("Left lung wholly dark on film", "Right lung wholly dark on film")
    assert share_words("Left lung wholly dark on this film", "Right lung wholly dark on this film")
    assert not share_words("", "")


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("Does the trace choose option C?", True),
        ("Is the answer C given?", True),
        ("Is the answer: C?", True),
        ("Does it say that the answer is C?", True),
        ("Does it take the right choice (C)?", True),
        ("Is vitamin C named?", False),
        ("Does it choose option B?", False),
        ("Does it choose an option clearly?", False),
        ("Is another option considered?", False),
    ],
)
def test_the_letter_of_the_answer(text: str, gives: bool) -> None:
    assert gives_answer(text, "C") is gives
    assert not gives_answer(text, None) and not gives_answer(text, "Decompress")


def test_an_article_is_no_letter() -> None:
    assert not gives_answer("Is the answer a tumour?", "A")
    assert gives_answer("Is it option A?", "a")
