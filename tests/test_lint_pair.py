"""Words that call one of two traces by its place, and words that do not."""

from __future__ import annotations

import pytest

from judge.lint.pair import list_questions, remark_on_place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Prefer the first trace.", "first trace"),
        ("Is Response A clearer than Response B?", "Response A"),
        ("Trace 1 or trace 2: which is right?", "Trace 1"),
        ("Say whether A is better.", "A is"),
        ("The latter answer wins a tie.", "latter answer"),
        ("Assistant two must be better by far.", "Assistant two"),
    ],
)
def test_a_place_is_named(text: str, said: str) -> None:
    (remark,) = remark_on_place(text)
    assert text[remark.start : remark.end] == said
    assert remark.rule == "pair-place" and remark.what.startswith(f"'{said}' calls a trace by its place")


@pytest.mark.parametrize(
    "text",
    [
        "Which trace keeps closer to the question?",
        "A trace that is short is no worse.",
        "Whose first step is right?",
        "Which answer is A good one to act on?",
        "Which names vitamin A and its dose?",
        "Which of the two traces is better?",
        "Which says that hepatitis B is named, and hepatitis A and B differ?",
    ],
)
def test_no_place_is_named(text: str) -> None:
    assert list(remark_on_place(text)) == []


def test_only_preferences_are_looked_at() -> None:
    axes = {"a": {"kind": "preference", "description": "x"}, "b": {"kind": "checklist", "description": "y"}, "c": 1}
    assert list(list_questions({"axes": axes})) == [(("axes", "a", "description"), "x")]
    assert list(list_questions({"axes": {"a": {"kind": "preference"}}})) == []
    assert list(list_questions([])) == []
