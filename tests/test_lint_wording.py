"""What the words of a criterion or claim give reason to, and what they do not."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from judge.lint.polarity import remark_on_polarity
from judge.lint.statement import Statement, read_statement
from judge.lint.wording import remark_on_wording


def said(text: str, rule: str, *, what="criterion", **given) -> str | None:
    """The words that a rule finds; empty where it means the whole text, None where it finds nothing."""
    statement = Statement(field=("text",), what=what, text=text, **given)
    remarks = [*remark_on_wording(statement), *remark_on_polarity(statement)]
    return next((text[one.start : one.end].strip() for one in remarks if one.rule == rule), None)


@pytest.mark.parametrize(
    ("text", "what", "words"),
    [
        ("Names the fever and recommends rest.", "criterion", "and recommends"),
        ("Names the fever and recommends rest.", "claim", None),
        ("Aspirin thins the blood and is taken daily.", "claim", "and is"),
        ("Names the fever and recommends rest.", "level", None),
    ],
)
def test_a_text_that_says_two_things(text: str, what: str, words: str | None) -> None:
    assert said(text, "compound", what=what) == words


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Gives adequate detail", "adequate"),
        ("Is appropriately brief", "appropriately"),
        ("Gives a Good summary", "Good"),
        ("Names causes, etc.", "etc."),
        ("Gives fluids as needed", "as needed"),
        ("Is of high-quality prose", "high-quality"),
        ("Names goodness of style", None),
        ("Recommends good sleep", None),
        ("Is written in good, plain style", None),
        ("Is written in good plain style", "good"),
        ('Quotes the words "adequate style"', None),
        ("Is brief (adequate (or helpful) style)", None),
        ("Names the fever", None),
    ],
)
def test_vague_words(text: str, word: str | None) -> None:
    assert said(text, "vague-word") == word


def test_several_vague_words_are_one_remark() -> None:
    statement = Statement(field=("text",), what="level", text="Good, thorough and good in spelling.")
    (remark,) = remark_on_wording(statement)
    assert (remark.start, remark.what) == (0, "'Good', 'thorough', 'good' are vague")


def test_the_words_that_a_trace_must_say_are_not_the_measure() -> None:
    assert said("Explains that adequate sleep helps; is thorough", "vague-word") == "thorough"
    assert said("Explains that adequate sleep helps", "vague-word") is None
    assert said("It was shown that adequate sleep helps", "vague-word", what="claim") == "adequate"


@pytest.mark.parametrize(
    "text",
    [
        "Give 5 points if fever is named",
        "Award full credit for naming fever",
        "Deduct a point when fever is missing",
        "5 points if fever is named",
        "Score the response by its length",
        "The judge should look for fever",
        "Fever is named: MET",
        "Names fever (worth 3) for partial credit",
    ],
)
def test_a_criterion_that_tells_the_judge_how_to_score(text: str) -> None:
    assert said(text, "judge-instruction")
    assert said(text, "judge-instruction", what="level") is None


@pytest.mark.parametrize(
    "text",
    [
        "States a pain score of 8",
        "Gives the Apgar score at five minutes",
        "Names the heart rate",
        "Points out the fracture",
        "Recommends adding insulin at two time points",
        "States that the patient met her doctor",
        "Names the tumour grade",
    ],
)
def test_scores_and_points_of_medicine_are_none(text: str) -> None:
    assert said(text, "judge-instruction") is None


@pytest.mark.parametrize(
    ("text", "direction", "rule"),
    [
        ("Names the fever", "positive", None),
        ("Names a wrong drug", "negative", None),
        # what is not there, and MET is good
        ("Does not mention a drug", "positive", "unclear-polarity"),
        ("The response doesn't mention a drug", "positive", "unclear-polarity"),
        ("Never names a drug", "positive", "unclear-polarity"),
        # an omission, and MET is bad: so many people write pitfalls
        ("Does not mention the fever", "negative", None),
        ("Fails to mention the fever", "negative", None),
        ("Fails to mention the fever", "positive", "sign-wording"),
        ("The answer incorrectly names a drug", "positive", "sign-wording"),
        ("Wrongly states the dose", "positive", "sign-wording"),
        ("Avoids naming a drug", "positive", None),
        ("Avoids naming a drug", "negative", "sign-wording"),
        ("Correctly names the drug", "negative", "sign-wording"),
        ("Should use bold letters", "negative", "sign-wording"),
        ("Should use bold letters", "positive", None),
        # neither polarity nor points
        ("Names the fever", None, None),
        ("Does not mention the fever", None, "unclear-polarity"),
        ("Avoids naming a drug", None, "unclear-polarity"),
        ("Fails to name the fever", None, "unclear-polarity"),
        # twice
        ("Does not fail to name the fever", "negative", "unclear-polarity"),
        ("Does not avoid the drug", "positive", "unclear-polarity"),
        ("Fails to avoid the drug", "negative", "unclear-polarity"),
    ],
)
def test_polarity(text: str, direction, rule: str | None) -> None:
    found = [name for name in ("unclear-polarity", "sign-wording") if said(text, name, direction=direction) is not None]
    assert found == ([rule] if rule else [])


def test_a_pitfall_needs_a_polarity_however_it_is_worded() -> None:
    assert said("Names the drug", "unclear-polarity", importance="Pitfall") == ""
    assert said("Names the drug", "unclear-polarity", importance="Pitfall", direction="negative") is None
    assert said("Names the drug", "unclear-polarity", importance="Essential") is None


def test_claims_and_levels_have_no_polarity_of_their_own() -> None:
    assert said("Does not enhance", "unclear-polarity", what="claim") is None
    assert said("Fails to name the fever", "sign-wording", what="level", direction="positive") is None
    assert said("Fails to name the fever", "sign-wording", what="claim", direction="positive") == "Fails to"


DATA = Path(__file__).parents[2] / "shared" / "data"
GUIDE = Path(__file__).parents[1] / "docs" / "rubrics.md"
NUMBERS = {2: "two", 11: "eleven"}


def lines(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no ../shared/data/{name}: what the rules find there cannot be counted")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def counted(statements: Iterable[Statement]) -> Counter[str]:
    """Rule -> how many statements it finds something in."""
    found = ({one.rule for one in [*remark_on_wording(each), *remark_on_polarity(each)]} for each in statements)
    return Counter(rule for rules in found for rule in rules)


def test_the_guide_tells_what_is_found_in_the_criteria_of_physicians() -> None:
    """No text of them may be printed, also where this fails."""
    rows = [one for row in lines("healthbench/rubrics_60.jsonl") for one in row["rubrics"]]
    criteria = {row["criterion"]: row["points"] for row in rows}
    found = counted(read_statement((), "criterion", text, {"points": points}) for text, points in criteria.items())
    guide = GUIDE.read_text(encoding="utf-8")
    assert f"On the {len(criteria)} different criteria" in guide
    assert dict(found) == {rule: int(n) for rule, n in re.findall(r"^\| ([a-z-]+) \| (\d+) \|", guide, re.MULTILINE)}


def test_the_guide_tells_what_is_found_in_the_claims_of_physicians() -> None:
    units = [unit for row in lines("kqa/records.jsonl") for given in row["units"].values() for unit in given]
    found = counted(read_statement((), "claim", unit["claim"], unit) for unit in units)
    told = f"Of {len(units)} claims that physicians wrote (K-QA) {NUMBERS[found['compound']]} are found compound"
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    assert told in guide
    assert f"and {NUMBERS[found['vague-word']]} vague." in guide
