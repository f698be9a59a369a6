"""What is read of a recorded text, and what never is: a wrong verdict."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.recordings.declared import format_names, load_format
from judge.recordings.grammar import Grammar, Heard, Unread
from judge.recordings.recording import RecordedFormat

DATA = Path(__file__).parents[2] / "shared" / "data"
ERROR = "ERROR: Client error '429 Too Many Requests' for url 'https://api.example.com/v1/messages'"
NAMES = ("llmbar", "llmbar-final", "amel", "mtbench-single", "vicuna")
GRAMMARS = {name: Grammar(load_format(name)) for name in format_names()}


def heard(name: str, text: str, *, cut: bool = False, **fields: str) -> Heard | str:
    """What is heard, or the word for why nothing is."""
    found = GRAMMARS[name].read(text, cut=cut, fields=fields)
    return found.error if isinstance(found, Unread) else found


def test_a_form_is_of_those_who_were_asked_for_it() -> None:
    """An explanation that begins `Output (a) fails …` and is cut off after two words."""
    assert heard("llmbar", " Output (b).\n", strategy="Vanilla") == "second"
    assert heard("llmbar", "Output (a)", strategy="CoT") == "no_verdict"
    assert heard("llmbar", "Output (a)") == "no_verdict"
    assert heard("llmbar", "Output (c)", strategy="Vanilla") == "no_verdict"
    assert heard("llmbar", "Output (a)", strategy="Vanilla", cut=True) == "truncated"


FINAL = "Therefore, Output (b) is better."


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("llmbar", f"Output (a) is short. {FINAL}", "second"),
        ("llmbar", f"Output (a) is better. It is short.\n\n{FINAL}", "second"),  # a draft, and the form asked for
        ("llmbar", "Output (a) is better.\n\nIt is more concise.", "first"),
        ("llmbar", "After thinking, I have determined that Output (a) is better because it is short", "first"),
        ("llmbar-final", "Output (a) is better.\n\nIt is more concise.", "no_verdict"),
        ("llmbar", "Output (a) is better. Output (b) is better. Both are fine.", "two_verdicts"),
        ("llmbar", "Output (a) is better. For some, Output (b) is better if it rains, though.", "two_verdicts"),
        ("llmbar", "I doubt that Output (a) is better than that", "no_verdict"),
        ("llmbar", "Output (b) is better if the goal is speed. That is not known", "no_verdict"),
        ("llmbar", "Nobody would say that Output (a) is better.", "no_verdict"),
        ("llmbar", "Both Output (a) and Output (b) are good.", "no_verdict"),
        ("llmbar", " \n", "empty"),
        ("llmbar", f"{ERROR}\n{FINAL}", "error_text"),
        ("amel", "2", "second"),
        ("amel", "2\n\nResponse B is better", "second"),
        ("amel", "**1**\n\nResponse A", "first"),
        ("amel", "I would reply with **2**.", "second"),
        ("amel", "1\n\n2", "two_verdicts"),
        ("amel", "1 or 2", "no_verdict"),
        ("amel", "12", "no_verdict"),
        ("amel", "2.5", "no_verdict"),
        ("amel", "B", "no_verdict"),
        ("amel", "I need to evaluate which of 2", "no_verdict"),
        ("amel", ERROR, "error_text"),
        ("mtbench-single", "Good. Rating: [[8.5]]", 8.5),
        ("mtbench-single", 'I rate it "Rating: [[10]]".', 10.0),
        ("mtbench-single", "Rating: [[8]] or Rating: [[9]]", "two_verdicts"),
        ("mtbench-single", "Rating: [[8]], I say [[8]]", 8.0),
        ("mtbench-single", "Rating: [[11]]", "wrong_values"),
        ("mtbench-single", "Rating: [[8.3]]", "wrong_values"),
        ("mtbench-single", "Rating: [8]", "no_verdict"),
        ("mtbench-single", "$ERROR$", "error_text"),
        ("vicuna", "9 8.5\nBoth are fine.", (9.0, 8.5)),
        ("vicuna", "9 8", "no_verdict"),  # the second number may go on
        ("vicuna", "Well.\nAssistant 1: 1/10\nAssistant 2: 10 (fine)\nDone.", (1.0, 10.0)),
        ("vicuna", "Well.\nAssistant 1: 1\nAssistant 2: 10", "no_verdict"),
        ("vicuna", "Well.\nAssistant 1: 1\nAssistant 2: 10\n\nOutput: (1, 9)", "two_verdicts"),
        ("pandalm", "Tie", "tie"),
        ("pandalm", "garbage", "error_text"),
        ("llmbar-rating", "10", 10.0),
        ("healthbench-m42", "true", "MET"),
    ],
)
def test_a_text_says(name: str, text: str, expected: object) -> None:
    assert heard(name, text) == expected


def test_a_text_that_was_cut_says_only_what_was_to_come_first() -> None:
    assert heard("llmbar", "Output (a) is better.\n\nIt is", cut=True) == "truncated"
    assert heard("mtbench-single", "Rating: [[8]]", cut=True) == "truncated"
    assert heard("amel", "2\n\nResponse B is", cut=True) == "second"
    assert heard("vicuna", "9 8\nBoth", cut=True) == (9.0, 8.0)


def own(**declared: Any) -> Grammar:
    about = {"name": "own", "about": "x", "record": "{id}", "judge": "j", "raw": "{raw}", "kind": "preference"}
    pair = {"model_a": "a", "model_b": "b", "labels": {"1": "first", "2": "second", "1st": "first"}}
    return Grammar(RecordedFormat.model_validate({**about, **pair, **declared}))


def test_a_label_is_a_word_and_no_part_of_one() -> None:
    read = own(forms=[{"at": "start", "text": "{label}"}, {"at": "inside", "text": "best {label}"}]).read
    assert [read(text) for text in ("1: yes", "1st, as", "best 2")] == ["first", "first", "second"]
    assert all(isinstance(read(text), Unread) for text in ("10 points for 2", "2nd", "the best 12", "sobest 1"))


def test_a_number_is_all_of_its_digits() -> None:
    assert heard("vicuna", "So:\nAssistant 1: 10.0005\nAssistant 2: 4\n!") == "no_verdict"
    assert heard("vicuna", "So:\nAssistant 1: 10000\nAssistant 2: 4\n!") == "no_verdict"
    assert heard("mtbench-single", "[[5.0005]]") == "no_verdict"


def test_an_object_says_what_its_key_holds() -> None:
    grammar = own(forms=[{"at": "json", "text": "out.winner: {label}"}])

    def said(text: str) -> object:
        found = grammar.read(text)
        return found.error if isinstance(found, Unread) else found

    assert said('{"reason": "[[2]] is worse", "out": {"winner": 1}}') == "first"
    assert said('{"out": {"winner": "2"}}') == "second"
    assert said('{"out": {"winner": "3"}}') == "wrong_values"
    assert said('{"out": {"winner": "1", "winner": "2"}}') == "not_json"
    assert said('{"out": {"winner": "1"}, ') == "truncated"
    assert said('{"winner": "1"}') == "no_verdict"
    assert said("Sure! 1") == "not_json"


# Whatever is done to a text, it gives no other verdict.


def texts(name: str) -> list[str]:
    """Real ones, where they are; of those that hold two verdicts all."""
    found: list[str] = []
    for path, field in {
        "llmbar": [(DATA / "llmbar" / "replay" / "natural.jsonl", "raw")],
        "llmbar-final": [(DATA / "llmbar" / "replay" / "adv_neighbor.jsonl", "raw")],
        "amel": [(DATA / "amel_llmbar_pilot" / "pilot_responses.jsonl", "raw_response")],
        "mtbench-single": [(DATA / "mtbench_gpt4_single" / "gpt-4_single-origin.jsonl", "judgment")],
        "vicuna": [(DATA / "vicuna_gpt4_reviews" / "review_llama-13b_vicuna-13b.jsonl", "text")],
    }[name]:
        if path.exists():
            rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            found += [row[field] for row in rows if row.get(field)]
    return random.Random(0).sample(found, min(len(found), 60)) + MADE[name]


MADE = {
    "llmbar": [f"Output (a) is short. {FINAL}", "Output (b) is better.\n\nIt is.", f"So.\n\n{FINAL}"],
    "llmbar-final": [f"Output (a) is better.\n\n{FINAL}"],
    "amel": ["1", "2\n\nResponse B follows", "I would reply with **1**.", "2 for B", "Reply: 2\n\nIt is"],
    "mtbench-single": ["Good. Rating: [[10]]", "So so. [[5]].", "Rating: [[8.5]]"],
    "vicuna": ["10 8.5\nBoth.", "Well.\nAssistant 1: 10/10\nAssistant 2: 1 (poor)\nDone.", "Hm.\nOutput: (1, 10)"],
}


def cuts(text: str) -> Iterator[str]:
    yield from (text[:length] for length in range(len(text)))


@pytest.mark.parametrize("name", NAMES)
def test_a_text_cut_anywhere_says_the_same_or_nothing(name: str) -> None:
    """A draft that stands alone can be told from an answer by nobody, unless the server says that it was cut."""
    for text in texts(name):
        whole = GRAMMARS[name].read(text)
        for cut in cuts(text):
            found = GRAMMARS[name].read(cut)
            if not isinstance(found, Unread) and found != whole:
                letter = {"first": "a", "second": "b"}[str(found)]
                assert name.startswith("llmbar") and f"Output ({letter}) is better" in cut
                assert isinstance(GRAMMARS[name].read(cut, cut=True), Unread)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_that_the_server_cut_never_says_anything_else(name: str) -> None:
    for text in texts(name):
        whole = GRAMMARS[name].read(text)
        for cut in cuts(text):
            found = GRAMMARS[name].read(cut, cut=True)
            assert isinstance(found, Unread) or found == whole


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("between", ["", " ", "\n", "\n\n"])
def test_a_text_twice_says_the_same_or_nothing(name: str, between: str) -> None:
    for text in texts(name):
        found = GRAMMARS[name].read(text + between + text)
        assert isinstance(found, Unread) or found == GRAMMARS[name].read(text)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_before_a_text_is_no_answer(name: str) -> None:
    for text in texts(name):
        for error in (ERROR, "$ERROR$", "Traceback (most recent call last):\n", '  HTTPError: 429 "2"'):
            assert heard(name, f"{error}\n{text}") == "error_text"


@pytest.mark.parametrize("name", NAMES)
def test_an_error_after_a_text_adds_no_verdict(name: str) -> None:
    for text in texts(name):
        whole = GRAMMARS[name].read(text)
        for length in range(0, len(text), 7):
            found = GRAMMARS[name].read(f"{text[:length]}\n{ERROR}")
            alone = GRAMMARS[name].read(text[:length])
            assert isinstance(found, Unread) or found in (whole, alone)


@given(st.sampled_from(NAMES), st.text(alphabet="Output()ab is better.12[] \n*", max_size=60))
def test_whatever_the_text_is_it_is_read_or_refused(name: str, text: str) -> None:
    found = GRAMMARS[name].read(text)
    assert isinstance(found, Unread) or GRAMMARS[name].read(f" {text}\n") == found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "part",
    [
        "Output (a) is better",
        "Therefore, ",
        "[[1",
        "[[1]]",
        "Assistant 1: 1 ",
        "Assistant 1: 1\n",
        "1 ",
        " ",
        "\n",
        "a. ",
    ],
)
def test_no_text_takes_long(name: str, part: str) -> None:
    """Half a million characters of what forms are made of; what took their square would not end."""
    GRAMMARS[name].read("x" + part * (500_000 // len(part)) + "x")


def test_a_text_without_end_is_refused() -> None:
    assert heard("llmbar", "x" * 1_000_001) == "too_long"
