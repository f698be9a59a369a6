"""Options are taken from a question only where it is beyond doubt that they are some."""

import pytest

from judge.traces.options import find_options

LOBES = {"A": "Right lower", "B": "Left upper", "C": "Both"}


@pytest.mark.parametrize(
    "question",
    [
        "Which lobe?\nA. Right lower\nB. Left upper\nC. Both",
        "Which lobe?\n\n  A) Right lower  \n\n  B) Left upper\n  C) Both\n",
        "Which lobe?\r\nA: Right lower\r\nB: Left upper\r\nC: Both\r\n",
        "Which lobe?\n(A) Right lower\n(B) Left upper\n(C) Both",
        "Which lobe? A. Right lower B. Left upper C. Both",
        "Which lobe? (A) Right lower (B) Left upper (C) Both",
        "Which lobe? Options: A. Right lower, B. Left upper, C. Both",
        "Which lobe?\nA. Right lower B. Left upper C. Both",
        "A. Right lower\nB. Left upper\nC. Both",
    ],
)
def test_options_at_the_end(question: str) -> None:
    assert find_options(question) == LOBES


@pytest.mark.parametrize(
    "question",
    [
        "",
        "Which lobe?",
        "Which lobe?\nA. Right lower",
        "Which lobe? A. right B. left",  # two parts of one line may be anything
        "Does hepatitis A. B. or C. follow?",
        "Hepatitis A. Hepatitis B. Hepatitis C. Which one spreads by food?",
        "Which lobe?\nB. Right lower\nA. Left upper",
        "Which lobe?\nA. Right lower\nC. Left upper",
        "Which lobe?\nA. Right lower\nA. Left upper",
        "Which lobe?\nA. Right lower\nB. Left upper\nGive your reasons.",
        "Which lobe?\nA. Right lower\nand middle\nB. Left upper",
        "Which lobe?\na. right\nb. left",
        "Which lobe?\nA.Right\nB.Left",
        "Which? A. one B. two C. three\nExplain.",
    ],
)
def test_what_may_be_another_text(question: str) -> None:
    assert find_options(question) == {}


def test_a_long_text_takes_no_time() -> None:
    assert find_options("A. " * 100_000) == find_options(" " * 1_000_000) == {}
